//! Outside. `GET /api/v1/status`: what runs, what it serves, and how the last reloads went.
//!
//! In:    nothing.
//! Out:   [`Status`].
//! Never: asks a loop.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use axum::{extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Admin, answer::json};
use crate::control::{reload::Outcome, reload_history::Past};

/// What does not change while the server runs.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct About {
    pub started: Instant,
    pub started_unix_s: i64,
    pub workers: usize,
    pub listeners: Vec<ListenerTold>,
}

/// A listener.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Listener")]
#[allow(missing_docs)]
pub struct ListenerTold {
    pub name: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// Where it is bound.
    pub address: SocketAddr,
}

/// The server, now.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Status {
    version: &'static str,
    /// When it started, in seconds since 1970.
    started_unix_s: i64,
    uptime_s: u64,
    /// Whether calls should be sent here.
    ready: bool,
    /// Why not.
    missing: Vec<&'static str>,
    /// Whether OPTIONS to the server are answered 503.
    draining: bool,
    workers: usize,
    listeners: Vec<ListenerTold>,
    table: TableTold,
    reloads: Reloads,
}

/// The route table in service.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RouteTable")]
struct TableTold {
    /// From 1; grows by one with each new table.
    generation: u64,
    /// SHA-256 of all files that it is made of.
    hash: String,
    /// When it was loaded, in seconds since 1970.
    loaded_unix_s: i64,
    routes: usize,
    gateways: usize,
    groups: usize,
    tables: usize,
}

/// Reloads since the start.
#[derive(Debug, Serialize, JsonSchema)]
struct Reloads {
    loaded: u64,
    unchanged: u64,
    failed: u64,
    /// Whether the last one failed: the files are not what serves.
    failing: bool,
    /// When the last one succeeded, or the start.
    success_unix_s: i64,
    /// The last ones, the newest first.
    history: Vec<Past>,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>) -> Response {
    json(StatusCode::OK, &Status::of(&admin))
}

impl Status {
    fn of(admin: &Admin) -> Self {
        let missing = admin.readiness.missing();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_unix_s: admin.about.started_unix_s,
            uptime_s: admin.about.started.elapsed().as_secs(),
            ready: missing.is_empty(),
            missing,
            draining: admin.readiness.is_draining(),
            workers: admin.about.workers,
            listeners: admin.about.listeners.clone(),
            table: TableTold::of(admin),
            reloads: Reloads::of(admin),
        }
    }
}

impl TableTold {
    fn of(admin: &Admin) -> Self {
        let snapshot = admin.table().load();
        let table = &snapshot.table;
        Self {
            generation: snapshot.generation,
            hash: snapshot.hash.clone(),
            loaded_unix_s: snapshot.loaded_unix_s,
            routes: table.routes.len(),
            gateways: table.gateways.len(),
            groups: table.groups.len(),
            tables: table.tables.len(),
        }
    }
}

impl Reloads {
    fn of(admin: &Admin) -> Self {
        let status = admin.reloader.status();
        let count = |wanted| {
            let counted = Outcome::ALL.into_iter().zip(status.counts).find(|(outcome, _)| *outcome == wanted);
            counted.map_or(0, |(_, count)| count)
        };
        Self {
            loaded: count(Outcome::Loaded),
            unchanged: count(Outcome::Unchanged),
            failed: count(Outcome::Failed),
            failing: status.failing,
            success_unix_s: status.success_unix_s,
            history: admin.reloader.history().iter().cloned().collect(),
        }
    }
}
