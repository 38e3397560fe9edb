//! A bulk request: its body built, sent, and its answer read. The server is a thread that has its
//! answer ready, so that only our half is in the figure.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use criterion::{Criterion, Throughput};
use distributary::change::ProjectionId;
use distributary::config::{self, Batch};
use distributary::projector::Projector;
use distributary::projector::document::{Document, DocumentProjector};
use distributary::sink::Sink;
use distributary::sink::elasticsearch::{DocumentProjection, Elasticsearch};

use crate::project;
use crate::support::cpu::OnCpu;
use crate::support::event;

const DOCUMENTS: u32 = 5_000;

pub(crate) fn all(criterion: &mut Criterion<OnCpu>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a process can have a runtime");
    let sink = elasticsearch(&serve());
    let documents: Vec<_> = (0..DOCUMENTS).map(document).collect();
    let mut group = criterion.benchmark_group("bulk");
    group.throughput(Throughput::Elements(DOCUMENTS.into()));
    group.bench_function("batches of 5000 documents", |bencher| {
        bencher.iter(|| {
            let written = runtime.block_on(sink.write(&documents));
            assert_eq!(written.expect("it answers").len(), documents.len());
        });
    });
    group.finish();
}

fn elasticsearch(url: &str) -> Elasticsearch {
    let settings = config::Elasticsearch {
        url: url.to_owned(),
        credentials: None,
        ca: None,
        gc_deletes: Duration::from_secs(21_600),
        batch: Batch {
            max_items: 5_000,
            max_bytes: 8 << 20,
        },
        in_flight: 2,
    };
    let projection = DocumentProjection {
        id: ProjectionId(0),
        name: "products-index",
        table: "public.products".to_owned(),
        document: &project::document(),
    };
    Elasticsearch::new(&settings, &[projection]).expect("a good address")
}

fn document(id: u32) -> Document {
    let id = u64::from(id);
    let projector = DocumentProjector::new(ProjectionId(0), "products", &project::document());
    let mut out = Vec::new();
    let (key, value) = (event::key(id), event::plain(id));
    let change = project::change(&key, &value);
    projector
        .expect("it compiles")
        .project(&change, &mut out)
        .expect("a good row");
    out.remove(0)
}

/// Serves one connection; the address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let (connection, _) = listener.accept().expect("somebody connects");
        // It ends with the bench.
        answer_all(&connection).ok();
    });
    format!("http://{address}")
}

fn answer_all(mut connection: &TcpStream) -> std::io::Result<()> {
    let item = r#"{"index":{"status":200}}"#;
    let items = vec![item; DOCUMENTS as usize].join(",");
    let answer = format!(r#"{{"items":[{items}]}}"#);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    let mut requests = BufReader::with_capacity(1 << 20, connection);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            requests.read_line(&mut line)?;
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
        }
        std::io::copy(&mut (&mut requests).take(length), &mut std::io::sink())?;
        connection.write_all(head.as_bytes())?;
        connection.write_all(answer.as_bytes())?;
    }
}
