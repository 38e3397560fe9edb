//! Bounds what a group holds in memory, by pausing partitions (D10). Pure.
//!
//! Below half of the budget nobody is paused. Above it, a partition that holds more than its share
//! is paused first, so that a table whose store is blocked does not stop the others, and one that
//! has next to nothing left goes on, however much the others hold; when the budget is spent,
//! everything is paused.

use std::collections::HashSet;

use crate::source::Partition;

/// Decides which partitions are paused.
#[derive(Debug)]
pub struct Budget {
    bytes: u64,
    paused: HashSet<Partition>,
}

/// What to change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// To be paused now.
    pub pause: Vec<Partition>,
    /// To be resumed now.
    pub resume: Vec<Partition>,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self {
            bytes,
            paused: HashSet::new(),
        }
    }

    /// Whether more than a quarter is left when so many bytes are held.
    #[must_use]
    pub fn has_room(&self, total: u64) -> bool {
        total < self.bytes - self.bytes / 4
    }

    /// How many partitions are paused.
    #[must_use]
    pub fn paused(&self) -> usize {
        self.paused.len()
    }

    /// Forgets partitions that are no longer ours; whoever gets them next fetches them.
    pub fn forget(&mut self, partitions: &[Partition]) {
        partitions.iter().for_each(|it| {
            self.paused.remove(it);
        });
    }

    /// Says what to pause and resume, given what each assigned partition holds.
    pub fn steer(&mut self, held: &[(Partition, u64)]) -> Steering {
        let total: u64 = held.iter().map(|(_, bytes)| bytes).sum();
        let share = self.bytes / (held.len() as u64).max(1);
        let tight = total >= self.bytes / 2;
        let mut steering = Steering::default();
        for &(partition, bytes) in held {
            if self.paused.contains(&partition) {
                // A quarter of slack, so that a partition does not flutter: each pause makes
                // librdkafka throw away what it has fetched of it.
                let fits = self.has_room(total) && !(tight && bytes > share / 2);
                if fits || (total < self.bytes && bytes < share / 4) {
                    self.paused.remove(&partition);
                    steering.resume.push(partition);
                }
            } else if total >= self.bytes || (tight && bytes > share) {
                self.paused.insert(partition);
                steering.pause.push(partition);
            }
        }
        steering
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableId;

    fn p(number: i32) -> Partition {
        Partition {
            table: TableId(0),
            number,
        }
    }

    #[test]
    fn a_partition_over_its_share_is_paused_first_and_the_others_go_on() {
        let mut budget = Budget::new(100);
        let steering = budget.steer(&[(p(0), 45), (p(1), 5), (p(2), 2)]);
        assert_eq!(
            steering,
            Steering {
                pause: vec![p(0)],
                resume: vec![]
            }
        );
    }

    #[test]
    fn everything_is_paused_when_the_budget_is_spent_and_resumed_with_slack() {
        let mut budget = Budget::new(100);
        assert_eq!(budget.steer(&[(p(0), 60), (p(1), 40)]).pause, [p(0), p(1)]);
        assert_eq!(budget.steer(&[(p(0), 50), (p(1), 30)]), Steering::default());
        assert_eq!(budget.steer(&[(p(0), 48), (p(1), 20)]).resume, [p(1)]);
        assert_eq!(budget.steer(&[(p(0), 20), (p(1), 20)]).resume, [p(0)]);
    }

    #[test]
    fn a_partition_that_was_paused_goes_on_although_others_hold_their_shares_and_more() {
        let mut budget = Budget::new(100);
        let blocked = [(p(0), 30), (p(1), 30), (p(2), 30)];
        assert_eq!(
            budget
                .steer(&[&blocked[..], &[(p(3), 26)]].concat())
                .pause
                .len(),
            4
        );
        let nearly_done = [&blocked[..], &[(p(3), 7)]].concat();
        assert_eq!(budget.steer(&nearly_done), Steering::default());
        let done = [&blocked[..], &[(p(3), 0)]].concat();
        assert_eq!(budget.steer(&done).resume, [p(3)]);
    }

    #[test]
    fn a_record_larger_than_the_budget_passes_alone() {
        let mut budget = Budget::new(100);
        assert_eq!(budget.steer(&[(p(0), 5000)]).pause, [p(0)]);
        assert_eq!(budget.steer(&[(p(0), 0)]).resume, [p(0)]);
    }
}
