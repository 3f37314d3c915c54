//! Outside. The metrics: every name, kind, label and help text, spelled once, here.
//!
//! In:    what the loop, the table and the reloader count.
//! Out:   Prometheus' text format, version 0.0.4.
//! Never: holds a number or an address of a caller in a label; costs the loop anything.

use prometheus::{Registry, TEXT_FORMAT, TextEncoder, process_collector::ProcessCollector};

mod collect;
mod dns;
mod drops;
mod gateways;
mod source;

pub use collect::Sources;
pub use drops::Drops;

/// The media type of [`Metrics::render`].
pub const MEDIA_TYPE: &str = TEXT_FORMAT;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The word of the text format.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Entry {
    pub name: &'static str,
    pub kind: Kind,
    /// In alphabetical order.
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

/// Every metric served, in the order of the README.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> {
    OURS.iter().chain(PROCESS).copied()
}

/// Makes one constant of each metric, and the list of all.
macro_rules! metrics {
    ($list:ident: $($id:ident = $kind:ident $name:literal $labels:tt $help:literal)*) => {
        $(pub(super) static $id: Entry = Entry { name: $name, kind: Kind::$kind, labels: &$labels, help: $help };)*
        static $list: &[&Entry] = &[$(&$id),*];
    };
}

metrics! { OURS:
    BUILD_INFO = Gauge "waypost_build_info" ["version"] "The version that runs; always 1."
    READY = Gauge "waypost_ready" [] "1 while calls should be sent here, 0 while they should not: what /readyz says."
    REQUESTS = Counter "waypost_requests_total" ["method", "transport"]
        "Messages received, by method (\"other\" for methods without a rule of their own, \"unreadable\" when there is none, or an access list had the message passed over)."
    ANSWERS = Counter "waypost_answers_total" ["code"] "Answers sent, by status code."
    ROUTE_ANSWERS = Counter "waypost_route_answers_total" ["route"]
        "Answers given by each route; beyond 1000 routes the rest counts as \"other\"."
    ACCESS = Counter "waypost_access_messages_total" ["list"]
        "Messages by the access list that decided on their source: those that were answered (refusals are answers, too) and those that its policy passes over; \"unknown\" are sources that no list names."
    SILENCES = Counter "waypost_silences_total" ["reason"] "Messages that were not answered, by reason."
    REFUSED = Counter "waypost_refused_requests_total" ["reason"]
        "Requests refused because their bytes are at fault, by reason; they are among the answers, too."
    OVERLOAD_REFUSED = Counter "waypost_overload_refused_total" ["reason"]
        "Messages refused so that the others are answered, by reason: their \"source\" or all together (\"budget\") asked more than they may, or they had waited too long (\"queue_age\"); they are among the answers (503) or the silences, too."
    OVERLOAD_OC = Gauge "waypost_overload_oc_percent" []
        "By how much peers that offer overload control (RFC 7339) are asked to send less: the part of requests that was refused in the last second; of several workers the greatest."
    QUEUE_AGE = Gauge "waypost_receive_queue_age_seconds" []
        "How long the oldest datagram that was last read had waited in its socket; of several workers the greatest."
    CONTACTS_TRIMMED = Counter "waypost_contacts_trimmed_total" []
        "Contacts left out because the answer would have had too many or been too long."
    CONTACTS_DROPPED = Counter "waypost_contacts_dropped_total" []
        "Contacts left out because they named ourselves, the Request-URI again, another Contact again, or were no URI."
    HEADERS_TRIMMED = Counter "waypost_headers_trimmed_total" []
        "Extra headers left out because they or the answer would have been too long."
    CAPPED = Counter "waypost_capped_answers_total" ["result"]
        "Answers over UDP that were too long for requests of sources that no access list names (amplification_max): \"shortened\" by headers that may be missing, or \"refused\" by 403; what was too long even then is among the silences, as \"amplification\"."
    DECISION_DURATION = Histogram "waypost_decision_duration_seconds" []
        "Time from a datagram to its answer's bytes; the first decision of each turn of the loop is timed."
    LOOP_BUSY = Counter "waypost_loop_busy_seconds_total" ["worker"]
        "Time in which each worker's loop did not sleep; its rate is the part of the time that the loop is busy, and at 1 it can take no more."
    TAP = Counter "waypost_tap_messages_total" ["result"]
        "Messages of the samples for HEP, the decision log and the top talkers: \"shown\" to them, or \"dropped\" since they were behind."
    HEP_PACKETS = Counter "waypost_hep_packets_total" ["result"]
        "HEP packets, \"sent\" or \"failed\": the socket did not take them, or nobody was at the address."
    WAITING = Gauge "waypost_waiting" [] "Messages that wait for DNS."
    DNS_WAITS = Counter "waypost_dns_waits_total" [] "Messages that had to wait for DNS."
    DNS_RETRANSMISSIONS = Counter "waypost_dns_retransmissions_total" []
        "Retransmissions of messages that waited for DNS: one answer is for both."
    DNS_GAVE_UP = Counter "waypost_dns_gave_up_total" ["reason"]
        "Messages decided without DNS, by reason: there was no room to wait (\"overflow\"), their time was over (\"timeout\"), they needed \"too_many_questions\"."
    DNS_QUESTIONS = Counter "waypost_dns_questions_total" [] "Questions put to DNS; what the cache knows is not asked."
    DNS_QUESTIONS_SHARED = Counter "waypost_dns_questions_shared_total" []
        "Questions not put because the same one was under way."
    DNS_QUESTIONS_FORGOTTEN = Counter "waypost_dns_questions_forgotten_total" []
        "Questions whose answer never came."
    DNS_QUESTIONS_UNDER_WAY = Gauge "waypost_dns_questions_under_way" [] "Questions that messages wait for."
    DNS_ANSWERS = Counter "waypost_dns_answers_total" ["result", "type"]
        "Answers to our questions, by result and record type; \"overflow\" is our own, for questions beyond what the resolver takes."
    DNS_QUESTION = Histogram "waypost_dns_question_seconds" ["apex"]
        "Time from a question to its answer, by apex; \"default\" are the servers of the configuration, and beyond 64 apexes the rest is \"other\". Compare with the `within` of the routes: what takes longer is decided without DNS."
    DNS_HEDGES = Counter "waypost_dns_hedges_total" []
        "Questions put to one more server because the one before had not answered in time; where they are more than a few in a hundred, see which server is slow."
    DNS_SERVER_UP = Gauge "waypost_dns_server_up" ["server"]
        "1 while a DNS server answers, 0 when it has not for some questions and a check; it is then tried now and then only. Alert on 0."
    DNS_SERVER_RTT = Gauge "waypost_dns_server_rtt_seconds" ["server"]
        "Smoothed time that a DNS server takes to answer, or is waited for; the fastest is asked first."
    DNS_CACHE_LOOKUPS = Counter "waypost_dns_cache_lookups_total" ["result"]
        "Look-ups in the DNS cache, by result: records that are \"fresh\" or \"stale\", that there are none (\"negative\"), that the servers did not say (\"failed\"), nothing (\"missed\"). Many stale or failed ones: the servers are in trouble; many missed ones: calls wait."
    DNS_REFRESHES = Counter "waypost_dns_refreshes_total" []
        "Questions put again, for no message in particular, before the end of their answer."
    DNS_EXPRESSIONS_MENDED = Counter "waypost_dns_expressions_mended_total" []
        "Expressions of NAPTR records that begin with ^+, as if the plus were escaped; they were read as they are meant. Tell the zone's owner: other servers refuse them."
    DNS_CACHE_ENTRIES = Gauge "waypost_dns_cache_entries" [] "Answers in the DNS cache, those past their time included."
    DNS_CACHE_BYTES = Gauge "waypost_dns_cache_bytes" [] "Memory that the answers in the DNS cache take."
    GATEWAY_UP = Gauge "waypost_gateway_up" ["gateway"]
        "1 while a gateway is offered, 0 while it is left out because it is down; of those that are probed or marked, none when they are more than 500."
    GATEWAYS_DOWN = Gauge "waypost_gateways_down" [] "Gateways that are left out because they are down. Alert on more than 0."
    GATEWAY_PROBES = Counter "waypost_gateway_probes_total" ["result"]
        "Probes of gateways by result; \"unasked\" is our own trouble and counts neither way."
    GATEWAY_CHANGES = Counter "waypost_gateway_changes_total" ["to"] "Gateways that turned down, or up again."
    SOCKET_DROPS = Counter "waypost_socket_drops_total" ["listener"]
        "Datagrams that the kernel dropped because the listener's receive buffer was full."
    SOCKET_QUEUE = Gauge "waypost_socket_receive_queue_bytes" ["listener"]
        "Memory of datagrams that wait in the listener's receive buffers now; near net.core.rmem_max, the next ones are dropped."
    SOCKET_ERRORS = Counter "waypost_socket_errors_total" ["kind"]
        "Trouble with sockets, by kind: a system call that failed, a datagram that was too long, an answer whose connection was gone."
    CONNECTIONS = Gauge "waypost_connections" ["transport"] "Connections open now, by transport."
    CONNECTIONS_OPENED = Counter "waypost_connections_opened_total" ["transport"] "Connections taken, by transport."
    CONNECTIONS_CLOSED = Counter "waypost_connections_closed_total" ["reason"]
        "Connections that ended, by reason: their \"peer\" ended them, a message of a \"slow_sender\" or the answers for a \"slow_reader\" took too long, the end of a message was not to be told (\"unframed\")."
    CONNECTIONS_REFUSED = Counter "waypost_connections_refused_total" ["reason"]
        "Connections not taken: there were as many as may be, in \"total\" or of one \"source\"."
    RELOADS = Counter "waypost_reloads_total" ["result"] "Reloads by result; the load at the start is not one."
    RELOAD_SUCCESSFUL = Gauge "waypost_reload_successful" [] "1 when the last load of the routes succeeded, 0 when it failed."
    RELOAD_SUCCESS_TIMESTAMP = Gauge "waypost_reload_success_timestamp_seconds" []
        "When the routes were last loaded, or found unchanged, in seconds since 1970."
    RELOAD_DURATION = Gauge "waypost_reload_duration_seconds" [] "How long the last reload took."
    LAST_KNOWN_GOOD = Gauge "waypost_routes_last_known_good" []
        "1 while the routes of before the start are served, since those of now gave no table; see the log. Alert on 1."
    SOURCE_SERIAL = Gauge "waypost_source_serial" []
        "Serial of the files in service, where they come from a source. Nodes of a fleet that differ for longer than their interval serve different routes: alert on that."
    SOURCE_PUBLISHED_TIMESTAMP = Gauge "waypost_source_published_timestamp_seconds" []
        "When those were published, by the publisher's clock, in seconds since 1970."
    SOURCE_SUCCESS_TIMESTAMP = Gauge "waypost_source_last_success_timestamp_seconds" []
        "When the source was last found to have what serves, in seconds since 1970; 0 before. Alert when it is old."
    SOURCE_FETCHES = Counter "waypost_source_fetches_total" ["result"]
        "Looks at the source, by result: files \"loaded\" or \"unchanged\"; source \"unreachable\"; \"bad_manifest\", \"bad_signature\", \"old_serial\", \"bad_file\": what it has is not taken; \"disk\": a local file; \"refused\": the routes do not load; \"busy\": another process fetches."
    TABLE_GENERATION = Gauge "waypost_table_generation" []
        "Generation of the route table in service: 1 at the start, one more for each table that differs."
    TABLE_INFO = Gauge "waypost_table_info" ["hash"] "SHA-256 of the files of the route table in service; always 1."
    TABLE_AGE = Gauge "waypost_table_age_seconds" [] "Time since the route table in service was loaded."
    TABLE_ROUTES = Gauge "waypost_table_routes" [] "Routes of the table in service."
    TABLE_ENTRIES = Gauge "waypost_table_entries" ["table"] "Rows of each number table in service."
    TABLE_BYTES = Gauge "waypost_table_bytes" ["table"] "Memory of each number table in service."
}

