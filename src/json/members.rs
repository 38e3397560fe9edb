//! The members of an object that are known by name and mostly stand in a known order.

use std::marker::PhantomData;

use super::scan::{Malformed, Scanner};

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
    use super::*;

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
}
