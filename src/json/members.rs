//! The members of an object that are known by name and mostly stand in a known order.

use super::scan::{Malformed, Scanner};

/// Names of members, each as it is and as it stands before a value.
pub(crate) type Names = [(&'static str, &'static str)];

/// An array of [`Names`] of string literals.
macro_rules! names {
    ($($name:literal),* $(,)?) => { [$(($name, concat!("\"", $name, "\":"))),*] };
}
pub(crate) use names;

/// Goes over the members of an object that are known by name and mostly stand in a known order.
pub(crate) struct Members {
    names: &'static Names,
    next: usize,
}

impl Members {
    /// The members are expected in the order of these names.
    pub(crate) fn new(names: &'static Names) -> Self {
        Self { names, next: 0 }
    }

    /// Passes the next member's name; its index, if it is one of the known ones.
    pub(crate) fn name(&mut self, scanner: &mut Scanner<'_>) -> Result<Option<usize>, Malformed> {
        let expected = self.names.get(self.next);
        if expected.is_some_and(|(_, label)| scanner.label(label)) {
            self.next += 1;
            return Ok(Some(self.next - 1));
        }
        let name = scanner.name()?;
        let index = self.names.iter().position(|(known, _)| *known == name);
        if let Some(index) = index {
            self.next = index + 1;
        }
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_members_are_found_in_any_order_among_others() {
        const NAMES: [(&str, &str); 3] = names!["a", "b", "c"];
        let mut scanner = Scanner::new(r#"{"a":0,"x":1,"c":2,"\u0062":3,"c":4}"#);
        let mut members = Members::new(&NAMES);
        let mut found = Vec::new();
        let mut more = scanner.open().unwrap();
        while more {
            let index = members.name(&mut scanner).unwrap();
            found.push((index, scanner.value().unwrap()));
            more = scanner.another().unwrap();
        }
        let (a, b, c) = (Some(0), Some(1), Some(2));
        assert_eq!(found, [(a, "0"), (None, "1"), (c, "2"), (b, "3"), (c, "4")]);
    }
}
