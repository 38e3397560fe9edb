//! Any history of rows, delivered in any way that delivery may, ends in the graph that the rows
//! make: twice delivered, late, torn across tables, by one instance or by two at once.
//!
//! `DISTRIBUTARY_SEED=<n>` replays one seed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use distributary::change::{Change, Op, TableId};
use distributary::projector::graph::GraphMutation;
use distributary::sink::neo4j::Neo4j;
use serde_json::{Value as Json, json};

use super::rows::{ITEMS, ORDERS, PRODUCTS, USERS, change, deleted};
use super::world::{Snapshot, World, coalesced, settings, written};

/// A stream of numbers that a seed decides (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % sides as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }
}

type Row = BTreeMap<&'static str, Json>;
type Key = (TableId, Vec<i64>);

/// The tables as they are in the end, and the changes that led there.
#[derive(Default)]
struct History {
    rows: BTreeMap<Key, Row>,
    /// Each queue is in the order of a partition: a key is always in the same one.
    queues: Vec<Vec<Change<'static>>>,
}

const QUEUES: usize = 8;
/// Few keys, so that everything meets everything.
const IDS: usize = 4;

impl History {
    fn new(dice: &mut Dice, steps: i64) -> Self {
        let mut history = Self::default();
        history.queues.resize_with(QUEUES, Vec::new);
        for version in 1..=steps {
            history.step(dice, version);
        }
        history
    }

    fn step(&mut self, dice: &mut Dice, version: i64) {
        let table = [USERS, PRODUCTS, ORDERS, ITEMS, ITEMS][dice.roll(5)];
        let mut id = || i64::try_from(1 + dice.roll(IDS)).unwrap();
        let ids = if table == ITEMS {
            vec![id(), id()]
        } else {
            vec![id()]
        };
        let names: &[&'static str] = if table == ITEMS {
            &["order_id", "product_id"]
        } else {
            &["id"]
        };
        let texts: Vec<_> = ids.iter().map(i64::to_string).collect();
        let key: Vec<_> = names
            .iter()
            .copied()
            .zip(texts.iter().map(String::as_str))
            .collect();
        let queue = (usize::from(table.0) * 7 + ids.iter().sum::<i64>() as usize) % QUEUES;
        let entry = (table, ids);
        if self.rows.contains_key(&entry) && dice.chance(35) {
            self.rows.remove(&entry);
            self.queues[queue].push(deleted(version, table, &key));
            return;
        }
        let before = self.rows.get(&entry);
        let row = next_row(dice, &entry, before, version);
        let op = if before.is_some() {
            Op::Update
        } else {
            Op::Create
        };
        // A large column that did not change is sometimes not sent.
        let unsent = match before {
            Some(before) => ["bio", "note"].into_iter().find(|name| {
                row.contains_key(name) && row[name] == before[name] && dice.chance(50)
            }),
            None => None,
        };
        let texts: Vec<_> = row
            .iter()
            .map(|(name, value)| {
                (
                    *name,
                    if Some(*name) == unsent {
                        "?".to_owned()
                    } else {
                        value.to_string()
                    },
                )
            })
            .collect();
        let after: Vec<_> = texts
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        self.queues[queue].push(change((table, op), version, &key, Some(&after)));
        self.rows.insert(entry, row);
    }

    /// The graph that the rows make.
    fn graph(&self) -> Snapshot {
        let mut graph = Snapshot::default();
        for ((table, ids), row) in &self.rows {
            let own = |label: &str, names: &[&str]| {
                let properties = names
                    .iter()
                    .map(|name| ((*name).to_owned(), row[name].clone()));
                let kept = properties.filter(|(_, value)| !value.is_null());
                ((label.to_owned(), ids[0].to_string()), kept.collect())
            };
            match *table {
                USERS => graph.nodes.extend([own("User", &["id", "name", "bio"])]),
                PRODUCTS => graph
                    .nodes
                    .extend([own("Product", &["id", "name", "price"])]),
                ORDERS => graph.nodes.extend([own("Order", &["id", "status"])]),
                _ => {}
            }
        }
        for (entry, row) in &self.rows {
            relate(&mut graph, entry, row);
        }
        derive(&mut graph);
        graph
    }
}

/// A row with new values; the large column mostly stays as it was.
fn next_row(dice: &mut Dice, (table, ids): &Key, before: Option<&Row>, version: i64) -> Row {
    let large = |name: &str, dice: &mut Dice| match before {
        Some(before) if dice.chance(70) => before[name].clone(),
        _ => json!(format!("large {version}")),
    };
    let reference = |dice: &mut Dice| match dice.roll(IDS + 1) {
        0 => Json::Null,
        id => json!(id),
    };
    match *table {
        USERS => {
            let bio = large("bio", dice);
            let name = if dice.chance(20) {
                Json::Null
            } else {
                json!(format!("u{version}"))
            };
            Row::from([
                ("id", json!(ids[0])),
                ("name", name),
                ("bio", bio),
                ("friend_id", reference(dice)),
            ])
        }
        PRODUCTS => Row::from([
            ("id", json!(ids[0])),
            ("name", json!(format!("p{version}"))),
            ("price", json!("0.30")),
        ]),
        ORDERS => Row::from([
            ("id", json!(ids[0])),
            ("user_id", reference(dice)),
            ("status", json!(version)),
        ]),
        _ => {
            let note = large("note", dice);
            Row::from([
                ("order_id", json!(ids[0])),
                ("product_id", json!(ids[1])),
                ("quantity", json!(version)),
                ("note", note),
            ])
        }
    }
}

