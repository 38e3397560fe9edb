//! One write of a batch to a store: halves what the store refuses as a whole until the culprit
//! stands alone or the store can take it, and sends nothing once the fence has closed.

use std::ops::Range;

use crate::sink::{Outage, OutageKind, Outcome, Sink, SinkError};
use crate::source::{Fence, Generation, Partition};

/// The owners a mutation needs: a write is sent only while all that it stands for is ours.
pub type Owners = Vec<(Partition, Generation)>;

/// What came of a batch, and what was learnt of the store.
#[derive(Debug)]
pub struct Attempt {
    /// What came of it.
    pub attempted: Attempted,
    /// How many mutations were more than the store takes at once, if any were.
    pub too_much: Option<usize>,
}

/// What came of a batch.
#[derive(Debug)]
pub enum Attempted {
    /// One outcome for each mutation.
    Outcomes(Vec<Outcome>),
    /// We are no longer the owner of some of it; what was not answered was not sent.
    Replaced(Vec<Option<Outcome>>),
    /// The process must stop.
    Fatal(String),
}

/// Writes a batch once.
pub async fn attempt<S: Sink>(
    sink: &S,
    mutations: &[S::Mutation],
    admits: impl Fn() -> bool + Send + Sync,
) -> Attempt {
    let mut sizes = Sizes::default();
    let attempted = in_parts(sink, mutations, admits, &mut sizes).await;
    Attempt {
        attempted,
        too_much: sizes.too_much(),
    }
}

/// The sizes of a batch's parts.
#[derive(Default)]
struct Sizes {
    /// Those that were more than the store takes at once.
    refused: Vec<usize>,
    /// The largest that was taken.
    taken: usize,
}

impl Sizes {
    /// One mutation that is too large by itself makes every part that has it too large, which says
    /// nothing of others.
    fn too_much(&self) -> Option<usize> {
        let refused = self.refused.iter().copied();
        let smallest = refused.min().filter(|&it| it > 1)?;
        (smallest > self.taken).then_some(smallest)
    }
}

async fn in_parts<S: Sink>(
    sink: &S,
    mutations: &[S::Mutation],
    admits: impl Fn() -> bool + Send + Sync,
    sizes: &mut Sizes,
) -> Attempted {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; mutations.len()];
    // Ranges still to be written; the last one is next, so the order of the batch is kept.
    let mut ranges: Vec<Range<usize>> = std::iter::once(0..mutations.len()).collect();
    while let Some(range) = ranges.pop() {
        let written = sink.write_if(&mutations[range.clone()], &admits).await;
        match &written {
            Ok(Some(_)) => sizes.taken = sizes.taken.max(range.len()),
            Err(SinkError::TooMuch(_)) => sizes.refused.push(range.len()),
            _ => {}
        }
        match written {
            Ok(None) => return Attempted::Replaced(outcomes),
            Ok(Some(written)) if written.len() == range.len() => {
                for (place, outcome) in outcomes[range].iter_mut().zip(written) {
                    *place = Some(outcome);
                }
            }
            Ok(Some(written)) => {
                let outage = miscounted(range.len(), written.len());
                outcomes[range].fill(Some(Outcome::Failed(outage)));
            }
            Err(SinkError::Outage(outage)) => {
                outcomes[range].fill(Some(Outcome::Failed(outage.clone())));
                // The store is away: asking it for the rest would only take its time-outs again.
                for rest in ranges.drain(..) {
                    outcomes[rest].fill(Some(Outcome::Failed(outage.clone())));
                }
            }
            Err(SinkError::Refused(rejection) | SinkError::TooMuch(rejection))
                if range.len() == 1 =>
            {
                outcomes[range.start] = Some(Outcome::Rejected(rejection));
            }
            Err(SinkError::Refused(_) | SinkError::TooMuch(_)) => {
                let middle = range.start + range.len() / 2;
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            }
            Err(SinkError::Fatal(reason)) => return Attempted::Fatal(reason),
        }
    }
    Attempted::Outcomes(
        outcomes
            .into_iter()
            .map(|it| it.expect("every range was written"))
            .collect(),
    )
}

fn miscounted(sent: usize, answered: usize) -> Outage {
    let reason = format!("{answered} outcomes for {sent} mutations");
    Outage::new(OutageKind::Unreachable, reason)
}

/// Whether everything in a batch may still be sent by us.
#[must_use]
pub fn admits(fence: &Fence, owners: &[(Partition, Generation)]) -> bool {
    owners
        .iter()
        .all(|&(partition, generation)| fence.admits(partition, generation))
}

#[cfg(test)]
mod tests {
    use super::Sizes;

    #[test]
    fn one_mutation_that_is_too_large_by_itself_makes_no_smaller_batches() {
        let sizes = |refused: &[usize], taken| Sizes {
            refused: refused.to_vec(),
            taken,
        };
        assert_eq!(sizes(&[5000, 2500, 1250], 625).too_much(), Some(1250));
        assert_eq!(sizes(&[5000, 2500, 2, 1], 2500).too_much(), None);
        assert_eq!(sizes(&[2, 1, 1], 0).too_much(), None);
        assert_eq!(sizes(&[], 5000).too_much(), None);
    }
}
