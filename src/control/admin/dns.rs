//! Outside. `GET /api/v1/dns` and `POST /api/v1/dns/flush`: DNS servers as the resolver knows them, and the caches.
//!
//! In:    nothing, or what is to be forgotten.
//! Out:   servers, sizes; how many answers were forgotten.
//! Never: makes a loop free a whole cache, or wait.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{
    Admin,
    answer::{Problem, asked, json, told},
    dns_cache::{DnsCache, questions_of_name},
};
use crate::{
    dns::{Kind, Question},
    limits::CACHE_LOOK_MS_MAX,
    net::Forgotten,
};

/// DNS, as the server has it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Dns {
    /// In the order of their addresses.
    servers: Vec<ServerTold>,
    /// Of all workers together.
    cache: CacheTold,
    /// Messages that wait for DNS now.
    waiting: u64,
    /// Questions that they wait for.
    questions_under_way: u64,
    /// Questions put to a further server because the one before was slow, since the start.
    hedges: u64,
}

/// A server.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DnsServer")]
struct ServerTold {
    address: SocketAddr,
    /// Whether it answers.
    up: bool,
    /// How long it takes, smoothed; null while it was not asked.
    rtt_us: Option<u64>,
}

/// The caches.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DnsCacheSizes")]
struct CacheTold {
    entries: u64,
    bytes: u64,
}

/// What is to be forgotten: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FlushAsked {
    /// All answers to this name, of any type and server.
    name: Option<String>,
    /// Everything.
    #[serde(default)]
    all: bool,
}

/// What was forgotten.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Flushed {
    /// Answers, of all workers.
    forgotten: usize,
}

pub(super) async fn servers(State(admin): State<Arc<Admin>>) -> Response {
    let numbers = admin.resolver.numbers();
    let waits = admin.sampling.counters().waits();
    let server = |(address, standing): (SocketAddr, crate::dns::Standing)| ServerTold {
        address,
        up: standing.is_up,
        rtt_us: standing.rtt_us,
    };
    let dns = Dns {
        servers: numbers.servers.into_iter().map(server).collect(),
        cache: CacheTold { entries: waits.cache_entries, bytes: waits.cache_bytes },
        waiting: waits.waiting,
        questions_under_way: waits.questions,
        hedges: numbers.hedges,
    };
    json(StatusCode::OK, &dns)
}

pub(super) async fn flush(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let asked = asked::<FlushAsked>(request).await;
    told(match asked.and_then(|asked| asked.questions(&admin.dns_cache)) {
        Ok(questions) => forget(&admin.dns_cache, questions).await,
        Err(refused) => Err(refused),
    })
}

impl FlushAsked {
    /// `None` for all.
    fn questions(self, cache: &DnsCache) -> Result<Option<Vec<Question>>, (StatusCode, Problem)> {
        let wrong = |why: &str| Err((StatusCode::BAD_REQUEST, Problem::of(why)));
        match (self.name, self.all) {
            (None, true) => Ok(None),
            (Some(name), false) => match Question::new(&name, Kind::A) {
                Some(plain) => Ok(Some(questions_of_name(plain.name(), &cache.table.load().table))),
                None => wrong(&format!("name: \"{name}\" is not a name of DNS")),
            },
            _ => wrong("expected {\"name\": NAME} or {\"all\": true}"),
        }
    }
}

/// Each loop forgets in its turn; what that takes to free is freed beside.
async fn forget(
    cache: &DnsCache,
    questions: Option<Vec<Question>>,
) -> Result<Flushed, (StatusCode, Problem)> {
    let unavailable = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, Problem::of(why));
    let asked: Vec<_> = cache.handles.iter().map(|handle| handle.forget(questions.clone())).collect();
    let mut counts = Vec::new();
    // All of them are waited for, even if one has no room: what a loop hands over must not be left with it.
    for one in asked.into_iter().flatten() {
        counts.push(tokio::spawn(async move {
            let Forgotten { count, all } = one.await.ok()?;
            tokio::task::spawn_blocking(move || drop(all));
            Some(count)
        }));
    }
    if counts.len() < cache.handles.len() {
        return Err(unavailable("too many look at the cache, or the server is ending; try again"));
    }
    let mut forgotten = 0_usize;
    for count in counts {
        match timeout(Duration::from_millis(CACHE_LOOK_MS_MAX), count).await {
            Ok(Ok(Some(count))) => forgotten = forgotten.saturating_add(count),
            Ok(_) => return Err(unavailable("the server is ending")),
            Err(_) => return Err(unavailable("a loop did not answer in time; it forgets when it can")),
        }
    }
    Ok(Flushed { forgotten })
}
