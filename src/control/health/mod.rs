//! Outside. The health of gateways: probes and an operator's marks, and the marks that the loops read.
//!
//! In:    the table in service, what probes hear, what the admin port is told.
//! Out:   [`crate::marks::Marks`] of the table in service; each change in the log; numbers for the metrics.
//! Never: makes a loop wait; logs a probe that changes nothing.

mod asking;
mod exchange;
mod prober;
mod tls;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{lock::lock, reload::unix_s};
use crate::{
    health::{Board, Mark, Standing},
    route::{Health, RouteTable},
    snapshot::Snapshot,
};

pub use asking::Asking;
pub use prober::Prober;
pub use tls::{ChainAndKey, client_config};

/// What a probe heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A final answer with this status.
    Status(u16),
    /// Nothing in its time.
    Silence,
    /// Nothing listens there, no way leads there, or the connection broke.
    Unreachable,
    /// The TLS handshake failed.
    NoTls,
    /// An answer that is not SIP.
    NoSip,
    /// DNS has no server for the gateway, or one that may not be used.
    NoServer,
    /// It was not asked: our DNS does not answer, or this machine has no socket. It counts neither way.
    Unasked,
}

/// Results of probes, in the order of the metrics.
const RESULTS: [&str; 8] =
    ["alive", "not_alive", "silence", "unreachable", "no_tls", "no_sip", "no_server", "unasked"];

impl Heard {
    fn is_alive(self, health: &Health) -> bool {
        matches!(self, Self::Status(status) if health.alive.has(status))
    }

    /// Position in [`RESULTS`].
    fn result(self, health: &Health) -> usize {
        match self {
            Self::Status(_) if self.is_alive(health) => 0,
            Self::Status(_) => 1,
            Self::Silence => 2,
            Self::Unreachable => 3,
            Self::NoTls => 4,
            Self::NoSip => 5,
            Self::NoServer => 6,
            Self::Unasked => 7,
        }
    }

    fn words(self) -> String {
        match self {
            Self::Status(status) => format!("it answers {status}"),
            Self::Silence => "it does not answer".to_owned(),
            Self::Unreachable => "it cannot be reached".to_owned(),
            Self::NoTls => "it shakes no hands over TLS".to_owned(),
            Self::NoSip => "what it answers is no SIP".to_owned(),
            Self::NoServer => "DNS has no server for it".to_owned(),
            Self::Unasked => "it was not asked".to_owned(),
        }
    }
}

/// There is no such gateway in the table in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no gateway of this name in the routes in service")]
pub struct NoSuchGateway;

/// What the admin port tells of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GatewayState {
    /// Whether it is offered.
    pub up: bool,
    /// What an operator says: `auto`, `up`, `down`.
    pub mark: &'static str,
    /// Whether it is probed.
    pub probed: bool,
    /// What its last probe came to; null before the first one.
    pub last_probe: Option<String>,
    /// When it turned down or up last, in seconds since 1970; null when it has not since the server started.
    pub changed_unix_s: Option<i64>,
}