metrics! { PROCESS:
    PROCESS_CPU = Counter "process_cpu_seconds_total" [] "Total user and system CPU time spent in seconds."
    PROCESS_OPEN_FDS = Gauge "process_open_fds" [] "Number of open file descriptors."
    PROCESS_MAX_FDS = Gauge "process_max_fds" [] "Maximum number of open file descriptors."
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes" [] "Virtual memory size in bytes."
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" [] "Resident memory size in bytes."
    PROCESS_START = Gauge "process_start_time_seconds" [] "Start time of the process since unix epoch in seconds."
    PROCESS_THREADS = Gauge "process_threads" [] "Number of OS threads in the process."
}

/// The label value of routes beyond the limit.
const OTHER_ROUTES: &str = "other";

/// All metrics of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// The metrics of these sources and of the process.
    pub fn new(sources: Sources) -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(collect::Collected::new(sources)?))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { registry })
    }

    /// All of them, now.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let mut names = HashSet::new();
        for entry in catalogue() {
            let Entry { name, kind, labels, help } = *entry;
            assert!(names.insert(name), "{name} twice");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(name.starts_with("waypost_") || name.starts_with("process_"), "{name}");
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(labels.is_sorted(), "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}");
        }
    }

    #[test]
    fn the_help_tells_the_limit() {
        assert!(DNS_QUESTION.help.contains(&format!("beyond {} apexes", crate::limits::DNS_APEX_LABELS_MAX)));
        assert!(GATEWAY_UP.help.contains(&format!("more than {}.", crate::limits::GATEWAY_LABELS_MAX)));
        assert!(ROUTE_ANSWERS.help.contains(&format!("beyond {} routes", crate::limits::ROUTE_LABELS_MAX)));
    }
}
