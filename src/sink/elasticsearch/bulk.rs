//! The body of a `_bulk` request, written by hand: an action line, then the document as it is.
//!
//! Bodies are copied once, straight into the buffer that goes to the network. `external_gte` makes
//! every operation repeatable: an equal version is written again, a lower one is refused.

use std::fmt::Write;

use bytes::{BufMut, Bytes, BytesMut};

use super::Target;
use crate::change::Version;

/// Operations on documents, and which mutation of the batch each stands for; guards, which stand
/// for none, come last.
#[derive(Default)]
pub(super) struct BulkRequest {
    lines: BytesMut,
    items: Vec<usize>,
    guards: usize,
}

impl BulkRequest {
    /// An empty request in this buffer, with room for so many operations.
    pub(super) fn within(buffer: BytesMut, operations: usize) -> Self {
        Self {
            lines: buffer,
            items: Vec::with_capacity(operations),
            guards: 0,
        }
    }

    /// Adds an `index` of mutation `item`.
    pub(super) fn index(&mut self, item: usize, at: (&Target, &str, Version), body: &str) {
        debug_assert!(!body.contains(['\n', '\r']), "a body is one line");
        self.action(item, "index", at);
        self.lines.extend_from_slice(body.as_bytes());
        self.lines.put_u8(b'\n');
    }

    /// Adds a `delete` of mutation `item`.
    pub(super) fn delete(&mut self, item: usize, at: (&Target, &str, Version)) {
        self.action(item, "delete", at);
    }

    /// Adds an operation that writes nothing, an update without a field. A delete with an external
    /// version has a missing index made under the alias's name, whatever `require_alias` says, unless
    /// the same request has another operation there that heeds it.
    pub(super) fn guard(&mut self, target: &Target) {
        self.lines.extend_from_slice(b"{\"update\":{\"_index\":");
        self.lines.extend_from_slice(target.quoted_alias.as_bytes());
        let rest = b",\"_id\":\"distributary\"}}\n{\"doc\":{}}\n";
        self.lines.extend_from_slice(rest);
        self.guards += 1;
    }

    fn action(&mut self, item: usize, verb: &str, (target, id, version): (&Target, &str, Version)) {
        let lines = &mut self.lines;
        lines.extend_from_slice(b"{\"");
        lines.extend_from_slice(verb.as_bytes());
        lines.extend_from_slice(b"\":{\"_index\":");
        lines.extend_from_slice(target.quoted_alias.as_bytes());
        lines.extend_from_slice(b",\"_id\":");
        push_string(lines, id);
        let rest = writeln!(
            lines,
            ",\"version\":{version},\"version_type\":\"external_gte\"}}}}"
        );
        rest.expect("a buffer takes every write");
        self.items.push(item);
    }

    /// Which mutations it has operations for.
    pub(super) fn items(&self) -> &[usize] {
        &self.items
    }

    /// How many operations, and so answers.
    pub(super) fn len(&self) -> usize {
        self.items.len() + self.guards
    }

    /// The body, and the mutation each of the first operations stands for.
    pub(super) fn finish(self) -> (Bytes, Vec<usize>) {
        (self.lines.freeze(), self.items)
    }
}

/// Appends a JSON string.
pub(super) fn push_string(lines: &mut impl BufMut, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        lines.put_u8(b'"');
        lines.put_slice(text.as_bytes());
        lines.put_u8(b'"');
    } else {
        serde_json::to_writer(lines.writer(), text).expect("a buffer takes every write");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn operations_are_lines_with_alias_id_and_version() {
        let target = Target::for_tests("products");
        let mut request = BulkRequest::default();
        request.index(4, (&target, "a\"\n", Version::new(1, 2)), r#"{"n":1}"#);
        request.delete(7, (&target, "é", Version::new(0, 3)));
        request.guard(&target);
        assert_eq!(request.len(), 3);
        let (body, items) = request.finish();
        assert_eq!(items, [4, 7]);
        let text = std::str::from_utf8(&body).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        let at = |id: &str, version: i64| json!({"_index": "products", "_id": id, "version": version, "version_type": "external_gte"});
        let index = json!({"index": at("a\"\n", (1 << 48) + 2)});
        let delete = json!({"delete": at("é", 3)});
        let guard = json!({"update": {"_index": "products", "_id": "distributary"}});
        assert_eq!(
            lines,
            [index, json!({"n": 1}), delete, guard, json!({"doc": {}})]
        );
        assert!(text.ends_with('\n'));
    }

    proptest! {
        #[test]
        fn any_text_is_one_json_string_on_one_line(text in any::<String>()) {
            let mut line = Vec::new();
            push_string(&mut line, &text);
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), text);
        }
    }
}
