//! Outside. One probe: locates a gateway as a caller would (RFC 3263) and asks its servers, best first, until one is
//! alive.
//!
//! In:    how a gateway is probed.
//! Out:   what came of it.
//! Never: asks more servers than [`PROBE_ADDRESSES_MAX`]; takes our own trouble for the gateway's.

use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use tokio::time::Instant;

use super::{Heard, exchange};
use crate::{
    control::{lock::lock, resolver::Resolver},
    decide::Settings,
    dns::{Ask, Cache, DnsView, How, LocateResult, Located, Step, Target, locate},
    limits::{GATEWAYS_PROBED_MAX, PROBE_ADDRESSES_MAX, QUESTIONS_PER_REQUEST_MAX},
    route::Health,
    sip::Uri,
};

/// Rounds of questions to DNS: NAPTR, SRV, addresses.
const ROUNDS: usize = 3;

/// What probes work with.
pub struct Asking {
    resolver: Resolver,
    settings: Settings,
    tls: Arc<ArcSwap<ClientConfig>>,
    /// Never held while something is waited for.
    cache: Mutex<Cache>,
    began: Instant,
}

impl Asking {
    /// `tls` is what is taken for gateways of `sips:`.
    #[must_use]
    pub fn new(resolver: Resolver, settings: Settings, tls: Arc<ArcSwap<ClientConfig>>) -> Self {
        // NAPTR, SRV and both families of address of each.
        let cache = Cache::with(4 * GATEWAYS_PROBED_MAX, settings.lives, &settings.key);
        Self { resolver, settings, tls, cache: Mutex::new(cache), began: Instant::now() }
    }

    /// Probes a gateway. Of several servers one that is alive will do.
    pub(super) async fn probe(&self, health: &Health) -> Heard {
        let targets = match self.locate(&health.uri).await {
            Ok(targets) => targets,
            Err(heard) => return heard,
        };
        let mut first = None;
        for target in targets.iter().take(PROBE_ADDRESSES_MAX) {
            let heard = exchange::ask(target, health, &self.tls.load_full()).await;
            if heard.is_alive(health) {
                return heard;
            }
            first.get_or_insert(heard);
        }
        first.unwrap_or(Heard::NoServer)
    }

    async fn locate(&self, uri: &str) -> Result<Vec<Target<'static>>, Heard> {
        let Some(uri) = Uri::parse(uri.as_bytes()) else { return Err(Heard::NoServer) };
        for _ in 0..ROUNDS {
            let Step::Ask(ask) = self.look(&uri, false, &mut Vec::new()) else { break };
            self.put(ask).await;
        }
        let mut targets = Vec::new();
        match self.look(&uri, true, &mut targets) {
            Step::Done(LocateResult::Found(_)) => Ok(targets),
            Step::Done(LocateResult::Nothing | LocateResult::Denied) => Err(Heard::NoServer),
            // Our DNS is in trouble: that says nothing about the gateway.
            Step::Done(LocateResult::Failed(_)) | Step::Ask(_) => Err(Heard::Unasked),
        }
    }

    fn look(&self, uri: &Uri<'_>, gives_up: bool, targets: &mut Vec<Target<'static>>) -> Step<LocateResult> {
        let (cache, now_ms) = (self.cache(), self.now_ms());
        let how = How {
            dns: if gives_up { DnsView::giving_up(&cache, now_ms) } else { DnsView::new(&cache, now_ms) },
            policy: &self.settings.dns_policy,
            draw: 0,
            within_ms: crate::limits::LOOKUP_MS_DEFAULT,
            questions_max: QUESTIONS_PER_REQUEST_MAX,
        };
        locate(uri, &how, &mut |located| {
            if let Located::Target(target) = located.into_owned() {
                targets.push(target);
            }
        })
    }

    /// All at once, as a call does.
    async fn put(&self, ask: Ask) {
        let mut under_way = tokio::task::JoinSet::new();
        for question in ask.questions {
            let resolver = self.resolver.clone();
            under_way.spawn(async move { resolver.answer(question).await });
        }
        while let Some(answered) = under_way.join_next().await {
            if let Ok((question, answer)) = answered {
                let now_ms = self.now_ms();
                self.cache().insert(question, answer, now_ms);
            }
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl std::fmt::Debug for Asking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asking").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}
