//! The outer join of two sequences in key order: what should be and what is.
//!
//! Each side is produced into a channel that holds a few hundred rows, so neither is ever in memory
//! as a whole. A side that is out of order would make false differences; it is an error instead.

use std::cmp::Ordering;

use anyhow::{Result, bail};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::exact::Exact;
use crate::report::{Fault, Section};

/// Rows in flight on each side.
const CAPACITY: usize = 500;

/// One or two integers; the second is 0 where the key has one column.
pub(crate) type Key = [i64; 2];

/// What one side says of one key.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) value: Exact,
    /// Faults that can be seen without the other side, for example a wrong label.
    pub(crate) faults: Vec<String>,
    /// Neo4j only: the node waits for its row.
    pub(crate) is_stub: bool,
}

impl Entry {
    pub(crate) const fn new(key: Key, value: Exact) -> Self {
        Self {
            key,
            value,
            faults: Vec::new(),
            is_stub: false,
        }
    }
}

/// Joins what `expected` and `found` send; `name` says what a key stands for.
pub(crate) async fn merge<E, F>(
    section: &mut Section,
    name: impl Fn(Key) -> String,
    expected: impl FnOnce(Sender<Entry>) -> E,
    found: impl FnOnce(Sender<Entry>) -> F,
) -> Result<()>
where
    E: Future<Output = Result<()>>,
    F: Future<Output = Result<()>>,
{
    let ((expected_in, expected_out), (found_in, found_out)) =
        (channel(CAPACITY), channel(CAPACITY));
    let mut join = Join {
        section,
        name,
        expected: Side::new(expected_out, "Postgres"),
        found: Side::new(found_out, "the store"),
    };
    tokio::try_join!(expected(expected_in), found(found_in), join.run())?;
    Ok(())
}

struct Join<'a, N> {
    section: &'a mut Section,
    name: N,
    expected: Side,
    found: Side,
}

impl<N: Fn(Key) -> String> Join<'_, N> {
    async fn run(&mut self) -> Result<()> {
        self.expected.advance().await?;
        self.found.advance().await?;
        loop {
            let order = match (&self.expected.head, &self.found.head) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(expected), Some(found)) => expected.key.cmp(&found.key),
            };
            if order.is_le()
                && let Some(expected) = self.expected.advance().await?
            {
                self.expect(&expected, order).await?;
            } else if let Some(found) = self.found.advance().await? {
                self.extra(&found);
            }
        }
        (self.section.expected, self.section.found) = (self.expected.count, self.found.count);
        Ok(())
    }

    async fn expect(&mut self, expected: &Entry, order: Ordering) -> Result<()> {
        if order.is_lt() {
            self.section
                .add(Fault::Missing, (self.name)(expected.key), Vec::new());
            return Ok(());
        }
        let mut copies = 0;
        while self
            .found
            .head
            .as_ref()
            .is_some_and(|found| found.key == expected.key)
        {
            let Some(found) = self.found.advance().await? else {
                break;
            };
            copies += 1;
            self.same(expected, found);
        }
        if copies > 1 {
            let details = vec![format!("{copies} times")];
            self.section
                .add(Fault::Double, (self.name)(expected.key), details);
        }
        Ok(())
    }

    fn same(&mut self, expected: &Entry, found: Entry) {
        if found.is_stub {
            let details = vec!["it is a stub although its row exists".to_owned()];
            self.section
                .add(Fault::Stub, (self.name)(found.key), details);
            return;
        }
        let mut details = found.faults;
        details.extend(expected.value.differences(&found.value));
        if !details.is_empty() {
            self.section
                .add(Fault::Wrong, (self.name)(found.key), details);
        }
    }

    fn extra(&mut self, found: &Entry) {
        let (fault, detail) = match found.is_stub {
            true => (
                Fault::Stub,
                "no row and no live relationship calls for this stub".to_owned(),
            ),
            false => (Fault::Extra, format!("found {}", found.value)),
        };
        self.section
            .add(fault, (self.name)(found.key), vec![detail]);
    }
}

/// One side's rows, with the next one at hand.
struct Side {
    rows: Receiver<Entry>,
    head: Option<Entry>,
    count: u64,
    who: &'static str,
}

impl Side {
    const fn new(rows: Receiver<Entry>, who: &'static str) -> Self {
        Self {
            rows,
            head: None,
            count: 0,
            who,
        }
    }

    /// Takes the row at hand and fetches the next.
    async fn advance(&mut self) -> Result<Option<Entry>> {
        let next = self.rows.recv().await;
        if let (Some(head), Some(next)) = (&self.head, &next)
            && next.key < head.key
        {
            bail!(
                "{} answered out of order: {:?} after {:?}",
                self.who,
                next.key,
                head.key
            );
        }
        self.count += u64::from(next.is_some());
        Ok(std::mem::replace(&mut self.head, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn join(expected: &[i64], found: &[i64]) -> Section {
        let mut section = Section::new("test", "rows", "rows");
        let send = |keys: Vec<i64>| {
            move |rows: Sender<Entry>| async move {
                for key in keys {
                    rows.send(Entry::new([key, 0], Exact::Null)).await?;
                }
                Ok(())
            }
        };
        let name = |key: Key| key[0].to_string();
        merge(
            &mut section,
            name,
            send(expected.to_vec()),
            send(found.to_vec()),
        )
        .await
        .unwrap();
        section
    }

    fn faults(section: &Section) -> Vec<(Fault, &str)> {
        section
            .differences
            .iter()
            .map(|d| (d.fault, d.subject.as_str()))
            .collect()
    }

    #[tokio::test]
    async fn equal_sides_have_no_differences() {
        let section = join(&[1, 2, 3], &[1, 2, 3]).await;
        assert_eq!(
            (section.expected, section.found, section.different),
            (3, 3, 0)
        );
    }

    #[tokio::test]
    async fn missing_extra_and_double_rows_are_each_named() {
        let section = join(&[1, 2, 4], &[2, 2, 3, 5]).await;
        let expected = [
            (Fault::Missing, "1"),
            (Fault::Double, "2"),
            (Fault::Extra, "3"),
            (Fault::Missing, "4"),
            (Fault::Extra, "5"),
        ];
        assert_eq!(faults(&section), expected);
        assert_eq!((section.expected, section.found), (3, 4));
    }
}
