//! One change into the mutations of each model.

use std::hint::black_box;

use criterion::Criterion;
use distributary::change::{Change, ProjectionId, TableId};
use distributary::config::{Cache, Document, Field, Invalidation, Node, NodePattern, Property};
use distributary::envelope::{Decoded, Decoder, Input, KeyMoves};
use distributary::projector::Projector;
use distributary::projector::cache::CacheProjector;
use distributary::projector::document::DocumentProjector;
use distributary::projector::graph::GraphProjector;

use crate::support::cpu::OnCpu;
use crate::support::event;

const ID: u64 = 1_234_567;

const COLUMNS: [&str; 12] = [
    "id",
    "category_id",
    "slug",
    "name",
    "description",
    "brand",
    "tags",
    "price",
    "stock",
    "status",
    "is_featured",
    "updated_at",
];

pub(crate) fn all(criterion: &mut Criterion<OnCpu>) {
    let table = "products";
    let id = ProjectionId(0);
    let documents = DocumentProjector::new(id, table, &document()).expect("it compiles");
    let keys = CacheProjector::new(id, &cache(), table).expect("it compiles");
    let nodes = GraphProjector::node(id, table, &node()).expect("it compiles");
    let mut group = criterion.benchmark_group("project");
    let (key, value) = (event::key(ID), event::plain(ID));
    let change = change(&key, &value);
    group.bench_function("document of 12 fields", |bencher| {
        bencher.iter(|| project(&documents, &change));
    });
    group.bench_function("two cache keys", |bencher| {
        bencher.iter(|| project(&keys, &change));
    });
    group.bench_function("node of 12 properties", |bencher| {
        bencher.iter(|| project(&nodes, &change));
    });
    group.finish();
}

fn project<P: Projector>(projector: &P, change: &Change<'_>) {
    let mut out = Vec::with_capacity(2);
    projector.project(change, &mut out).expect("a good row");
    black_box(out);
}

/// The change of an event.
pub(crate) fn change<'a>(key: &'a str, value: &'a str) -> Change<'a> {
    let record = Input {
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        offset: 1,
        ..Input::default()
    };
    let mut decoder = Decoder::new(&[event::table()]);
    match decoder.decode(TableId(0), &mut KeyMoves::default(), record) {
        Ok(Decoded::Change(change)) => change,
        other => panic!("a good record was {other:?}"),
    }
}

/// A projection of twelve columns.
pub(crate) fn document() -> Document {
    let field = |name: &str| Field {
        name: name.to_owned(),
        column: name.to_owned(),
        path: Vec::new(),
    };
    Document {
        from: TableId(0),
        alias: "products".to_owned(),
        settings: None,
        fields: Some(COLUMNS.into_iter().map(field).collect()),
        when: None,
    }
}

fn cache() -> Cache {
    let key = |key: &str| Invalidation {
        key: key.to_owned(),
        when: None,
    };
    Cache {
        from: TableId(0),
        invalidate: vec![key("product:{{ key.id }}"), key("slug:{{ after.slug }}")],
    }
}

fn node() -> Node {
    let property = |name: &str| Property {
        name: name.to_owned(),
        column: name.to_owned(),
    };
    let (key, properties) = COLUMNS.split_at(1);
    Node {
        from: TableId(0),
        node: NodePattern {
            label: "Product".to_owned(),
            key: key.iter().copied().map(property).collect(),
            properties: properties.iter().copied().map(property).collect(),
        },
        when: None,
    }
}
