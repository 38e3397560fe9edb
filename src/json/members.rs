//! The members of an object: each of them, or those that are known by name and mostly stand in a
//! known order.

use std::marker::PhantomData;

use super::scan::{Malformed, Scanner};

/// Calls back for every member of a JSON object with its name and the text of its value.
///
/// # Errors
/// When the text is not a JSON object.
pub(crate) fn each_member<'a>(
    json: &'a str,
    mut visit: impl FnMut(&str, &'a str),
) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(json);
    let mut more = scanner.open()?;
    while more {
        let name = scanner.name()?;
        visit(&name, scanner.value()?);
        more = scanner.another()?;
    }
    scanner.end()
}

/// A member that is known by name. Made by [`members!`].
pub(crate) trait Member: Copy + 'static {
    /// All members, in the order in which they are expected.
    const ALL: &'static [Named<Self>];
}

/// A member, its name, and the name as it stands before a value.
pub(crate) struct Named<M> {
    pub(crate) member: M,
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
}

/// An enum of [`Member`]s with their names, which have nothing to escape.
macro_rules! members {
    ($(#[$attribute:meta])* enum $Members:ident { $($Member:ident = $name:literal),* $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $Members {
            $(#[doc = $name] $Member),*
        }

        impl $crate::json::Member for $Members {
            const ALL: &'static [$crate::json::Named<Self>] = &[$($crate::json::Named {
                member: Self::$Member,
                name: $name,
                label: concat!("\"", $name, "\":"),
            }),*];
        }
    };
}
pub(crate) use members;

/// Goes over the members of an object.
pub(crate) struct Members<M> {
    next: usize,
    known: PhantomData<M>,
}

impl<M: Member> Members<M> {
    /// Stands before the first one.
    pub(crate) fn new() -> Self {
        Self {
            next: 0,
            known: PhantomData,
        }
    }

    /// Passes the next member's name; which one it is, if it is a known one.
    #[inline]
    pub(crate) fn name(&mut self, scanner: &mut Scanner<'_>) -> Result<Option<M>, Malformed> {
        match M::ALL.get(self.next) {
            Some(expected) if scanner.label(expected.label) => {
                self.next += 1;
                Ok(Some(expected.member))
            }
            _ => self.find(scanner),
        }
    }

    /// The same for a name that stands where another was expected.
    fn find(&mut self, scanner: &mut Scanner<'_>) -> Result<Option<M>, Malformed> {
        let name = scanner.name()?;
        let Some(index) = M::ALL.iter().position(|known| known.name == name) else {
            return Ok(None);
        };
        self.next = index + 1;
        Ok(Some(M::ALL[index].member))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    type Found<'a> = Vec<(String, &'a str)>;

    fn members(text: &str) -> Result<Found<'_>, Malformed> {
        let mut members = Vec::new();
        each_member(text, |name, value| members.push((name.to_owned(), value)))?;
        Ok(members)
    }

    /// `serde_json` must see the same members, or refuse the text as well.
    fn agree(text: &str) -> Result<(), TestCaseError> {
        let theirs: Option<HashMap<String, &RawValue>> = serde_json::from_str(text).ok();
        let ours = members(text).ok();
        prop_assert_eq!(ours.is_some(), theirs.is_some());
        for (name, value) in ours.iter().flatten() {
            let last = ours.iter().flatten().rfind(|(other, _)| other == name);
            if last.is_some_and(|(_, last)| std::ptr::eq(*last, *value)) {
                let theirs = theirs.as_ref().and_then(|it| it.get(name));
                prop_assert_eq!(theirs.map(|it| it.get()), Some(*value));
            }
        }
        Ok(())
    }

    #[test]
    fn an_object_is_its_members_in_order() {
        let text =
            " {\"a\" : -1.50e+3 ,\"b\\n\":\"x\\\"\\u00e9\",\"\":[1,{\"c\":[ ]}],\"d\":null}\n";
        let found = members(text).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (&**name, *value))
            .collect();
        assert_eq!(
            found,
            [
                ("a", "-1.50e+3"),
                ("b\n", "\"x\\\"\\u00e9\""),
                ("", "[1,{\"c\":[ ]}]"),
                ("d", "null"),
            ]
        );
    }

    members! {
        enum Letter { A = "a", B = "b", C = "c" }
    }

    #[test]
    fn known_members_are_found_in_any_order_among_others() {
        let mut scanner = Scanner::new(r#"{"a":0,"x":1,"c":2,"\u0062":3,"c":4}"#);
        let mut members = Members::<Letter>::new();
        let mut found = Vec::new();
        let mut more = scanner.open().unwrap();
        while more {
            let member = members.name(&mut scanner).unwrap();
            found.push((member, scanner.value().unwrap()));
            more = scanner.another().unwrap();
        }
        let (a, b, c) = (Some(Letter::A), Some(Letter::B), Some(Letter::C));
        assert_eq!(found, [(a, "0"), (None, "1"), (c, "2"), (b, "3"), (c, "4")]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn any_text_of_json_tokens_is_read_as_serde_json_reads_it(
            tokens in proptest::collection::vec(
                proptest::sample::select(vec![
                    "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u00e9", "\\ud83d", "a", " ", "\n",
                    "0", "1", "-", ".", "e", "true", "null", "\"a\"", "\"b\":", "é", "\t", "\u{1}",
                ]),
                0..12,
            )
        ) {
            agree(&tokens.concat())?;
            agree(&format!("{{\"a\":{}}}", tokens.concat()))?;
            agree(&format!("{{\"a\":\"{}\"}}", tokens.concat()))?;
        }

        #[test]
        fn any_value_is_one_value(text in any::<String>(), number in any::<f64>()) {
            let object = serde_json::json!({ "a": text, "b": number, "c": [text, { "d": number }] });
            agree(&object.to_string())?;
        }
    }
}
