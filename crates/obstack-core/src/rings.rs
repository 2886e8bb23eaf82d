//! The backends' own rings: which there are to ask, how to read what they say, and what follows from it.
//!
//! Every pod can be ready while a backend refuses writes: whether a write finds enough replicas is decided by the
//! members of the ring, their states and their heartbeats. The backends show these on a page (dskit's
//! `ring/ring_http.go`), which is read here with the clock that stands on it, so no clock of ours is needed.
//!
//! A ring calls a member silent only after its heartbeat timeout, which the charts of Mimir set to 10 min. The gossip
//! below it (memberlist) drops a stopped process within half a minute, so its page is read as well.

mod asks;
mod judge;
pub mod page;
mod words;

use std::time::Duration;

use obstack_api::Reason;

use crate::reach::Silence;

pub use self::{asks::of, judge::read, page::State};

/// A page of a backend to ask, and what is expected on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingToAsk {
    /// Signal and role whose ring it is, such as `metrics.ingester`; `metrics.memberlist` for the gossip.
    pub component: String,
    /// Service that has the page.
    pub service: String,
    /// Namespace of the Service: the stack's own.
    pub namespace: String,
    /// HTTP port of the Service.
    pub port: u16,
    /// Path of the page.
    pub path: String,
    /// What is expected on it.
    pub expected: Expected,
}

/// What is expected on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A ring.
    Ring {
        /// Members that the spec asks for.
        members: u32,
        /// How many members hold each key.
        replication_factor: u32,
        /// What the backend needs of them.
        rule: QuorumRule,
        /// A member whose heartbeat is older is silent. `None` when it is not known: then the page's own word counts
        /// alone.
        heartbeat_timeout: Option<Duration>,
    },
    /// The members of the gossip.
    Gossip(Vec<Gossipers>),
}

/// The pods of a workload that must be in the gossip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossipers {
    /// Name of the workload, with which the names of its pods begin.
    pub workload: String,
    /// How many pods.
    pub pods: u32,
}

/// How many members of a key's replica set a backend needs, and which states make the set larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuorumRule {
    /// A write needs more than half of the replicas, and looks for no substitute: a member that leaves counts as lost.
    /// Mimir's ingesters (`ring.WriteNoExtend` in `pkg/distributor/distributor.go`, with dskit's
    /// `defaultReplicationStrategy`). Seen on Mimir 3.0.5 with replication factor 2: one LEAVING member of three, and
    /// two of three writes were refused.
    Majority,
    /// A write needs more than half of the replicas, with a substitute for each member that is not ACTIVE. Tempo's
    /// ingesters with any replication factor but 2 (`ring.Write`, since `extend_writes` is true by default).
    MajorityWithSubstitutes,
    /// A write needs one replica. Tempo's ingesters with replication factor 2 (`EventuallyConsistentStrategy` in
    /// `pkg/ring/ring.go` of v2.10).
    OneWithSubstitutes,
    /// A query needs one replica of each block. Mimir's store-gateways (`BlocksRead` in
    /// `pkg/storegateway/gateway_ring.go`, with dskit's `ignoreUnhealthyInstancesReplicationStrategy`).
    OneToRead,
    /// Nothing is refused: what belongs to a lost member waits. Compactors.
    Nothing,
}

/// What a page said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingHealth {
    /// The page.
    pub asked: RingToAsk,
    /// What follows from it.
    pub verdict: Verdict,
}

/// What follows from a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every expected member is active.
    Healthy {
        /// Active members.
        members: u32,
    },
    /// Members are missing, silent or not ACTIVE. Nothing says that anything is refused.
    Unhealthy(Trouble),
    /// So many are, that the backend refuses writes, or queries.
    QuorumLost {
        /// Which members.
        trouble: Trouble,
        /// Usable replicas of the keys that are worst off.
        left: u32,
        /// Replicas that the backend needs.
        needed: u32,
    },
    /// The page could not be read, so nothing is known.
    Unknown(Why),
}

/// What is wrong with the members of a ring, or of the gossip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Members that are active.
    pub active: u32,
    /// Members that there should be, or that there are if these are more.
    pub members: u32,
    /// Members that are not active, by name.
    pub sick: Vec<Sick>,
    /// Members that are expected and not there.
    pub missing: u32,
    /// Workloads with too few pods in the gossip, and how many pods each has there.
    pub unheard: Vec<(Gossipers, u32)>,
}

/// A member that is not active.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sick {
    /// Its name, which is its pod's.
    pub member: String,
    /// Its state; `Unhealthy` when it is silent.
    pub state: State,
}

/// Why a page could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// No answer in time.
    TimedOut,
    /// No connection.
    Unreachable {
        /// In the words of the network.
        cause: String,
    },
    /// The API server does not let the operator ask (403).
    Forbidden,
    /// Another status than 200.
    Answered {
        /// The status code.
        status: u16,
    },
    /// The answer is larger than what is read.
    TooLarge,
    /// The answer ended early.
    Truncated,
    /// The answer is not JSON. A component that is starting says so in HTML.
    NotJson,
    /// The answer is JSON, but not the expected page.
    OtherPage,
}

impl From<Silence> for Why {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::TimedOut => Self::TimedOut,
            Silence::Unreachable { cause } => Self::Unreachable { cause },
            Silence::Forbidden => Self::Forbidden,
            Silence::TooLarge => Self::TooLarge,
            Silence::Truncated => Self::Truncated,
        }
    }
}

impl RingHealth {
    /// The verdict in one word.
    pub fn reason(&self) -> Reason {
        match self.verdict {
            Verdict::Healthy { .. } => Reason::RingsActive,
            Verdict::Unhealthy(_) => Reason::RingUnhealthy,
            Verdict::QuorumLost { .. } => Reason::QuorumLost,
            Verdict::Unknown(_) => Reason::RingsUnknown,
        }
    }

    /// The verdict with ring, member, number and fix. It holds no clock: an unchanged ring says the same again.
    pub fn message(&self) -> String {
        words::message(self)
    }
}
