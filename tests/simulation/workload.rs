//! The workload: transactions that change rows and their keys.

use std::collections::BTreeMap;
use std::time::Duration;

use distributary::change::TableId;

use super::debezium::{Debezium, Out, Row};
use super::rows::{GRAPH, ITEMS, Log, SEARCH, USERS, WIDE, partitions};
use super::truth::Truth;
use super::world::Settings;

/// Keys from here on are only passed through.
const PASSING: u64 = 16;

struct Living {
    row: Row,
    poison: [bool; 3],
}

/// Writes transactions.
pub(super) struct Workload {
    rows: BTreeMap<(TableId, u64), Living>,
    serial: u64,
    debezium: Debezium,
    /// Whether there is any.
    poison: bool,
    /// Whether two rows change their keys at once. The tombstone of the one lies behind the other
    /// then, which compaction removes.
    swaps: bool,
    /// When users get full identity.
    alter_at: Duration,
}

impl Workload {
    pub(super) fn new(settings: &Settings) -> Self {
        let is_altered = fastrand::u32(..3) == 0;
        let share = if is_altered { fastrand::f64() } else { 0.0 };
        Self {
            rows: BTreeMap::new(),
            serial: 0,
            debezium: Debezium::default(),
            poison: !settings.is_compacted && fastrand::u32(..3) > 0,
            swaps: !settings.is_compacted,
            alter_at: settings.calm_at.mul_f64(share),
        }
    }

    /// One transaction, or more of the last one.
    pub(super) fn step(&mut self, log: &mut Log, truth: &mut Truth, now: Duration) {
        let is_full = now >= self.alter_at;
        if is_full != self.debezium.users_are_full || fastrand::u32(..4) > 0 {
            self.debezium.transaction += 1;
        }
        self.debezium.users_are_full = is_full;
        self.debezium.now = now;
        let out = &mut (log, truth);
        match fastrand::u32(..100) {
            0..2 if self.poison => self.debezium.spoilt(Self::id(), out),
            0..60 => self.change(ITEMS, Self::id(), out),
            60..70 => self.read_again(out),
            _ => self.change(USERS, Self::id(), out),
        }
        if fastrand::u32(..5) == 0 {
            // The markers of a transaction, which no consumer is given.
            let count = partitions().count();
            let partition = partitions().nth(fastrand::usize(..count)).unwrap();
            *out.0.high.entry(partition).or_default() += fastrand::i64(1..3);
        }
    }

    /// Some rows are changed more often than others.
    fn id() -> u64 {
        let wide = fastrand::bool();
        fastrand::u64(1..if wide { PASSING } else { 4 })
    }

    fn change(&mut self, table: TableId, id: u64, out: &mut Out) {
        if !self.rows.contains_key(&(table, id)) {
            self.insert(table, id, out);
            if fastrand::u32(..8) == 0 {
                self.delete(table, id, out);
            }
            return;
        }
        match fastrand::u32(..10) {
            0..2 => {
                self.delete(table, id, out);
                if fastrand::bool() {
                    self.insert(table, id, out);
                }
            }
            2..4 => self.change_key(table, id, Self::id(), out),
            _ => self.update(table, id, out),
        }
    }

    fn insert(&mut self, table: TableId, id: u64, out: &mut Out) {
        let poison = self.poison(table);
        let row = [
            id.to_string(),
            self.name(poison),
            fastrand::u32(..1000).to_string(),
            self.wide(),
        ];
        self.debezium.insert(table, &row, poison, out);
        self.rows.insert((table, id), Living { row, poison });
    }

    fn update(&mut self, table: TableId, id: u64, out: &mut Out) {
        let old = self.rows.remove(&(table, id)).unwrap();
        let mut row = old.row.clone();
        let poison = self.poison(table);
        if table == ITEMS || fastrand::bool() {
            row[1] = self.name(poison);
        }
        row[2] = fastrand::u32(..1000).to_string();
        if fastrand::u32(..3) == 0 {
            row[WIDE] = self.wide();
        }
        self.debezium.update(table, (&old.row, &row), poison, out);
        self.rows.insert((table, id), Living { row, poison });
    }

    fn delete(&mut self, table: TableId, id: u64, out: &mut Out) {
        let row = self.rows.remove(&(table, id)).unwrap().row;
        self.debezium.delete(table, &row, out);
    }

    /// The row takes another key; the one that has it takes this one.
    fn change_key(&mut self, table: TableId, from: u64, to: u64, out: &mut Out) {
        if from == to {
            return;
        }
        if !self.rows.contains_key(&(table, to)) {
            return self.pass(table, (from, to), out);
        }
        // A key that is checked at the end of a transaction is replicated under full identity only.
        if self.swaps && self.debezium.is_full(table) && fastrand::bool() {
            return self.swap(table, from, to, out);
        }
        let way = fastrand::u64(PASSING..PASSING + 4);
        self.pass(table, (from, way), out);
        self.pass(table, (to, from), out);
        self.pass(table, (way, to), out);
    }

    /// To a key that is free.
    fn pass(&mut self, table: TableId, (from, to): (u64, u64), out: &mut Out) {
        let old = self.rows.remove(&(table, from)).unwrap();
        self.debezium.leave(table, (&old.row, to), false, out);
        self.arrive(table, &old, to, out);
    }

    fn swap(&mut self, table: TableId, from: u64, to: u64, out: &mut Out) {
        let first = self.rows.remove(&(table, from)).unwrap();
        let mut second = self.rows.remove(&(table, to)).unwrap();
        self.debezium.leave(table, (&first.row, to), false, out);
        self.arrive(table, &first, to, out);
        // From here on it is about a row whose key the first has taken already.
        for _ in 0..fastrand::u32(..5) {
            let before = second.row.clone();
            second.row[2] = fastrand::u32(..1000).to_string();
            self.debezium
                .update_taken(table, (&before, &second.row), out);
        }
        self.debezium.leave(table, (&second.row, from), true, out);
        self.arrive(table, &second, from, out);
    }

    fn arrive(&mut self, table: TableId, old: &Living, to: u64, out: &mut Out) {
        let mut row = old.row.clone();
        row[0] = to.to_string();
        if fastrand::u32(..3) == 0 {
            row[WIDE] = self.wide();
        }
        let poison = old.poison;
        self.debezium.arrive(table, (&old.row, &row), poison, out);
        self.rows.insert((table, to), Living { row, poison });
    }

    fn read_again(&mut self, out: &mut Out) {
        let count = self.rows.len();
        let row = self.rows.iter().nth(fastrand::usize(..count.max(1)));
        if let Some((&(table, _), Living { row, poison })) = row {
            self.debezium.read(table, row, *poison, out);
        }
    }

    /// A name that tells a store which of them cannot take it.
    fn name(&mut self, poison: [bool; 3]) -> String {
        self.serial += 1;
        let serial = self.serial;
        let search = if poison[SEARCH] { " poison-search" } else { "" };
        let graph = if poison[GRAPH] { " poison-graph" } else { "" };
        format!("\"name {serial}{search}{graph}\"")
    }

    fn wide(&mut self) -> String {
        self.serial += 1;
        format!("\"wide {}\"", self.serial)
    }

    fn poison(&self, table: TableId) -> [bool; 3] {
        let mut poison = [false; 3];
        if self.poison && table == ITEMS && fastrand::u32(..12) == 0 {
            poison[SEARCH] = fastrand::bool();
            poison[GRAPH] = fastrand::bool();
        }
        poison
    }
}
