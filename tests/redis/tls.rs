//! Whom the sink trusts.

use std::path::Path;

use anyhow::Result;
use distributary::config::Redis;
use distributary::sink::OutageKind;
use distributary::sink::redis::RedisSink;

use super::{assert_written, config, outage};
use crate::support::redis_server::{Server, free_port};

#[tokio::test]
async fn tls_trusts_the_configured_authority_and_no_other() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
    for at in [&ours, &other] {
        certificate(at)?;
    }
    let tls = free_port()?;
    let file = |name: &str| ours.join(name).display().to_string();
    let arguments = format!(
        "--tls-port {tls} --tls-auth-clients no --tls-cert-file {} --tls-key-file {} \
         --tls-ca-cert-file {}",
        file("cert.pem"),
        file("key.pem"),
        file("ca.pem"),
    );
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let _server = Server::start(&arguments).await?;
    let sink_with = |ca: &Path| {
        RedisSink::new(&Redis {
            ca: Some(ca.join("ca.pem")),
            ..config(format!("rediss://127.0.0.1:{tls}"))
        })
    };
    assert_written(&sink_with(&ours)?).await?;
    let distrust = outage(&sink_with(&other)?).await?;
    assert_eq!(distrust.kind, OutageKind::Unreachable);
    assert!(
        distrust.reason.contains("certificate"),
        "{}",
        distrust.reason
    );
    Ok(())
}

/// Makes an authority (`ca.pem`) and a certificate of 127.0.0.1 that it has signed.
fn certificate(at: &Path) -> Result<()> {
    std::fs::create_dir(at)?;
    let steps = "\
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority \
            -keyout ca-key.pem -out ca.pem && \
        openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request.pem && \
        echo subjectAltName=IP:127.0.0.1 > extensions && \
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 \
            -extfile extensions -out cert.pem";
    let made = std::process::Command::new("sh")
        .args(["-c", steps])
        .current_dir(at)
        .output()?;
    anyhow::ensure!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(())
}
