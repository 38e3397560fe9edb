//! The program's configurations: the example's sinks and projections, as far as a run needs them.

use std::fmt::Write as _;
use std::path::Path;

use crate::rows::Table;

/// A store of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sink {
    /// Elasticsearch, with the example's `products-index`.
    Search,
    /// Redis, with the keys of products.
    Cache,
    /// Neo4j, with a node for each product or a relationship for each order item.
    Graph,
}

/// A pipeline of one table.
#[derive(Debug)]
pub(crate) struct Pipeline<'a> {
    /// The table that is read.
    pub(crate) table: Table,
    /// Its topic.
    pub(crate) topic: &'a str,
    /// `shared` or `per_sink`.
    pub(crate) groups: &'a str,
    /// The stores.
    pub(crate) sinks: &'a [Sink],
    /// Settings of the index, as a path.
    pub(crate) settings: &'a Path,
    /// `second_unlink_after` of the cache.
    pub(crate) second_unlink_after: &'a str,
}

impl Pipeline<'_> {
    /// The configuration's text, for a group that has never been.
    pub(crate) fn yaml(&self, group: &str) -> String {
        let Self { topic, groups, .. } = self;
        let mut text = format!(
            "pipeline: bench\n\
             source: {{brokers: [\"${{KAFKA_BROKERS}}\"], group: {group}, groups: {groups}, topic: \"{{table}}\"}}\n\
             http: {{listen: \"${{HTTP_LISTEN}}\"}}\non_poison: stop\ntables:\n"
        );
        text.push_str(&match self.table {
            Table::Products => format!(
                "  products: {{topic: {topic}, key: [id], replica_identity: full, json: [attributes]}}\n"
            ),
            Table::Items => format!(
                "  order_items: {{topic: {topic}, key: [order_id, product_id], replica_identity: full}}\n"
            ),
        });
        text.push_str("sinks:\n");
        self.sinks.iter().for_each(|&it| self.sink(it, &mut text));
        text.push_str("projections:\n");
        self.sinks
            .iter()
            .for_each(|&it| self.projection(it, &mut text));
        text
    }

    fn sink(&self, sink: Sink, text: &mut String) {
        let second = self.second_unlink_after;
        let written = match sink {
            Sink::Search => writeln!(
                text,
                "  search: {{type: elasticsearch, url: \"${{ES_URL}}\", batch: {{max_items: 5000, max_bytes: 8MiB}}, in_flight: 2}}"
            ),
            Sink::Cache => writeln!(
                text,
                "  cache: {{type: redis, url: \"${{REDIS_URL}}\", second_unlink_after: {second}}}"
            ),
            Sink::Graph => writeln!(
                text,
                "  graph: {{type: neo4j, uri: \"${{NEO4J_URI}}\", username: \"${{NEO4J_USER}}\", password: {{env: NEO4J_PASSWORD}}}}"
            ),
        };
        written.expect("a string takes everything");
    }

    fn projection(&self, sink: Sink, text: &mut String) {
        let settings = self.settings.display();
        let written = match (sink, self.table) {
            (Sink::Search, _) => writeln!(
                text,
                "  - name: products-index\n    sink: search\n    from: products\n    index: {{alias: products, settings: \"{settings}\"}}\n    \
                 fields: [id, name, slug, description, brand, tags, price, stock, is_featured, category_id, attributes, {{weight: attributes.weight}}, updated_at]\n    \
                 when: after.status != 'draft'"
            ),
            (Sink::Cache, _) => writeln!(
                text,
                "  - {{name: product-cache, sink: cache, from: products, invalidate: [\"product:{{{{ key.id }}}}\", \"product:slug:{{{{ either.slug }}}}\"]}}"
            ),
            (Sink::Graph, Table::Products) => writeln!(
                text,
                "  - {{name: product-node, sink: graph, from: products, node: \"(:Product {{!id, name, price}})\"}}"
            ),
            (Sink::Graph, Table::Items) => writeln!(
                text,
                "  - {{name: contains, sink: graph, from: order_items, relationship: \"(:Order {{!id: order_id}})-[:CONTAINS {{quantity}}]->(:Product {{!id: product_id}})\"}}"
            ),
        };
        written.expect("a string takes everything");
    }
}
