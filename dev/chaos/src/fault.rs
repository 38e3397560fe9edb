//! The faults there are, and which one a seed picks next.
//!
//! Two lanes deal faults side by side: one to the program's instances, one to servers and the
//! connections to them. Within a lane one fault is healed before the next is dealt.

use std::fmt;
use std::time::Duration;

use rand::Rng;

use crate::stack::Server;

/// The generator behind every choice.
pub(crate) type Random = rand_chacha::ChaCha8Rng;

/// A store, reached through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Store {
    /// Elasticsearch.
    Search,
    /// Redis.
    Cache,
    /// Neo4j.
    Graph,
}

impl Store {
    /// Every store.
    pub const ALL: [Self; 3] = [Self::Search, Self::Cache, Self::Graph];

    /// Its server.
    #[must_use]
    pub(crate) const fn server(self) -> Server {
        match self {
            Self::Search => Server::Elasticsearch,
            Self::Cache => Server::Redis,
            Self::Graph => Server::Neo4j,
        }
    }
}

/// A fault, before it is dealt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL to an instance, which is started again.
    Kill,
    /// SIGTERM to an instance, which is started again.
    Terminate,
    /// SIGSTOP to an instance for longer than its session, then SIGCONT.
    Freeze,
    /// One instance more.
    Join,
    /// One instance less.
    Leave,
    /// A server is stopped in order and started again.
    Stop(Server),
    /// A server is killed and started again.
    Die(Server),
    /// A server is frozen and goes on.
    Pause(Server),
    /// Each piece that travels to or from a store is late.
    Slow(Store),
    /// Every connection to a store is reset, again and again.
    Reset(Store),
    /// Connections to a store stay open and nothing arrives.
    HalfOpen(Store),
    /// Answers of a store break off.
    Cut(Store),
    /// Connections to a store are refused.
    Refuse(Store),
    /// The indices refuse writes: `index.blocks.write`.
    ReadOnly,
    /// The indices are blocked as a full disk blocks them.
    FloodStage,
    /// Redis has no memory left for writes.
    OutOfMemory,
    /// Debezium reads tables again while rows change: an incremental snapshot.
    Snapshot,
    /// Another writer locks the nodes that the program writes, in another order.
    Rival,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => write!(f, "an instance is killed"),
            Self::Terminate => write!(f, "an instance is asked to stop, and started again"),
            Self::Freeze => write!(f, "an instance is frozen past its session"),
            Self::Join => write!(f, "an instance joins"),
            Self::Leave => write!(f, "an instance leaves"),
            Self::Stop(server) => write!(f, "{server} is stopped and started"),
            Self::Die(server) => write!(f, "{server} is killed and started"),
            Self::Pause(server) => write!(f, "{server} is frozen"),
            Self::Slow(store) => write!(f, "{} is slow", store.server()),
            Self::Reset(store) => write!(f, "connections to {} are reset", store.server()),
            Self::HalfOpen(store) => write!(f, "connections to {} are half-open", store.server()),
            Self::Cut(store) => write!(f, "answers of {} are cut", store.server()),
            Self::Refuse(store) => write!(f, "connections to {} are refused", store.server()),
            Self::ReadOnly => write!(f, "the indices are read-only"),
            Self::FloodStage => write!(f, "the indices are blocked as by a full disk"),
            Self::OutOfMemory => write!(f, "redis reaches its maxmemory"),
            Self::Snapshot => write!(f, "debezium reads tables again, incrementally"),
            Self::Rival => write!(f, "a rival writer locks the graph's nodes"),
        }
    }
}

/// Faults of the program's instances, with their weights.
const INSTANCE_FAULTS: [(Fault, u32); 5] = [
    (Fault::Kill, 3),
    (Fault::Terminate, 3),
    (Fault::Freeze, 3),
    (Fault::Join, 2),
    (Fault::Leave, 1),
];

/// Everything that can be dealt, by lane.
#[derive(Debug, Clone)]
pub(crate) struct Deck {
    cards: Vec<(Fault, u32)>,
}

impl Deck {
    /// The faults of instances.
    #[must_use]
    pub(crate) fn instances() -> Self {
        let cards = INSTANCE_FAULTS.to_vec();
        Self { cards }
    }

    /// The faults of servers and of the connections to these stores.
    #[must_use]
    pub(crate) fn servers(stores: &[Store]) -> Self {
        let mut cards = vec![
            (Fault::Stop(Server::Kafka), 2),
            (Fault::Pause(Server::Kafka), 2),
            (Fault::Stop(Server::Connect), 1),
            (Fault::Die(Server::Connect), 1),
            (Fault::Snapshot, 3),
        ];
        for &store in stores {
            let server = store.server();
            cards.extend([
                (Fault::Stop(server), 1),
                (Fault::Die(server), 1),
                (Fault::Pause(server), 2),
                (Fault::Slow(store), 2),
                (Fault::Reset(store), 2),
                (Fault::HalfOpen(store), 2),
                (Fault::Cut(store), 2),
                (Fault::Refuse(store), 1),
            ]);
            match store {
                Store::Search => cards.extend([(Fault::ReadOnly, 2), (Fault::FloodStage, 2)]),
                Store::Cache => cards.push((Fault::OutOfMemory, 2)),
                Store::Graph => cards.push((Fault::Rival, 4)),
            }
        }
        Self { cards }
    }

    /// Picks one.
    pub(crate) fn pick(&self, random: &mut Random) -> Fault {
        let total: u32 = self.cards.iter().map(|(_, weight)| weight).sum();
        let mut ticket = random.random_range(0..total);
        for (fault, weight) in &self.cards {
            if ticket < *weight {
                return *fault;
            }
            ticket -= weight;
        }
        self.cards[0].0
    }
}

/// A span between two bounds, in seconds.
pub(crate) fn span(random: &mut Random, from: f64, to: f64) -> Duration {
    Duration::from_secs_f64(random.random_range(from..to))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn picks(seed: u64) -> Vec<Fault> {
        let mut random = Random::seed_from_u64(seed);
        let deck = Deck::servers(&Store::ALL);
        (0..500).map(|_| deck.pick(&mut random)).collect()
    }

    #[test]
    fn the_same_seed_deals_the_same_faults_and_another_seed_others() {
        assert_eq!(picks(1), picks(1));
        assert_ne!(picks(1), picks(2));
    }

    #[test]
    fn every_fault_is_dealt_sooner_or_later() {
        let picked = picks(3);
        for (fault, _) in Deck::servers(&Store::ALL).cards {
            assert!(picked.contains(&fault), "{fault}");
        }
    }
}
