//! Pure. One location under way: what it found so far, and what it must know before it can go on.

use std::{borrow::Cow, net::IpAddr};

use smallvec::SmallVec;

use super::{
    How, Target, TargetTransport,
    order::{mix, weighted_order},
    services::{NameRoom, Service, Services, of_domain, of_naptr},
};
use crate::{
    dns::{Failure, Kind, Question, Record, Seen, view::Wanted},
    limits::{CONTACTS_MAX, NAPTR_SERVICES_MAX, SRV_TARGETS_RESOLVED_MAX},
};

/// SRV questions of a sip: URI without NAPTR: UDP and TCP.
const DOMAIN_SERVICES: usize = 2;

/// A target, and whether the configuration lets it be used.
pub(super) struct Place<'h> {
    pub(super) target: Target<'h>,
    pub(super) is_admitted: bool,
}

pub(super) struct Search<'h> {
    how: &'h How<'h>,
    pub(super) places: SmallVec<[Place<'h>; CONTACTS_MAX]>,
    /// What is not known yet, and when to go on without it.
    pub(super) questions: Vec<Question>,
    pub(super) within_ms: u64,
    pub(super) failures: Vec<(Box<str>, Kind, Failure)>,
    /// SRV targets whose addresses were looked at.
    names: SmallVec<[&'h str; SRV_TARGETS_RESOLVED_MAX]>,
    names_max: usize,
    services_max: usize,
    /// Whether SRV records are asked for before it is known that there are no NAPTR records.
    asks_ahead: bool,
}

impl<'h> Search<'h> {
    pub(super) fn new(how: &'h How<'h>) -> Self {
        // NAPTR, SRV of the services, two addresses of each server: decided beforehand, not by what is left.
        let asks_ahead = how.questions_max >= 1 + 2 * DOMAIN_SERVICES + NAPTR_SERVICES_MAX + 4;
        let services_max = if asks_ahead { NAPTR_SERVICES_MAX } else { DOMAIN_SERVICES };
        let of_services = services_max + if asks_ahead { DOMAIN_SERVICES } else { 0 };
        let names_max = how.questions_max.saturating_sub(1 + of_services) / 2;
        Self {
            how,
            places: SmallVec::new(),
            questions: Vec::new(),
            within_ms: how.within_ms,
            failures: Vec::new(),
            names: SmallVec::new(),
            names_max: names_max.min(SRV_TARGETS_RESOLVED_MAX),
            services_max,
            asks_ahead,
        }
    }

    pub(super) fn add_numeric(
        &mut self,
        address: IpAddr,
        port: Option<u16>,
        transport: TargetTransport,
        host: &'h str,
    ) {
        // Whoever wrote the URI wrote the address: DNS has not said it.
        self.add(address, port, transport, host, true);
    }

    /// RFC 3263 §4.1: the services of NAPTR records; without a usable one those of each transport.
    pub(super) fn by_services(&mut self, host: &'h str, wanted: Option<TargetTransport>, is_secure: bool) {
        let of_domain = || of_domain(host, wanted, is_secure);
        if wanted.is_some() {
            return self.by_first_service(host, &of_domain());
        }
        // One lookup that fails must not take all others with it: NAPTR has half of the time.
        let naptr = self.look(host, Kind::Naptr, self.how.within_ms / 2);
        let mut services = match naptr {
            None => {
                // Most domains have no NAPTR records, and those of the others name the same SRV records.
                let ahead = if self.asks_ahead { of_domain() } else { Services::new() };
                for service in &ahead {
                    self.look_for_servers(service);
                }
                return;
            }
            Some(Seen::Found(records)) => of_naptr(records, is_secure),
            // §4.1: SRV questions follow when no NAPTR is found. One that failed counts as none: every domain
            // MUST keep the SRV records that clients of RFC 2543 ask for.
            Some(_) => Services::new(),
        };
        services.truncate(self.services_max);
        if services.is_empty() {
            self.by_first_service(host, &of_domain());
        } else {
            self.by_all_services(host, &services);
        }
    }

    /// The first of the services that leads somewhere.
    fn by_first_service(&mut self, host: &'h str, services: &[Service<'_>]) {
        self.by_srv(host, services, true);
    }

    /// All services, in the order of the domain's own choice.
    fn by_all_services(&mut self, host: &'h str, services: &[Service<'_>]) {
        self.by_srv(host, services, false);
    }

    fn by_srv(&mut self, host: &'h str, services: &[Service<'_>], only_first: bool) {
        let mut has_srv = false;
        for (service, after) in services.iter().zip(1..) {
            match self.look_for_servers(service) {
                // The others are asked for with it; what comes of them depends on what it leads to.
                None => {
                    for service in services.iter().skip(after) {
                        self.look_for_servers(service);
                    }
                    return;
                }
                Some(Seen::Found(records)) => {
                    has_srv = true;
                    self.by_srv_records(records, host, service.transport);
                }
                // One that failed is not one without records: the addresses of the name would be a guess.
                Some(Seen::Failed(_)) => has_srv = true,
                Some(Seen::Nothing(_) | Seen::Unknown) => {}
            }
            if only_first && self.places.iter().any(|place| place.is_admitted) {
                return;
            }
        }
        // RFC 3263 §4.2: "If no SRV records were found", the addresses of the name.
        if let Some(first) = services.first().filter(|_| !has_srv) {
            self.by_addresses(host, None, first.transport);
        }
    }

    fn by_srv_records(&mut self, records: &'h [Record], domain: &'h str, transport: TargetTransport) {
        let servers = records.iter().filter_map(|record| match record {
            // RFC 2782: a target of `.` says that there is no such service here.
            Record::Srv(srv) if &*srv.target != "." => Some(srv),
            _ => None,
        });
        for srv in weighted_order(servers.collect(), self.how.draw) {
            if self.is_full() {
                break;
            }
            let name = &*srv.target;
            if !self.names.contains(&name) {
                // What a first decision has no questions left for, a later one must not find either.
                if self.names.len() >= self.names_max {
                    continue;
                }
                self.names.push(name);
            }
            let before = self.places.len();
            self.by_addresses(name, Some(srv.port), transport);
            if transport == TargetTransport::Tls && !is_inside(name, domain) {
                self.keep_domain(domain, before);
            }
        }
    }

    /// Has the targets from `first` on asked for by the domain. RFC 3263 §4.1: the certificate must be valid
    /// for that, or whoever forges an SRV record leads the call to a name of his own. A Contact that named
    /// the server would have the client check that name only.
    fn keep_domain(&mut self, domain: &'h str, first: usize) {
        let domain = bare_name(domain);
        if self.places.iter().take(first).any(|place| place.is_admitted && place.target.name == domain) {
            self.places.truncate(first);
        }
        self.places.iter_mut().skip(first).for_each(|place| place.target.name.clone_from(&domain));
    }

    /// All addresses of a name, in the order of the families. One that cannot be had is left out.
    pub(super) fn by_addresses(&mut self, name: &'h str, port: Option<u16>, transport: TargetTransport) {
        let how = self.how;
        // The Contact of a TLS target carries its name, and the client may use any address of it.
        let is_name = transport == TargetTransport::Tls;
        let mut seen = SmallVec::<[Seen<'h>; 2]>::new();
        for family in &how.policy.addresses {
            seen.extend(self.look(name, family.kind(), how.within_ms));
            if is_name && how.policy.deny.is_empty() && matches!(seen.last(), Some(Seen::Found(_))) {
                break;
            }
        }
        let addresses = seen.into_iter().flat_map(|seen| addresses(seen, how.draw));
        if is_name {
            let (mut first, mut is_admitted) = (None, true);
            for address in addresses {
                first = first.or(Some(address));
                is_admitted = is_admitted && how.policy.admits(address);
            }
            if let Some(first) = first {
                self.add(first, port, transport, name, is_admitted);
            }
        } else {
            for address in addresses {
                self.add(address, port, transport, name, how.policy.admits(address));
            }
        }
    }

    fn add(
        &mut self,
        address: IpAddr,
        port: Option<u16>,
        transport: TargetTransport,
        name: &'h str,
        is_admitted: bool,
    ) {
        let same = self.places.iter().filter(|place| place.is_admitted == is_admitted).count();
        if same >= CONTACTS_MAX {
            return;
        }
        let name = bare_name(name);
        let port = port.unwrap_or_else(|| transport.default_port());
        self.places.push(Place { target: Target { address, port, transport, name }, is_admitted });
    }

    /// What is known of the SRV records of a service; `None` when they must be asked for.
    fn look_for_servers(&mut self, service: &Service<'_>) -> Option<Seen<'h>> {
        let mut room = NameRoom::new();
        self.look(service.name(&mut room), Kind::Srv, self.srv_within_ms())
    }

    /// What is known of a question; `None` when it must be asked.
    fn look(&mut self, name: &str, kind: Kind, within_ms: u64) -> Option<Seen<'h>> {
        let within_ms = within_ms.max(1);
        match self.how.dns.look_or_ask(Wanted { name, kind, upstream: None, within_ms }) {
            Ok(seen) => {
                if let Seen::Failed(failure) = seen {
                    let is_there = |(n, k, _): &(Box<str>, Kind, Failure)| **n == *name && *k == kind;
                    if !self.failures.iter().any(is_there) {
                        self.failures.push((name.into(), kind, failure));
                    }
                }
                Some(seen)
            }
            Err(question) => {
                self.within_ms = self.within_ms.min(within_ms);
                if !self.questions.contains(&question) {
                    self.questions.push(question);
                }
                None
            }
        }
    }

    /// SRV records must be there while addresses can still be asked for.
    fn srv_within_ms(&self) -> u64 {
        self.how.within_ms - self.how.within_ms / 4
    }

    fn is_full(&self) -> bool {
        self.places.iter().filter(|place| place.is_admitted).count() >= CONTACTS_MAX
    }
}

/// The addresses of an answer. The cache sorts them, so that all nodes see one order; the call says where to
/// begin.
fn addresses(seen: Seen<'_>, draw: u64) -> impl Iterator<Item = IpAddr> {
    let records = match seen {
        Seen::Found(records) => records,
        Seen::Nothing(_) | Seen::Failed(_) | Seen::Unknown => &[],
    };
    let start = usize::try_from(mix(draw) % records.len().max(1) as u64).unwrap_or(0);
    let (after, first) = records.split_at_checked(start).unwrap_or((records, &[]));
    first.iter().chain(after).filter_map(|record| match record {
        Record::A(address) => Some(IpAddr::V4(*address)),
        Record::Aaaa(address) => Some(IpAddr::V6(*address)),
        Record::Srv(_) | Record::Naptr(_) => None,
    })
}

/// Whether a server's name is the domain or inside it.
fn is_inside(server: &str, domain: &str) -> bool {
    let (server, domain) = (bare_name(server), bare_name(domain));
    server.strip_suffix(&*domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// In lower case, without final dot.
fn bare_name(name: &str) -> Cow<'_, str> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return bare.to_ascii_lowercase().into();
    }
    bare.into()
}