fn relate(graph: &mut Snapshot, (table, ids): &Key, row: &Row) {
    let (kind, start, end, own): (_, _, _, &[&str]) = match *table {
        USERS => (
            "KNOWS",
            ("User", json!(ids[0])),
            ("User", row["friend_id"].clone()),
            &[],
        ),
        ORDERS => (
            "PLACED",
            ("User", row["user_id"].clone()),
            ("Order", json!(ids[0])),
            &[],
        ),
        ITEMS => (
            "CONTAINS",
            ("Order", json!(ids[0])),
            ("Product", json!(ids[1])),
            &["quantity", "note"],
        ),
        _ => return,
    };
    if start.1.is_null() || end.1.is_null() {
        return;
    }
    for (label, id) in [&start, &end] {
        let key = ((*label).to_owned(), id.to_string());
        let stub = [
            ("id".to_owned(), id.clone()),
            ("_stub".to_owned(), json!(true)),
        ];
        graph.nodes.entry(key).or_insert_with(|| stub.into());
    }
    let properties = own
        .iter()
        .map(|name| ((*name).to_owned(), row[name].clone()));
    let key = (kind.to_owned(), start.1.to_string(), end.1.to_string());
    graph
        .relationships
        .entry(key)
        .or_default()
        .push(properties.collect());
}

fn derive(graph: &mut Snapshot) {
    let of = |kind: &str| -> Vec<(String, String)> {
        let keys = graph.relationships.keys().filter(|(it, _, _)| it == kind);
        keys.map(|(_, start, end)| (start.clone(), end.clone()))
            .collect()
    };
    let (placed, contains) = (of("PLACED"), of("CONTAINS"));
    for (user, order) in &placed {
        for (_, product) in contains.iter().filter(|(it, _)| it == order) {
            let key = ("PURCHASED".to_owned(), user.clone(), product.clone());
            graph.relationships.insert(key, vec![BTreeMap::new()]);
        }
    }
}

/// How far delivery is.
struct Progress {
    dice: Dice,
    /// For each queue: the next change, and whether an instance is at work on it.
    next: Vec<(usize, bool)>,
    deadline: Instant,
}

/// Which changes of a queue an instance took.
type Taken = Vec<(usize, std::ops::Range<usize>)>;

/// Takes the next changes of some queues that nobody else is at work on.
fn take(progress: &Mutex<Progress>, history: &History) -> Option<Taken> {
    let mut progress = progress.lock().unwrap();
    assert!(
        Instant::now() < progress.deadline,
        "delivery does not come to an end"
    );
    let mut taken = Taken::new();
    let mut is_over = true;
    for queue in 0..QUEUES {
        let (next, is_taken) = progress.next[queue];
        let length = history.queues[queue].len();
        is_over &= next == length;
        if is_taken || next == length || progress.dice.chance(40) {
            continue;
        }
        let end = (next + 1 + progress.dice.roll(6)).min(length);
        progress.next[queue].1 = true;
        taken.push((queue, next..end));
    }
    (!is_over).then_some(taken)
}

/// Gives queues back as done; sometimes they go back to an earlier change, as after a crash.
fn give_back(progress: &Mutex<Progress>, taken: Taken) {
    let mut progress = progress.lock().unwrap();
    for (queue, range) in taken {
        let back = if progress.dice.chance(15) {
            1 + progress.dice.roll(8)
        } else {
            0
        };
        progress.next[queue] = (range.end.saturating_sub(back), false);
    }
}

/// One instance: takes changes and writes them, and now and then writes an old batch once more, as
/// one does that was replaced while a request was under way.
async fn deliver(
    world: &World,
    sink: &Neo4j,
    history: &History,
    progress: &Mutex<Progress>,
    seed: u64,
) {
    let mut dice = Dice(seed);
    let mut old: Vec<Vec<GraphMutation>> = Vec::new();
    while let Some(taken) = take(progress, history) {
        if taken.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        }
        let changes = taken
            .iter()
            .flat_map(|(queue, range)| &history.queues[*queue][range.clone()]);
        let mut mutations = Vec::new();
        for change in changes {
            mutations.extend(world.project(std::slice::from_ref(change)));
        }
        let batch = coalesced(mutations);
        written(sink, &batch).await.unwrap();
        give_back(progress, taken);
        old.push(batch);
        if dice.chance(20) {
            let late = dice.roll(old.len());
            written(sink, &old[late]).await.unwrap();
        }
    }
}

async fn converges(seed: u64, steps: i64, instances: usize) {
    println!("DISTRIBUTARY_SEED={seed} with {instances} instance(s)");
    let world = World::new().await;
    let mut dice = Dice(seed);
    let history = History::new(&mut dice, steps);
    let progress = Mutex::new(Progress {
        next: vec![(0, false); QUEUES],
        dice,
        deadline: Instant::now() + Duration::from_secs(300),
    });
    let sinks: Vec<_> = (0..instances).map(|_| world.sink(&settings())).collect();
    let numbered = (seed + 1..).zip(&sinks);
    let instances = numbered.map(|(own, sink)| deliver(&world, sink, &history, &progress, own));
    futures_util::future::join_all(instances).await;
    let (found, expected) = (world.snapshot().await, history.graph());
    assert_eq!(found.nodes, expected.nodes, "seed {seed}");
    assert_eq!(found.relationships, expected.relationships, "seed {seed}");
    world.clean_up().await;
}

fn seeds(count: u64) -> Vec<u64> {
    if let Ok(seed) = std::env::var("DISTRIBUTARY_SEED") {
        return vec![seed.parse().unwrap()];
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let first = u64::from(now.subsec_nanos());
    (first..first + count).collect()
}

#[tokio::test]
async fn any_history_ends_in_the_graph_of_its_rows() {
    for seed in seeds(2) {
        converges(seed, 300, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_history_ends_in_the_graph_of_its_rows_with_two_instances_at_once() {
    for seed in seeds(3) {
        converges(seed, 300, 2).await;
    }
}
