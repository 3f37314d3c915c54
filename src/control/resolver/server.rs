//! Outside. One DNS server. Everything about hickory is in this file.
//!
//! In:    a name and a type.
//! Out:   what the server says, or that it stays silent for [`DNS_SERVER_MS_MAX`].
//! Never: caches (the engine does), reads the hosts file, tries a search list, asks twice.

use std::{net::SocketAddr, time::Duration};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};

use crate::{
    dns::{Answer, Failure, Kind, Naptr, Nothing, Question, Record, Srv},
    limits::{DNS_PAYLOAD_BYTES, DNS_SERVER_MS_MAX, QUESTIONS_UNDER_WAY_MAX},
};

/// Names of which the library does not ask (RFC 6761 §6.3, §6.4; RFC 7686), with what lies below them.
const NOT_ASKED: [&str; 3] = ["localhost.", "invalid.", "onion."];

/// A question as the library has it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    name: Name,
    kind: Kind,
}

/// One server.
pub(super) struct Server {
    first: TokioResolver,
    /// For the same question once more: a resolver sends one that is under way only once.
    again: TokioResolver,
}

/// Which try of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nth {
    First,
    Again,
}

impl Wanted {
    pub(super) fn new(question: &Question) -> Option<Self> {
        let name = Name::from_ascii(question.name()).ok()?;
        Some(Self { name, kind: question.kind() })
    }
}

/// Whether the answer says nothing of a server.
pub(super) fn is_not_asked(name: &str) -> bool {
    NOT_ASKED
        .iter()
        .any(|top| name.strip_suffix(top).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

impl Server {
    pub(super) fn new(address: SocketAddr) -> Result<Self, NetError> {
        Ok(Self { first: resolver(address)?, again: resolver(address)? })
    }

    pub(super) async fn ask(&self, wanted: &Wanted, nth: Nth) -> Answer {
        let resolver = match nth {
            Nth::First => &self.first,
            Nth::Again => &self.again,
        };
        match resolver.lookup(wanted.name.clone(), record_type(wanted.kind)).await {
            Ok(lookup) => found(wanted.kind, &lookup),
            Err(error) => not_found(&error),
        }
    }
}

fn resolver(address: SocketAddr) -> Result<TokioResolver, NetError> {
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server(address)]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    set_options(builder.options_mut());
    builder.build()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    // TCP for answers that do not fit a datagram.
    let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

fn set_options(options: &mut ResolverOpts) {
    options.timeout = Duration::from_millis(DNS_SERVER_MS_MAX);
    options.attempts = 0;
    options.num_concurrent_reqs = 1;
    options.max_active_requests = QUESTIONS_UNDER_WAY_MAX;
    options.edns0 = true;
    options.edns_payload_len = DNS_PAYLOAD_BYTES;
    // Random case in the question (0x20): one more thing that a forged answer has to guess.
    options.case_randomization = true;
    // The TTLs of CNAMEs on the way count too.
    options.preserve_intermediates = true;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::Naptr => RecordType::NAPTR,
        Kind::Srv => RecordType::SRV,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
    }
}

/// The records of the type asked for, in the order of the packet, with the lowest TTL on the way.
fn found(kind: Kind, lookup: &Lookup) -> Answer {
    let answers = lookup.answers();
    let ttl_s = answers.iter().map(|record| record.ttl).min().unwrap_or(0);
    let records: Vec<_> = answers.iter().filter_map(|answer| record(kind, &answer.data)).collect();
    match records.is_empty() {
        true => Answer::Nothing { why: Nothing::NoData, ttl_s },
        false => Answer::Found { records, ttl_s },
    }
}

fn record(kind: Kind, data: &RData) -> Option<Record> {
    match (kind, data) {
        (Kind::Naptr, RData::NAPTR(naptr)) => Some(Record::Naptr(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: naptr.flags.clone(),
            services: naptr.services.clone(),
            regexp: naptr.regexp.clone(),
            replacement: text(&naptr.replacement),
        })),
        (Kind::Srv, RData::SRV(srv)) => Some(Record::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: text(&srv.target),
        })),
        (Kind::A, RData::A(address)) => Some(Record::A(address.0)),
        (Kind::Aaaa, RData::AAAA(address)) => Some(Record::Aaaa(address.0)),
        _ => None,
    }
}

/// A name as [`crate::dns`] has names: in lower case, with its final dot.
fn text(name: &Name) -> Box<str> {
    let mut name = name.to_lowercase();
    name.set_fqdn(true);
    name.to_ascii().into()
}

/// Why there is no record: one place for what the library's errors mean to us.
fn not_found(error: &NetError) -> Answer {
    let failure = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            // RFC 2308 §5: the SOA says for how long. Without one, not at all: the cache's least.
            let ttl_s = none.negative_ttl.unwrap_or(0);
            match none.response_code {
                ResponseCode::NXDomain => return Answer::Nothing { why: Nothing::NxDomain, ttl_s },
                // RFC 2308 §2.2: without an SOA and with NS records it is a referral, not "no data".
                ResponseCode::NoError if none.soa.is_none() && none.ns.is_some() => Failure::Lame,
                ResponseCode::NoError => return Answer::Nothing { why: Nothing::NoData, ttl_s },
                code => failure_of(code),
            }
        }
        NetError::Dns(DnsError::ResponseCode(code)) => failure_of(*code),
        NetError::Busy => Failure::Overflow,
        // Ours: there are no more descriptors.
        NetError::Io(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
            Failure::Overflow
        }
        // Nobody was there to answer: an unreachable server is as silent as a dead one.
        NetError::Timeout | NetError::Io(_) | NetError::NoConnections => Failure::Timeout,
        _ => Failure::Malformed,
    };
    Answer::Failed(failure)
}

fn failure_of(code: ResponseCode) -> Failure {
    match code {
        ResponseCode::Refused => Failure::Refused,
        ResponseCode::NotAuth | ResponseCode::NotZone => Failure::Lame,
        _ => Failure::ServFail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_asked_are_known() {
        for (name, is) in [
            ("localhost.", true),
            ("a.localhost.", true),
            ("x.invalid.", true),
            ("b.onion.", true),
            ("notlocalhost.", false),
            ("invalid.example.", false),
            ("a.local.", false),
        ] {
            assert_eq!(is_not_asked(name), is, "{name}");
        }
    }
}
