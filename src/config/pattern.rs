//! The graph patterns of the configuration: `(:A {!id, name: column})`,
//! `(:A {!id: x})-[:T {p}]->(:B {!id})` and paths of them.
//!
//! A small part of Cypher's form and nothing of its meaning. Labels, types and property names end
//! up in query text, so they are identifiers, or anything but a back quote between back quotes.

use super::{NodePattern, Property, Step};

/// What is wrong with a pattern, and where in its text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PatternError {
    /// In characters from the start of the text.
    pub(super) offset: usize,
    /// How many characters are meant.
    pub(super) length: usize,
    pub(super) message: String,
}

/// A relationship with its own properties, between two nodes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RelationshipPattern {
    pub(super) start: NodePattern,
    pub(super) kind: String,
    pub(super) properties: Vec<Property>,
    pub(super) end: NodePattern,
}

/// `(:Label {!key, property, name: column})`.
pub(super) fn node(text: &str) -> Result<NodePattern, PatternError> {
    let mut parser = Parser::new(text);
    let node = parser.node()?;
    parser.end()?;
    Ok(node)
}

/// `(:A {!id: column})-[:TYPE {property}]->(:B {!id: column})`.
pub(super) fn relationship(text: &str) -> Result<RelationshipPattern, PatternError> {
    let mut parser = Parser::new(text);
    let start = parser.node()?;
    let (kind, properties) = parser.arrow()?;
    let end = parser.node()?;
    parser.end()?;
    Ok(RelationshipPattern {
        start,
        kind,
        properties,
        end,
    })
}

/// `(:A)-[:T]->(:B)-[:U]->(:C)`, at least one step, all forward, without properties.
pub(super) fn path(text: &str) -> Result<Vec<Step>, PatternError> {
    let mut parser = Parser::new(text);
    let mut steps = Vec::new();
    let mut from = parser.bare_node()?;
    while steps.is_empty() || !parser.at_end() {
        let kind = parser.bare_arrow()?;
        let to = parser.bare_node()?;
        steps.push(Step {
            from,
            kind,
            to: to.clone(),
        });
        from = to;
    }
    Ok(steps)
}

struct Parser {
    text: Vec<char>,
    at: usize,
}