/// Numbers for the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Numbers {
    /// Those that are probed or marked, and whether they are up, by name.
    pub gateways: Vec<(Box<str>, bool)>,
    pub probes: [(&'static str, u64); RESULTS.len()],
    pub to_down: u64,
    pub to_up: u64,
}

/// All gateways of one server. A clone is the same.
#[derive(Clone, Debug)]
pub struct Gateways {
    table: Arc<ArcSwap<Snapshot>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    board: Board,
    /// Of the table that the board follows; 0: of none.
    generation: u64,
    last: HashMap<Box<str>, Heard>,
    /// When each turned last, in seconds since 1970.
    changed: HashMap<Box<str>, i64>,
    probes: [u64; RESULTS.len()],
    to_down: u64,
    to_up: u64,
}

impl Gateways {
    /// Those of the table in service.
    #[must_use]
    pub fn new(table: Arc<ArcSwap<Snapshot>>) -> Self {
        let gateways = Self { table, state: Arc::default() };
        gateways.follow();
        gateways
    }

    /// Follows the table in service, if it is another one than before.
    pub fn follow(&self) {
        drop(self.followed());
    }

    fn followed(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        let snapshot = self.table.load();
        if state.generation != snapshot.generation {
            state.generation = snapshot.generation;
            state.board.follow(&snapshot.table);
            let State { board, last, changed, .. } = &mut *state;
            last.retain(|name, _| board.standing(name).is_some_and(|it| it.health.is_some()));
            let mut before = std::mem::take(changed);
            for (id, gateway) in snapshot.table.gateways.iter().enumerate() {
                let is_down = board.standing(&gateway.name).is_some_and(Standing::is_down);
                let turns = snapshot.marks.set(id, is_down);
                let at = if turns { Some(unix_s()) } else { before.remove(&gateway.name) };
                changed.extend(at.map(|at| (gateway.name.clone(), at)));
            }
        }
        state
    }

    /// Those that are probed, and how.
    #[must_use]
    pub fn probed(&self) -> Vec<(Box<str>, Health)> {
        let snapshot = self.table.load();
        let gateways = snapshot.table.gateways.iter();
        gateways
            .filter_map(|gateway| Some((gateway.name.clone(), (**gateway.health.as_ref()?).clone())))
            .collect()
    }

    /// A probe of a gateway has ended.
    pub fn probe_ended(&self, name: &str, health: &Health, heard: Heard) {
        let mut state = self.followed();
        let result = heard.result(health);
        if let Some(count) = state.probes.get_mut(result) {
            *count = count.wrapping_add(1);
        }
        state.last.insert(name.into(), heard);
        if heard == Heard::Unasked {
            return;
        }
        let is_alive = heard.is_alive(health);
        if let Some(is_down) = state.board.probed(name, is_alive) {
            let probes = if is_down { health.failures } else { health.successes };
            self.turn(&mut state, name, is_down, &format!("{}, {probes} probes in a row", heard.words()));
        }
    }

    /// An operator says something of a gateway.
    pub fn mark(&self, name: &str, mark: Mark) -> Result<GatewayState, NoSuchGateway> {
        let mut state = self.followed();
        if !self.table.load().table.gateways.iter().any(|gateway| *gateway.name == *name) {
            return Err(NoSuchGateway);
        }
        if let Some(is_down) = state.board.mark(name, mark) {
            self.turn(&mut state, name, is_down, &format!("marked {}", mark.name()));
        } else {
            tracing::info!("gateway {name} is marked {}", mark.name());
        }
        Ok(state.of(name))
    }

    /// All gateways of a table, in its order.
    #[must_use]
    pub fn states(&self, table: &RouteTable) -> Vec<GatewayState> {
        let state = self.followed();
        table.gateways.iter().map(|gateway| state.of(&gateway.name)).collect()
    }

    /// The numbers of the metrics, now.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        let state = self.followed();
        let snapshot = self.table.load();
        let known = snapshot.table.gateways.iter().filter_map(|gateway| {
            let standing = state.board.standing(&gateway.name)?;
            Some((gateway.name.clone(), !standing.is_down()))
        });
        let mut probes = RESULTS.map(|result| (result, 0));
        probes.iter_mut().zip(state.probes).for_each(|((_, count), so_many)| *count = so_many);
        Numbers { gateways: known.collect(), probes, to_down: state.to_down, to_up: state.to_up }
    }

    /// A gateway is down from now on, or up.
    fn turn(&self, state: &mut State, name: &str, is_down: bool, why: &str) {
        let snapshot = self.table.load();
        if let Some(id) = snapshot.table.gateways.iter().position(|gateway| *gateway.name == *name) {
            snapshot.marks.set(id, is_down);
        }
        state.changed.insert(name.into(), unix_s());
        if is_down {
            state.to_down = state.to_down.wrapping_add(1);
            tracing::warn!("gateway {name} is down: {why}; it is left out of Contact lists");
        } else {
            state.to_up = state.to_up.wrapping_add(1);
            tracing::info!("gateway {name} is up again: {why}");
        }
    }
}

impl State {
    fn of(&self, name: &str) -> GatewayState {
        let standing = self.board.standing(name).cloned().unwrap_or_default();
        GatewayState {
            up: !standing.is_down(),
            mark: standing.mark.name(),
            probed: standing.health.is_some(),
            last_probe: self.last.get(name).map(|heard| heard.words()),
            changed_unix_s: self.changed.get(name).copied(),
        }
    }
}
