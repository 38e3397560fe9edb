//! The group's coordinator: who owns what, who is expelled, what is committed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use distributary::source::{CommitNote, NextOffset, Partition};

use super::rows::partitions;

/// Who was not heard of for so long is expelled.
pub(super) const SESSION: Duration = Duration::from_secs(3);
/// Who does not answer for so long is expelled.
const REBALANCE: Duration = Duration::from_secs(12);

/// What a member is told.
#[derive(Debug)]
pub(super) enum Call {
    Assign(Vec<Partition>),
    Revoke(Vec<Partition>),
}

#[derive(Default)]
struct Member {
    heard: Duration,
    calls: VecDeque<Call>,
    /// Since when an answer is due; until it is given, nothing else is asked.
    asked_since: Option<Duration>,
    /// Under the eager protocol: the round of which it has given up its partitions.
    round: u64,
}

/// See the module.
pub(super) struct Group {
    cooperative: bool,
    members: BTreeMap<u64, Member>,
    joined: u64,
    owners: BTreeMap<Partition, u64>,
    committed: BTreeMap<Partition, (NextOffset, CommitNote)>,
    /// Rises with whatever makes the group divide its partitions anew.
    round: u64,
    /// Decides who gets which.
    rotation: usize,
    /// Whether nothing is left to be divided.
    is_settled: bool,
}

impl Group {
    pub(super) fn new(cooperative: bool) -> Self {
        Self {
            cooperative,
            members: BTreeMap::new(),
            joined: 0,
            owners: BTreeMap::new(),
            committed: BTreeMap::new(),
            round: 0,
            rotation: 0,
            is_settled: false,
        }
    }

    pub(super) fn join(&mut self, now: Duration) -> u64 {
        self.joined += 1;
        let member = Member {
            heard: now,
            ..Member::default()
        };
        self.members.insert(self.joined, member);
        self.round += 1;
        self.is_settled = false;
        self.joined
    }

    pub(super) fn leave(&mut self, member: u64) {
        self.members.remove(&member);
        self.owners.retain(|_, owner| *owner != member);
        self.round += 1;
        self.is_settled = false;
    }

    /// Divides the partitions in another way.
    pub(super) fn rotate(&mut self) {
        self.rotation += 1;
        self.round += 1;
        self.is_settled = false;
    }

    pub(super) fn is_member(&self, member: u64) -> bool {
        self.members.contains_key(&member)
    }

    pub(super) fn owner(&self, partition: Partition) -> Option<u64> {
        self.owners.get(&partition).copied()
    }

    /// The committed position, 0 where there is none.
    pub(super) fn committed(&self, partition: Partition) -> i64 {
        self.commit_of(partition).map_or(0, |(next, _)| next.get())
    }

    pub(super) fn commit_of(&self, partition: Partition) -> Option<&(NextOffset, CommitNote)> {
        self.committed.get(&partition)
    }

    pub(super) fn commit(&mut self, partition: Partition, next: NextOffset, note: CommitNote) {
        self.committed.insert(partition, (next, note));
    }

    /// A member's sign of life; answers whether it is one still, and what it is told.
    pub(super) fn heartbeat(&mut self, member: u64, now: Duration) -> Option<Vec<Call>> {
        self.expel(now);
        self.members.get_mut(&member)?.heard = now;
        self.divide(now);
        let member = self.members.get_mut(&member)?;
        Some(member.calls.drain(..).collect())
    }

    /// A member has begun what it was given.
    pub(super) fn begun(&mut self, member: u64) {
        self.is_settled = false;
        if let Some(it) = self.members.get_mut(&member) {
            it.asked_since = None;
        }
    }

    /// A member has given partitions up.
    pub(super) fn release(&mut self, member: u64, partitions: &[Partition]) {
        self.is_settled = false;
        if let Some(it) = self.members.get_mut(&member) {
            it.asked_since = None;
            self.owners
                .retain(|it, owner| *owner != member || !partitions.contains(it));
        }
    }

    fn expel(&mut self, now: Duration) {
        let late = |it: &Member| {
            let asked = it.asked_since.unwrap_or(now);
            now - it.heard > SESSION || now - asked > REBALANCE
        };
        let expelled = self.members.iter().filter(|(_, it)| late(it));
        let expelled: Vec<u64> = expelled.map(|(id, _)| *id).collect();
        expelled.into_iter().for_each(|id| self.leave(id));
    }

    fn divide(&mut self, now: Duration) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let target = self.target();
        for (&id, member) in &mut self.members {
            if member.asked_since.is_some() {
                continue;
            }
            let moves = |it: &Partition| match self.cooperative {
                true => target.get(it) != Some(&id),
                false => member.round < self.round,
            };
            let owned = self.owners.iter().filter(|(_, owner)| **owner == id);
            let taken: Vec<Partition> = owned.map(|(it, _)| *it).filter(moves).collect();
            member.round = self.round;
            if !taken.is_empty() {
                member.asked_since = Some(now);
                member.calls.push_back(Call::Revoke(taken));
            }
        }
        let waits = self.members.values().any(|it| it.asked_since.is_some());
        if waits && !self.cooperative {
            return;
        }
        for (&id, member) in &mut self.members {
            if member.asked_since.is_some() {
                continue;
            }
            let free = |it: &Partition| target[it] == id && !self.owners.contains_key(it);
            let given: Vec<Partition> = target.keys().copied().filter(free).collect();
            if !given.is_empty() {
                self.owners.extend(given.iter().map(|it| (*it, id)));
                member.asked_since = Some(now);
                member.calls.push_back(Call::Assign(given));
            }
        }
    }

    fn target(&self) -> BTreeMap<Partition, u64> {
        let members: Vec<u64> = self.members.keys().copied().collect();
        let seats = partitions().enumerate();
        seats
            .filter(|_| !members.is_empty())
            .map(|(seat, it)| (it, members[(seat + self.rotation) % members.len()]))
            .collect()
    }
}