impl Parser {
    fn new(text: &str) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
        }
    }

    fn node(&mut self) -> Result<NodePattern, PatternError> {
        self.expect("(")?;
        self.expect(":")?;
        let label = self.free_name("a label")?;
        let (mut key, mut properties) = (Vec::new(), Vec::new());
        for (is_key, property) in self.properties()? {
            if is_key {
                key.push(property);
            } else {
                properties.push(property);
            }
        }
        self.expect(")")?;
        Ok(NodePattern {
            label,
            key,
            properties,
        })
    }

    fn bare_node(&mut self) -> Result<String, PatternError> {
        let from = self.at;
        let node = self.node()?;
        if node.key.is_empty() && node.properties.is_empty() {
            Ok(node.label)
        } else {
            Err(self.error_since(from, "only labels and types here, no properties"))
        }
    }

    fn arrow(&mut self) -> Result<(String, Vec<Property>), PatternError> {
        self.skip_white_space();
        if self.text.get(self.at) == Some(&'<') {
            return Err(self.error(1, "write relationships from left to right, `-[:TYPE]->`"));
        }
        self.expect("-[")?;
        self.expect(":")?;
        let kind = self.free_name("a relationship type")?;
        let from = self.at;
        let properties = self.properties()?;
        if properties.iter().any(|(is_key, _)| *is_key) {
            let message = "a relationship belongs to the row that makes it and has no merge key; \
                           leave out the `!`";
            return Err(self.error_since(from, message));
        }
        self.expect("]->")?;
        Ok((
            kind,
            properties
                .into_iter()
                .map(|(_, property)| property)
                .collect(),
        ))
    }

    fn bare_arrow(&mut self) -> Result<String, PatternError> {
        let from = self.at;
        match self.arrow()? {
            (kind, properties) if properties.is_empty() => Ok(kind),
            _ => Err(self.error_since(from, "only labels and types here, no properties")),
        }
    }

    /// `{!key, property, name: column}`, each with whether it is marked; empty without braces.
    fn properties(&mut self) -> Result<Vec<(bool, Property)>, PatternError> {
        let mut properties: Vec<(bool, Property)> = Vec::new();
        if !self.accept("{") {
            return Ok(properties);
        }
        loop {
            self.skip_white_space();
            let from = self.at;
            let is_key = self.accept("!");
            let name = self.identifier("a property")?;
            let column = if self.accept(":") {
                self.name("a column")?
            } else {
                name.clone()
            };
            if properties.iter().any(|(_, it)| it.name == name) {
                return Err(self.error_since(from, format!("the property `{name}` is there twice")));
            }
            if name.starts_with('_') {
                let message = "properties that begin with `_` are kept for distributary";
                return Err(self.error_since(from, message));
            }
            properties.push((is_key, Property { name, column }));
            if !self.accept(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(properties)
    }

    /// A label or a type that is not one of the program's own: its markers, locks and tombstones.
    fn free_name(&mut self, what: &str) -> Result<String, PatternError> {
        self.skip_white_space();
        let from = self.at;
        let name = self.identifier(what)?;
        if name.starts_with("_Distributary") {
            let message = "names that begin with `_Distributary` are kept for distributary";
            return Err(self.error_since(from, message));
        }
        Ok(name)
    }

    /// A name that will stand in a query's text, where Cypher takes `\u0041` for a letter, between
    /// back quotes as well.
    fn identifier(&mut self, what: &str) -> Result<String, PatternError> {
        self.skip_white_space();
        let from = self.at;
        let name = self.name(what)?;
        if name.contains('\\') {
            return Err(self.error_since(from, format!("expected {what} without a backslash")));
        }
        Ok(name)
    }

    fn name(&mut self, what: &str) -> Result<String, PatternError> {
        if self.accept("`") {
            let rest = &self.text[self.at..];
            let length = rest
                .iter()
                .position(|c| *c == '`')
                .filter(|length| *length > 0);
            let Some(length) = length else {
                return Err(self.error(1, format!("expected {what} and a closing back quote")));
            };
            let name = rest[..length].iter().collect();
            self.at += length + 1;
            return Ok(name);
        }
        let is_part = |c: &&char| c.is_alphanumeric() || **c == '_';
        let name: String = self.text[self.at..].iter().take_while(is_part).collect();
        if name.is_empty() || name.starts_with(|c: char| c.is_numeric()) {
            return Err(self.error(1, format!("expected {what}{}", self.found())));
        }
        self.at += name.chars().count();
        Ok(name)
    }

    fn expect(&mut self, token: &str) -> Result<(), PatternError> {
        if self.accept(token) {
            Ok(())
        } else {
            Err(self.error(1, format!("expected `{token}`{}", self.found())))
        }
    }

    /// Skips white space around the token, so that a name may follow at once.
    fn accept(&mut self, token: &str) -> bool {
        self.skip_white_space();
        let length = token.chars().count();
        let found = self.text[self.at..]
            .iter()
            .take(length)
            .copied()
            .eq(token.chars());
        if found {
            self.at += length;
            self.skip_white_space();
        }
        found
    }

    fn end(&mut self) -> Result<(), PatternError> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.error(self.text.len() - self.at, "expected nothing more"))
        }
    }

    fn at_end(&mut self) -> bool {
        self.skip_white_space();
        self.at == self.text.len()
    }

    fn skip_white_space(&mut self) {
        while self.text.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn found(&self) -> String {
        match self.text.get(self.at) {
            Some(c) => format!(", found `{c}`"),
            None => ", found the end".to_owned(),
        }
    }

    fn error(&self, length: usize, message: impl Into<String>) -> PatternError {
        PatternError {
            offset: self.at,
            length,
            message: message.into(),
        }
    }

    fn error_since(&self, offset: usize, message: impl Into<String>) -> PatternError {
        PatternError {
            offset,
            length: self.at - offset,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(name: &str, column: &str) -> Property {
        Property {
            name: name.into(),
            column: column.into(),
        }
    }

    #[test]
    fn a_node_has_a_label_a_merge_key_and_properties() {
        let expected = NodePattern {
            label: "User".into(),
            key: vec![property("id", "user_id")],
            properties: vec![property("name", "name"), property("the e-mail", "e mail")],
        };
        let text = "( :User{ !id : user_id,name, `the e-mail`: `e mail` } )";
        assert_eq!(node(text).unwrap(), expected);
    }

    #[test]
    fn a_relationship_goes_from_left_to_right_and_may_have_properties() {
        let found =
            relationship("(:Order {!id: order_id})-[:CONTAINS {quantity}]->(:Product {!id: p})")
                .unwrap();
        assert_eq!(found.kind, "CONTAINS");
        assert_eq!(found.start.key, [property("id", "order_id")]);
        assert_eq!(found.properties, [property("quantity", "quantity")]);
        assert_eq!(
            (found.end.label.as_str(), &found.end.key),
            ("Product", &vec![property("id", "p")])
        );
    }

    #[test]
    fn a_path_is_made_of_steps() {
        let step = |from: &str, kind: &str, to: &str| Step {
            from: from.into(),
            kind: kind.into(),
            to: to.into(),
        };
        assert_eq!(
            path("(:User)-[:PLACED]->(:Order) -[:CONTAINS]-> (:Product)").unwrap(),
            [
                step("User", "PLACED", "Order"),
                step("Order", "CONTAINS", "Product")
            ]
        );
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        let at = |result: Result<NodePattern, PatternError>| {
            let error = result.unwrap_err();
            (error.offset, error.message)
        };
        assert_eq!(at(node("(User)")), (1, "expected `:`, found `U`".into()));
        assert_eq!(
            at(node("(:User {!id, })")),
            (13, "expected a property, found `}`".into())
        );
        assert_eq!(at(node("(:User {id, id})")).0, 12);
        assert_eq!(at(node("(:User {_v})")).0, 8);
        assert_eq!(
            at(node("(:User")),
            (6, "expected `)`, found the end".into())
        );
        assert_eq!(
            at(node(r"(:User {`\u0041`: `a\b`})")),
            (8, "expected a property without a backslash".into())
        );
        assert_eq!(at(node("(:User) x")), (8, "expected nothing more".into()));
        let error = relationship("(:A {!id})<-[:T]-(:B {!id})").unwrap_err();
        assert!(error.message.contains("left to right"), "{error:?}");
        assert!(path("(:User)").is_err() && path("(:A {!id})-[:T]->(:B)").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_pattern_or_a_mistake_at_a_place_in_it(
            text in r"(\(|\)|\{|\}|:|!|,|-|-\[|\]->|`|a|B c| |\PC){0,24}",
        ) {
            let length = text.chars().count();
            let mistakes = [node(&text).err(), relationship(&text).err(), path(&text).err()];
            for mistake in mistakes.into_iter().flatten() {
                proptest::prop_assert!(mistake.offset <= length, "{mistake:?}");
                proptest::prop_assert!(!mistake.message.is_empty());
            }
        }
    }
}
