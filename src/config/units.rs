//! Durations, sizes and addresses as people write them. Errors complete a mistake's message.

use std::time::Duration;

use url::Url;

/// `25s`, `500ms`, `6h`, `1m 30s`; `0` needs no unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text)
        .map_err(|_| format!("expected a duration such as `500ms`, `25s` or `6h`, found `{text}`"))
}

/// `64MiB`, `512KB`, `1048576` (bytes).
pub(super) fn size(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("expected a size such as `64MiB` or `512KB`, found `{text}`"))
}

/// `host:port`.
pub(super) fn broker(text: &str) -> Result<(), String> {
    let parts = text.rsplit_once(':');
    let valid = parts.is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain =
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || ":/@".contains(c));
        (bracketed || plain) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if valid {
        Ok(())
    } else {
        Err(format!("expected a broker as `host:port`, found `{text}`"))
    }
}

/// `scheme://[user[:password]@]host[:port][/path]` with one of the schemes, read as the stores'
/// clients read it. The error never holds the text, which may hold a password.
pub(super) fn url(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let expected = |found: &str| {
        let forms: Vec<_> = schemes
            .iter()
            .map(|it| format!("`{it}://host:port`"))
            .collect();
        format!("expected {}; found {found}", forms.join(" or "))
    };
    let Some((scheme, _)) = text.split_once("://") else {
        return Err(expected("no scheme"));
    };
    if !schemes.contains(&scheme) {
        return Err(expected(&format!("the scheme `{scheme}`")));
    }
    let url = Url::parse(text).map_err(|error| expected(&format!("an {error}")))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(expected("no host"));
    }
    if url.port() == Some(0) {
        return Err(expected("port 0"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_people_write_them() {
        assert_eq!(duration("25s").unwrap(), Duration::from_secs(25));
        assert_eq!(duration("0").unwrap(), Duration::ZERO);
        assert_eq!(duration("1m 30s").unwrap(), Duration::from_secs(90));
        assert!(duration("25").unwrap_err().contains("found `25`"));
        assert_eq!(size("8MiB").unwrap(), 8 << 20);
        assert_eq!(size("512KB").unwrap(), 512_000);
        assert_eq!(size("1000").unwrap(), 1000);
        assert!(size("much").unwrap_err().contains("found `much`"));
    }

    #[test]
    fn brokers_and_urls_need_a_host_and_a_port_that_is_one() {
        assert!(broker("kafka-0.kafka:9092").is_ok() && broker("[::1]:9092").is_ok());
        for bad in [
            "kafka",
            "kafka:",
            "kafka:0",
            "kafka:http",
            "http://kafka:9092",
            ":9092",
        ] {
            assert!(broker(bad).is_err(), "{bad}");
        }
        let schemes = ["http", "https"];
        assert!(
            url("http://[::1]:9200", &schemes).is_ok() && url("http://[::1]", &schemes).is_ok()
        );
        for bad in [
            "es:9200",
            "redis://es",
            "http://",
            "http://es:port",
            "http://es:99999",
            "http://es:0",
            "http://[::1/",
        ] {
            assert!(url(bad, &schemes).is_err(), "{bad}");
        }
    }
}
