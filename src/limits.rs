//! Pure. Every bound of the server, with its unit and the reason for the number.
//!
//! A loop, queue, cache, size or time that has no limit here is a defect. Each has a test that reaches it.

/// Longest message read, in bytes. RFC 4475's longest request is 3.5 kB; real INVITEs with
/// Identity headers and SDP reach 6 kB. A UDP read uses a buffer one byte longer, so that a
/// truncated datagram is seen and not mistaken for a legal one.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Header lines in one message. A carrier's INVITE has 20 to 40, RFC 4475's `longreq` 62.
pub const HEADERS_MAX: usize = 128;

/// Requests that others are compared with, so that what is alike is not read again (see [`crate::sip::parse_like`]): those of
/// many peers, or of fewer whose requests have different lengths. 6 kB each.
pub const MODELS_MAX: usize = 32;

/// Those of one peer and one length of its first line.
pub const MODELS_PER_SET: usize = 4;

/// Longest head of one, in bytes: that of an INVITE with a PASSporT has 2 to 3 kB.
pub const MODEL_HEAD_BYTES_MAX: usize = 4 * 1024;

/// Most header lines of one.
pub const MODEL_LINES_MAX: usize = 64;

/// Requests that are like none of their set until one takes the place of the model that was met least of late: to learn one takes
/// as long as to read it.
pub const MODEL_MISSES_MAX: u16 = 32;

/// Via values in one message, counted over all lines: Max-Forwards starts at 70 (RFC 3261 §8.1.1.6).
pub const VIAS_MAX: usize = 70;

/// Room for one answer, in bytes: the longest request, whose Vias, From, To, Call-ID and CSeq are
/// echoed, and our own longest extra headers, Contact list and body. Below the longest UDP payload.
pub const ANSWER_BYTES_ROOM: usize = 62 * 1024;

/// Default budget of an answer on UDP, in bytes. RFC 3261 §18.1.1 keeps requests under the path MTU
/// by this figure; an answer cannot change to TCP, so ours drops its last Contacts instead.
pub const ANSWER_BYTES_DEFAULT: usize = 1300;

/// Contacts in one answer: what the peers that read our answers can hold (Kamailio, OpenSIPS, ClearIP: 12).
pub const CONTACTS_MAX: usize = 12;

/// Length of one rendered URI, in bytes, templates and percent-encoding included.
pub const URI_BYTES_MAX: usize = 1024;

/// Length of one rendered extra header value, in bytes. A PASSporT with its parameters is about 1 kB.
pub const HEADER_VALUE_BYTES_MAX: usize = 2048;

/// Extra headers a route may put on its answer.
pub const ANSWER_HEADERS_MAX: usize = 16;

/// Memory for the rendered values of one decision, in bytes: parameters, variables, Contacts, each up
/// to [`URI_BYTES_MAX`]. Routes that set the same ones over and over reach it; then a setting is
/// not made, and a Contact is not offered.
pub const SCRATCH_BYTES_MAX: usize = 128 * 1024;

/// Longest number or user part that is matched, in bytes. E.164 has 15 digits; routing numbers with
/// prefixes reach 32. A longer one matches nothing.
pub const NUMBER_BYTES_MAX: usize = 64;

/// Jumps between route lists in one decision. The loader rejects cycles; this holds if it errs.
pub const JUMPS_MAX: usize = 16;

/// Routes passed in one decision, over all lists, before the default refusal is given; the end of a list is
/// one. Those that the index of a list leaves out count as those that are looked at: what is answered does
/// not depend on it.
pub const ROUTES_EXAMINED_MAX: usize = 200_000;

/// Route files in one directory.
pub const ROUTE_FILES_MAX: usize = 256;

/// Size of one route file, in bytes. Numbers belong in tables, not in YAML.
pub const ROUTE_FILE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// YAML nodes in one route file, after aliases are expanded: what stops an alias bomb.
pub const YAML_NODES_MAX: usize = 1_000_000;

/// Nesting of conditions (`not`, `any`, `all`) and of YAML.
pub const NESTING_MAX: usize = 32;

/// Routes in one table, over all files and lists.
pub const ROUTES_MAX: usize = 100_000;

/// Beginnings of numbers under which a range is known to the index of a list: two digits at each end. More would
/// be closer, and take memory.
pub const KEYS_PER_RANGE_MAX: usize = 32;

/// Look-ups of one node of the index of a list: numbers have 15 lengths, networks and hosts fewer in use. Routes
/// that would need one more are looked at for every call.
pub const PROBES_MAX: usize = 48;

/// Look-ups one behind the other in the index of a list: routes are rarely told by more conditions.
pub const NODES_DEEP_MAX: usize = 4;

/// Keys of the index of a list, for each that its routes have: what nodes behind nodes may take of memory.
pub const KEYS_PER_CLAUSE_MAX: usize = 4;

/// Keys that one call may have at a time in the lists it walks. One that has more is decided by a look
/// at each route of the list.
pub const CURSORS_MAX: usize = 32;

/// Contacts that are made when routes are loaded, one for each value of a column that a Contact names; of all such Contacts together.
/// Beyond them a Contact is made call by call. Each takes some 130 bytes.
pub const COLUMN_CONTACTS_MAX: usize = 65_536;

/// Gateways in one table.
pub const GATEWAYS_MAX: usize = 20_000;

/// Members of one group, and targets of one answer before caps.
pub const GROUP_MEMBERS_MAX: usize = 256;

/// Number tables in one route table.
pub const TABLES_MAX: usize = 64;

/// Size of one file of a table, in bytes: 100 M rows of 40. None is held in memory.
pub const TABLE_FILE_BYTES_MAX: usize = 4 * 1024 * 1024 * 1024;

/// Columns of one number table.
pub const TABLE_COLUMNS_MAX: usize = 32;

/// Rows of a prefix table that share one prefix: in a rate deck 50 carriers, ten customers, and a price to come
/// for each. A lookup goes through all of them.
pub const ROWS_PER_PREFIX_MAX: usize = 1_024;

/// Messages a rejected reload prints; the rest is counted.
pub const DIAGNOSTICS_MAX: usize = 50;

/// Compiled size of one regular expression of a route file, in bytes.
pub const REGEX_BYTES_MAX: usize = 256 * 1024;

/// Listeners of one server.
pub const LISTENERS_MAX: usize = 32;

/// Workers of one server: what one machine's network card keeps busy, several times over. Each has its own
/// waiting room and DNS cache.
pub const WORKERS_MAX: usize = 64;

/// Datagrams read by one system call. 64 is where the measured gain of batching flattens
/// (`benches/README.md`).
pub const DATAGRAMS_PER_BATCH: usize = 64;

/// Datagrams asked for by a system call at least, however few there were the last time.
pub const DATAGRAMS_ASKED_MIN: usize = 8;

/// Batches one listener may take in one turn before the others are served: 16 × 64 datagrams are
/// about 5 ms of work at 5 µs each, so no listener waits longer than that for another one.
pub const BATCHES_PER_TURN_MAX: usize = 16;

/// Questions to DNS that one request may cause: an answer whose gateways are located takes up to
/// [`LOCATIONS_PER_ANSWER_MAX`] times five, and one location of a domain with many servers 31.
pub const QUESTIONS_PER_REQUEST_MAX: usize = 64;

/// Default time in which all lookups of a request must end, in milliseconds. Under T1 (500 ms,
/// RFC 3261 §17.1.1.1), so that we need no 100 Trying.
pub const LOOKUP_MS_DEFAULT: u64 = 400;

/// Longest time a route may allow for lookups, in milliseconds: T1.
pub const LOOKUP_MS_MAX: u64 = 500;

/// Datagrams that may wait for DNS at one time, of one worker.
pub const WAITING_MAX: usize = 4096;

/// Bytes of all waiting datagrams of one worker.
pub const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Answers kept in the DNS cache of one worker where the configuration says nothing.
pub const DNS_CACHE_ENTRIES_DEFAULT: usize = 65_536;

/// Fewest answers that a configuration may set for it: with fewer, one busy second would empty it.
pub const DNS_CACHE_ENTRIES_MIN: usize = 1_024;

/// Most answers that a configuration may set for it: 4 GB, as [`DNS_CACHE_ENTRY_BYTES`] has it.
pub const DNS_CACHE_ENTRIES_MAX: usize = 4_194_304;

/// Records kept of one DNS answer.
pub const DNS_RECORDS_MAX: usize = 64;

/// Questions under way at one time, of one worker.
pub const QUESTIONS_UNDER_WAY_MAX: usize = 4096;

const _: () = assert!(ANSWER_BYTES_DEFAULT < ANSWER_BYTES_ROOM);
const _: () = assert!(LOOKUP_MS_DEFAULT < LOOKUP_MS_MAX);
const _: () = assert!(2 * (USER_PARAMS_MAX + CONTACTS_MAX) * URI_BYTES_MAX < SCRATCH_BYTES_MAX);
const _: () = assert!(
    MESSAGE_BYTES_MAX + ANSWER_HEADERS_MAX * HEADER_VALUE_BYTES_MAX + CONTACTS_MAX * (URI_BYTES_MAX + 64)
        < ANSWER_BYTES_ROOM
);
const _: () = assert!(ANSWER_BYTES_ROOM <= 65_507);
const _: () = assert!(MESSAGE_BYTES_MAX <= u16::MAX as usize);

/// Different targets in the `to` column of one number table. A lookup compares each row found with
/// the targets found before it; decks have 5 to 50 carriers.
pub const CARRIERS_PER_TABLE_MAX: usize = 256;

/// Smallest budget of an answer that a route may set, in bytes: the head of a short redirect with one
/// Contact. Under it, every answer would lose all its Contacts.
pub const ANSWER_BYTES_MIN: usize = 300;

/// Length of a reason phrase, or of the text in the body of a 380, in bytes: it is read by people.
pub const REASON_BYTES_MAX: usize = 256;

/// Parameters in one part of a URI: user, URI parameters, headers. Comparing two URIs takes time in
/// the product of theirs; the richest routing URIs in use have about ten.
pub const URI_PARAMS_MAX: usize = 64;

/// User parameters, and variables, that the routes of one decision may set; what comes later is
/// ignored. RFC 4694 and RFC 4904 know seven.
pub const USER_PARAMS_MAX: usize = 32;
/// Longest `ask --timeout`, in milliseconds: Timer B (RFC 3261 §17.1.1.2), after which no client waits.
pub const ASK_TIMEOUT_MS_MAX: u64 = 32_000;

/// Calls of one `ask`. It is a tool to look with, not a load generator.
pub const ASK_COUNT_MAX: u32 = 1000;

/// Addresses of one host name that `ask` tries. A name for more is a mistake, and each may cost a timeout.
pub const ASK_ADDRESSES_MAX: usize = 8;

/// Contacts that `ask` reads of one answer: more than any server may send, far less than fit a datagram.
pub const ASK_CONTACTS_MAX: usize = 256;
/// Size of the server's configuration file and of a key file, in bytes. A full one is 2 kB.
pub const CONFIG_FILE_BYTES_MAX: usize = 1024 * 1024;

/// DNS servers of one configuration: a resolver asks them in turn, and no caller waits for a ninth.
pub const DNS_SERVERS_MAX: usize = 8;

/// Names of our own in one configuration: each Contact is compared with all of them.
pub const OWN_NAMES_MAX: usize = 64;

/// Length of the Server header's text and of a listener's name, in bytes: both cost room in every
/// answer or metric line.
pub const CONFIG_TEXT_BYTES_MAX: usize = 128;

/// All data files of one route table together, in bytes: what bounds the time of a load. They are not in memory;
/// the tables made of them take about a tenth.
pub const ROUTE_DATA_BYTES_MAX: usize = 16 * 1024 * 1024 * 1024;

/// Times a load begins again because its files changed under it. Writers pause sooner.
pub const LOAD_TRIES_MAX: usize = 5;

/// Reload requests that may wait for the load under way: all of them are answered by the next one.
pub const RELOADS_WAITING_MAX: usize = 64;

/// Old route tables kept until the loop has let go of them. The loop does so in its next turn, so
/// that more than one is rare; no table is loaded while there are this many.
pub const RETIRED_TABLES_MAX: usize = 4;

/// How long a reload waits for the loop to let go of an old table, in milliseconds.
pub const RETIRED_WAIT_MS_MAX: u64 = 5_000;

/// Time between two looks at the route files when no event of the file system came, in
/// milliseconds: what finds changes on network file systems and behind symbolic links.
pub const WATCH_POLL_MS: u64 = 5_000;

/// Quiet time after an event of the file system before the files are read, in milliseconds: an
/// editor's or kubelet's burst is over by then.
pub const WATCH_QUIET_MS: u64 = 50;

/// Longest delay of a reload by further events, in milliseconds: what is written all the time is
/// still read.
pub const WATCH_DELAY_MS_MAX: u64 = 500;

/// Connections the admin port serves at one time; the next waits in the kernel.
pub const ADMIN_CONNECTIONS_MAX: usize = 32;

/// Head of one admin request, in bytes. The least that the HTTP library takes is 8 kB.
pub const ADMIN_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Time for the head of an admin request to arrive, in milliseconds.
pub const ADMIN_HEAD_MS_MAX: u64 = 5_000;

/// Time for a whole admin request, in milliseconds: a reload of the largest tables fits.
pub const ADMIN_REQUEST_MS_MAX: u64 = 120_000;

/// Reloads that are remembered, for whoever asks what happened.
pub const RELOADS_KEPT_MAX: usize = 32;

/// Time for the body of an admin request to arrive, in milliseconds: calls to compare take a second on a slow line.
pub const ADMIN_BODY_MS_MAX: u64 = 10_000;

/// Body of an admin request, in bytes, where a resource says nothing else: a few words, or one SIP message in JSON,
/// whose bytes may each take six.
pub const ADMIN_BODY_BYTES_MAX: usize = 128 * 1024;

/// Size of the file of the admin port's token, in bytes.
pub const TOKEN_FILE_BYTES_MAX: usize = 4 * 1024;

/// Length of the token, in characters. `openssl rand -hex 32` makes 64.
pub const TOKEN_CHARS_MAX: usize = 256;

/// Fewest characters of a token: 16 that are drawn cannot be tried one by one.
pub const TOKEN_CHARS_MIN: usize = 16;

/// Seconds of the rates that are kept for plots: ten minutes, of some 200 bytes each.
pub const RATES_KEPT_S: usize = 600;

/// Routes in one answer of the admin port; the next ones come with the next request.
pub const ROUTES_SHOWN_MAX: usize = 10_000;

/// Routes in one answer where the request says nothing.
pub const ROUTES_SHOWN_DEFAULT: usize = 1_000;

/// Explanations that are made at one time.
pub const EXPLAINS_AT_ONCE_MAX: usize = 2;

/// Steps of a decision that one answer of the admin port tells; the rest is counted. Most decisions take a few dozen.
pub const STEPS_SHOWN_MAX: usize = 10_000;

/// How long `waypost ctl` waits for an answer, in milliseconds: as long as a server may take for one.
pub const CTL_MS_MAX: u64 = ADMIN_REQUEST_MS_MAX;

/// How long `waypost ctl` waits for a connection, in milliseconds.
pub const CTL_CONNECT_MS_MAX: u64 = 5_000;

/// Longest answer that `waypost ctl` reads, in bytes: ten thousand steps, routes or differing calls.
pub const CTL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Values of the label `route`; the routes after them are summed as `other`.
pub const ROUTE_LABELS_MAX: usize = 1_000;

/// Bytes read of /proc/net/udp and udp6 each, at a scrape: about 30,000 sockets.
pub const PROC_NET_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = assert!(ADMIN_HEAD_BYTES_MAX >= 8 * 1024);
const _: () = assert!(WATCH_QUIET_MS < WATCH_DELAY_MS_MAX && WATCH_DELAY_MS_MAX < WATCH_POLL_MS);
/// Kernel receive buffer asked for each UDP socket, in bytes. The kernel charges a short INVITE
/// about 1.3 kB, so 4 MiB hold a stall of 100 ms at 30,000 requests/s. The kernel grants no more
/// than `net.core.rmem_max`, silently; see the drops it counts.
pub const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Longest answer that leaves with others by UDP segmentation, in bytes. A piece must fit into a packet of its
/// interface, and 1,452 bytes do on Ethernet with IPv6.
pub const TRAIN_ANSWER_BYTES_MAX: usize = 1452;

/// Bytes of answers that leave as one by UDP segmentation: the longest UDP payload of IPv4 is 65,507.
pub const TRAIN_BYTES_MAX: usize = 65_000;

/// Spaces put into an answer so that it is as long as those it leaves with. Answers to one peer differ by its own
/// headers and the names of gateways.
pub const TRAIN_PADDING_BYTES_MAX: usize = 64;

/// Peers whose answers are gathered in one batch, looked for from the last one back. A routing tier talks to few
/// proxies.
pub const TRAINS_LOOKED_AT_MAX: usize = 16;

/// Batches sent without UDP segmentation after the kernel refused it, for a path with small packets or an interface
/// without checksums: about a second under full load.
pub const TRAIN_PAUSE_BATCHES: u32 = 4096;

/// Peers with a socket that is connected to them, of each worker. A routing tier talks to few proxies.
pub const CONNECTED_PEERS_MAX: usize = 32;

/// Answers after which a peer gets one, and after which it is tried again: connecting takes as long as ten answers.
pub const CONNECTED_AFTER_ANSWERS: u32 = 8192;

/// Answers of a batch to one peer that are worth a system call by its connected socket. It begins to pay with the first.
pub const CONNECTED_ANSWERS_MIN: usize = 2;

/// Memory for the answers of one batch, in bytes: 2 KiB each, which is above the default budget of
/// an answer, and room for one of the longest. Longer answers leave in more than one system call.
pub const OUT_ARENA_BYTES: usize = DATAGRAMS_PER_BATCH * 2048 + ANSWER_BYTES_ROOM;

/// How long the loop stands still for a full send buffer, in milliseconds, once per batch: the
/// default buffer (208 KiB) drains through a 1 Gbit/s link in 2 ms.
pub const SEND_WAIT_MS_MAX: u16 = 5;

/// Pause before a socket is read again that gave nothing but errors for a whole turn, in
/// milliseconds: the loop must not spin, and 10 ms of datagrams fit into the receive buffer.
pub const RECEIVE_TROUBLE_PAUSE_MS: u64 = 10;
/// Memory of the DNS cache for each answer that it may keep, in bytes, as the cache counts it; a common
/// answer takes half of it. An answer of [`DNS_RECORDS_MAX`] full NAPTRs takes 50 kB.
pub const DNS_CACHE_ENTRY_BYTES: usize = 1_024;

/// Entries that one eviction may pass over because they were asked for again: what bounds its time.
pub const DNS_SECOND_CHANCES_MAX: usize = 64;

/// Shortest life of a cached answer, in seconds: 64·T1 (RFC 3261 §17.1.1.2), so that the retransmissions
/// of the INVITE that asked find the answer it found. A later INVITE may see it end between two of its
/// own; RFC 3263 §4.4 allows for that. Some ENUM providers send TTL 0.
pub const DNS_TTL_S_MIN: u32 = 32;

/// Longest life of a cached answer, in seconds: a day. Some ENUM providers send ten days for numbers
/// that are ported every day.
pub const DNS_TTL_S_MAX: u32 = 86_400;

/// Longest life of a cached "nothing", in seconds (RFC 2308 §5): a number that is provisioned now
/// works in five minutes.
pub const DNS_NEGATIVE_TTL_S_MAX: u32 = 300;

/// Life of a cached failure, in seconds (RFC 9520 §3.2: at least 1 s, at most 5 min): a dead server
/// costs a name one lookup in this time. Shorter than 64·T1 on purpose: a call that a dead server
/// refused may go through at its next retransmission.
pub const DNS_FAILURE_TTL_S: u32 = 5;

/// Life of the failure that is our own, in seconds: more questions than the resolver takes.
pub const DNS_OVERFLOW_TTL_S: u32 = 1;

/// Repetitions that a NAPTR's expression may ask for: RE_DUP_MAX of POSIX.
pub const NAPTR_REPEAT_MAX: u32 = 255;

/// Time for a DNS server to answer before it is asked once more, in milliseconds: a far recursive server
/// needs 100. The first try stays under way.
pub const DNS_TRY_MS: u64 = 160;

/// Tries of the same server after the first one: a lost packet is made good inside [`LOOKUP_MS_DEFAULT`].
pub const DNS_RETRIES: usize = 1;

/// Time for one question with all its tries, in milliseconds. Less than [`LOOKUP_MS_DEFAULT`], so that
/// a dead server is known, and remembered, before the requests that wait for it give up.
pub const DNS_QUESTION_MS_MAX: u64 = 350;

/// UDP payload we let DNS servers send, in bytes: fits the path MTU everywhere (DNS flag day 2020).
pub const DNS_PAYLOAD_BYTES: u16 = 1232;

/// DNS servers asked at one time for one question, on average: some may be with more while others are with
/// one.
pub const DNS_SERVERS_AT_ONCE: usize = 2;

/// Questions of all workers that are with the DNS servers at one time. Each takes a socket for each server asked, of
/// the 1024 files that a process may have open by default.
pub const DNS_LOOKUPS_MAX: usize = 400;

/// Servers read of /etc/resolv.conf: MAXNS of the C library.
pub const RESOLV_CONF_SERVERS_MAX: usize = 3;

/// Size of /etc/resolv.conf, in bytes. A full one is 300 bytes.
pub const RESOLV_CONF_BYTES_MAX: u64 = 64 * 1024;

const _: () = assert!(LOOKUP_MS_MAX < DNS_OVERFLOW_TTL_S as u64 * 1000);
const _: () = assert!(DNS_OVERFLOW_TTL_S <= DNS_FAILURE_TTL_S && DNS_FAILURE_TTL_S < DNS_TTL_S_MIN);
const _: () = assert!(DNS_TTL_S_MIN < DNS_NEGATIVE_TTL_S_MAX && DNS_NEGATIVE_TTL_S_MAX < DNS_TTL_S_MAX);
const _: () = assert!(DNS_TRY_MS * (DNS_RETRIES as u64 + 1) < DNS_QUESTION_MS_MAX);
const _: () = assert!(DNS_QUESTION_MS_MAX < LOOKUP_MS_DEFAULT);
const _: () =
    assert!(DNS_LOOKUPS_MAX * DNS_SERVERS_AT_ONCE < 1024 && DNS_LOOKUPS_MAX < QUESTIONS_UNDER_WAY_MAX);

/// SRV targets whose addresses one location looks up, as many as an answer has Contacts; fewer when an answer
/// has many locations, which share [`QUESTIONS_PER_REQUEST_MAX`] evenly. So the list is the same for the first
/// request and for its retransmission, which finds the answers in the cache.
pub const SRV_TARGETS_RESOLVED_MAX: usize = CONTACTS_MAX;

/// Services of one domain's NAPTR records that a location looks at: there are three that a call can use.
pub const NAPTR_SERVICES_MAX: usize = 4;

// NAPTR, the SRV records of its services and of UDP and TCP, two addresses of each server.
const _: () = assert!(1 + NAPTR_SERVICES_MAX + 2 + 2 * SRV_TARGETS_RESOLVED_MAX <= QUESTIONS_PER_REQUEST_MAX);

/// Hosts of one answer that are located, for `locate` and for gateways with `resolve`: as many as it has
/// Contacts. Each has the questions that it needs at least: NAPTR, two SRV, two addresses.
pub const LOCATIONS_PER_ANSWER_MAX: usize = CONTACTS_MAX;

const _: () = assert!(5 * LOCATIONS_PER_ANSWER_MAX <= QUESTIONS_PER_REQUEST_MAX);

/// NAPTR records of one number whose expression is tried: more than an answer has Contacts.
pub const NAPTR_TRIED_MAX: usize = 16;

/// Scrapes of the metrics under way at one time, each on a thread of its own for the milliseconds that
/// it takes: a pair of Prometheus servers. The next waits.
pub const SCRAPES_AT_ONCE_MAX: usize = 2;

const _: () = assert!(SCRAPES_AT_ONCE_MAX < ADMIN_CONNECTIONS_MAX);

/// Expressions of one NAPTR answer that are compiled, the best ones, those of the plain form not
/// counted; the records after them are passed over. It is done between two datagrams, once for each
/// answer, and a number has one to four records.
pub const NAPTR_COMPILATIONS_MAX: usize = 8;

/// Connections that wait in the kernel to be accepted, per listener; the kernel grants no more than
/// `net.core.somaxconn` (4096 by default).
pub const CONNECTIONS_BACKLOG: i32 = 1024;

/// Most connections, TCP and TLS together, that a configuration may allow: each takes a file
/// descriptor and, idle, about 1 kB; with TLS about 20 kB.
pub const CONNECTIONS_MAX: usize = 65_536;

/// Connections where the configuration says nothing.
pub const CONNECTIONS_DEFAULT: usize = 16_384;

/// Connections of one source (an IPv4 address, an IPv6 /64) with one worker where the configuration says nothing: a
/// routing tier talks to few peers, each with few connections.
pub const CONNECTIONS_PER_SOURCE_DEFAULT: usize = 1024;

/// How long a connection may be without a message where the configuration says nothing, in seconds.
/// RFC 5626 §4.4.1 has clients ping every two minutes or less.
pub const CONNECTION_IDLE_S_DEFAULT: u64 = 600;

/// Longest time without a message that a configuration may allow, in seconds: a day.
pub const CONNECTION_IDLE_S_MAX: u64 = 86_400;

/// Time that one message may take from its first byte to its last, and a TLS handshake from the
/// connection on, in milliseconds. Longer than a lost segment takes to be sent again some times.
pub const MESSAGE_MS_MAX: u64 = 10_000;

/// Answers of one connection that its peer has not taken yet, in bytes. While there are more, no
/// request of it is read; an answer that waited for DNS and finds no room ends the connection.
pub const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// Time without progress in which answers that were written for a peer may stand, in milliseconds.
pub const UNSENT_MS_MAX: u64 = 10_000;

/// Time that a peer has to end a connection of which we have ended our side, in milliseconds: closed
/// sooner, the last answer could be lost by a reset.
pub const LINGER_MS_MAX: u64 = 1_000;

/// Connections accepted of one listener in one turn: a flood of them keeps nobody else waiting.
pub const ACCEPTS_PER_TURN_MAX: usize = 64;

/// Connections served in one turn, each with up to [`MESSAGES_PER_VISIT_MAX`] messages; what the
/// datagrams get is [`BATCHES_PER_TURN_MAX`].
pub const VISITS_PER_TURN_MAX: usize = 64;

/// Messages of one connection answered in one visit before the others have their turn.
pub const MESSAGES_PER_VISIT_MAX: usize = 16;

/// Bytes read of a connection by one system call.
pub const STREAM_READ_BYTES: usize = 16 * 1024;

/// System calls that read one connection in one visit: what bounds the work that a peer makes with
/// TLS records or empty lines that are no message.
pub const READS_PER_VISIT_MAX: usize = 8;

/// Events taken of the kernel by one system call; the others come in the next turn.
pub const EVENTS_PER_TURN_MAX: usize = 256;

const _: () = assert!(CONNECTIONS_DEFAULT <= CONNECTIONS_MAX);
const _: () = assert!(CONNECTION_IDLE_S_DEFAULT <= CONNECTION_IDLE_S_MAX);
const _: () = assert!(STREAM_READ_BYTES <= MESSAGE_BYTES_MAX);

/// Size of one PEM file of TLS, in bytes: a bundle of all public issuers takes 220 kB.
pub const TLS_FILE_BYTES_MAX: usize = 1024 * 1024;

/// File descriptors that the server may need besides those of connections and listeners: sockets to DNS servers, the
/// admin port, files being read.
pub const FILES_BESIDES_CONNECTIONS: usize = 1024;

const _: () =
    assert!(DNS_LOOKUPS_MAX * DNS_SERVERS_AT_ONCE + 2 * ADMIN_CONNECTIONS_MAX < FILES_BESIDES_CONNECTIONS);

/// How long after its end an answer of DNS is kept for the case that no server gives a newer one, in
/// seconds, where the configuration says nothing: three hours, longer than most outages are.
pub const DNS_STALE_S_DEFAULT: u32 = 10_800;

/// Longest time that a configuration may set for it, in seconds: three days (RFC 8767 §4 recommends one to
/// three).
pub const DNS_STALE_S_MAX: u32 = 3 * 86_400;

/// Time between two attempts to refresh a stale answer, in seconds (RFC 8767 §5: 30 s).
pub const DNS_STALE_RETRY_S: u32 = 30;

/// Questions that may wait to be asked again for nobody in particular. They are put in the same turn.
pub const DNS_REFRESHES_WAITING_MAX: usize = 256;

/// Time after which the answer to a question must have been lost, in milliseconds: the resolver says
/// something within [`DNS_QUESTION_MS_MAX`]. Then the question can be asked again.
pub const QUESTION_LOST_MS: u64 = 1_000;

const _: () = assert!(DNS_QUESTION_MS_MAX < QUESTION_LOST_MS && LOOKUP_MS_MAX < QUESTION_LOST_MS);

/// Names on the way from a number to a terminal NAPTR, its own included: after five non-terminal records
/// (RFC 6116 §5.2.1: zones should need no more) the sixth name has the terminal one.
pub const NAPTR_HOPS_MAX: usize = 6;

/// Ranges in each of `dns: deny_answers` and `allow_answers`. Every address that DNS gives is compared with
/// all of them.
pub const DNS_RANGES_MAX: usize = 64;

/// Apexes of one ENUM lookup: each may cost a question.
pub const ENUM_APEXES_MAX: usize = 8;

const _: () = assert!(ENUM_APEXES_MAX <= QUESTIONS_PER_REQUEST_MAX);
/// Length of a NAPTR's substitution expression, in bytes: a character-string of DNS (RFC 1035 §3.3).
pub const NAPTR_EXPRESSION_BYTES_MAX: usize = 255;

/// Nodes of the tree of a NAPTR's ERE, which takes about one for each byte: what bounds its memory, of
/// 32 bytes each, and the time of a match, which is that of the nodes.
pub const NAPTR_NODES_MAX: usize = 256;

/// Longest subject of a NAPTR's ERE that is not of the plain form, in bytes: one place fewer than a word
/// has bits. A number has 16; the URN of RFC 3403 §6.1 has 38.
pub const NAPTR_SUBJECT_BYTES_MAX: usize = 63;

const _: () = assert!(NAPTR_NODES_MAX > NAPTR_EXPRESSION_BYTES_MAX);

/// Looks at the loop's DNS cache, for `explain --live`, that may stand in line: as many as the admin port
/// serves connections.
pub const CACHE_LOOKS_WAITING_MAX: usize = ADMIN_CONNECTIONS_MAX;

/// Looks at the DNS cache answered in one turn of the loop, each a search for a few names. What is left has
/// the next turn.
pub const CACHE_LOOKS_PER_TURN_MAX: usize = 8;

/// How long the admin port waits for the loop to look into its cache, in milliseconds. A turn takes five.
pub const CACHE_LOOK_MS_MAX: u64 = 1_000;

/// Servers and lives of ENUM apexes under which one name is looked for in the cache, where the caller does
/// not say whose it is.
pub const CACHE_LOOK_UPSTREAMS_MAX: usize = 16;

/// Time for the admin port of a server to answer all questions of one `explain --live`, in milliseconds.
pub const LIVE_MS_MAX: u64 = 10_000;

/// Answer of the admin port that `explain --live` reads, in bytes: that with the most and longest records
/// that the cache keeps of one question, each byte of them escaped.
pub const LIVE_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(CACHE_LOOK_MS_MAX < LIVE_MS_MAX && CACHE_LOOKS_PER_TURN_MAX <= CACHE_LOOKS_WAITING_MAX);

/// Longest `--within` of `enum` and `locate`, in milliseconds. No call waits so long; a person may.
pub const TOOL_WITHIN_MS_MAX: u64 = 32_000;

/// Routes with `enum:` that `waypost enum` goes through. A table for more has many of one kind.
pub const TOOL_ENUM_ROUTES_MAX: usize = 16;
/// DNS servers known at one time, of the configuration and of all apexes. One more takes the place of
/// one that was not asked for [`DNS_SERVER_IDLE_MS`], or its questions are not asked.
pub const DNS_UPSTREAM_SERVERS_MAX: usize = 256;

/// Time in which a DNS server is not asked before it may be forgotten, in milliseconds.
pub const DNS_SERVER_IDLE_MS: u64 = 60_000;

/// Longest time that is waited for one DNS server, in milliseconds. Less than 333: then hickory would send
/// the question again on its own.
pub const DNS_SERVER_MS_MAX: u64 = 330;

/// Shortest time after which a second DNS server is asked beside the first, in milliseconds: below it
/// there is only the noise of the scheduler.
pub const DNS_HEDGE_MS_MIN: u64 = 10;

/// The same time for a server whose round trip is not known yet, in milliseconds.
pub const DNS_HEDGE_MS_DEFAULT: u64 = 50;

/// Questions in a row to one DNS server without any answer, after which it is checked and, when it does
/// not answer that either, held to be dead. Also answers in a row that answer nothing (REFUSED, SERVFAIL)
/// after which the other servers are asked first.
pub const DNS_SILENCES_MAX: u32 = 3;

/// Pause before a dead DNS server is tried again, in milliseconds; it doubles with each try. Also the
/// longest pause while no other server is alive: a server that is back is seen in a second.
pub const DNS_DOWN_MS_MIN: u64 = 1_000;

/// Longest pause before a dead DNS server is tried again, in milliseconds.
pub const DNS_DOWN_MS_MAX: u64 = 30_000;

/// Time after which a DNS server that others are faster than is measured again, in milliseconds.
pub const DNS_REMEASURE_MS: u64 = 10_000;

/// Apexes with a histogram of their own in the metrics; the rest are one.
pub const DNS_APEX_LABELS_MAX: usize = 64;

const _: () = assert!(DNS_HEDGE_MS_MIN < DNS_HEDGE_MS_DEFAULT && DNS_HEDGE_MS_DEFAULT < DNS_TRY_MS);
const _: () = assert!(DNS_TRY_MS < DNS_SERVER_MS_MAX && DNS_SERVER_MS_MAX < DNS_QUESTION_MS_MAX);
const _: () = assert!(DNS_DOWN_MS_MIN < DNS_DOWN_MS_MAX && DNS_QUESTION_MS_MAX < DNS_DOWN_MS_MIN);
const _: () = assert!(DNS_SERVERS_MAX < DNS_UPSTREAM_SERVERS_MAX && DNS_SERVERS_AT_ONCE >= 2);

/// Longest row of a table's file, in bytes without quotes and separators, and most cells of one. A row of
/// 32 columns has a few hundred; a quote that is not closed makes the rest of the file one row.
pub const TABLE_ROW_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of a table's file when it is decompressed: 100 M rows of 160 bytes. It is the content that
/// takes time, and a compressed file may have a thousand times its size.
pub const TABLE_BYTES_MAX: usize = 16 * 1024 * 1024 * 1024;

/// Rows of one number table, those that repeat another one counted: four times the numbers of a large country. Each takes
/// some 24 bytes while the table is made, so that a small file which decompresses to a large one takes 10 GB at most.
pub const TABLE_ROWS_MAX: u32 = 400_000_000;

/// Bytes of a table's file read at a time.
pub const TABLE_PIECE_BYTES: usize = 256 * 1024;

/// Memory that a zstd file may ask for, in bytes: what `zstd --long=27`, the largest that its own decoder takes
/// unasked, needs.
pub const ZSTD_WINDOW_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Errors of one file after which the rest of it is not read: only the first [`DIAGNOSTICS_MAX`] are shown, and
/// a file with so many is wrong from end to end.
pub const TABLE_ERRORS_MAX: usize = 10_000;

/// Files of changes of one table. Daily changes are that of two months; each is read after a restart.
pub const TABLE_CHANGES_MAX: usize = 64;

/// Changes in one file of them, which are in memory until the table is made. A country moves some ten thousand
/// numbers a day.
pub const TABLE_CHANGED_ROWS_MAX: u64 = 2_000_000;

/// Pause between two lines of the log about a table that is being read, in milliseconds.
pub const PROGRESS_MS: u64 = 5_000;

/// Rows of a number table that are shown because an earlier one has the same key or overlaps it, of each
/// sort; the rest is only counted.
pub const TWINS_SHOWN_MAX: usize = 20;
/// Calls that a comparison of two route tables shows whole. Each takes some kB: two answers in words.
pub const DIFF_SHOWN_MAX: usize = 10_000;

/// The same where nobody says how many: what a person reads.
pub const DIFF_SHOWN_DEFAULT: usize = 10;

/// Pairs of an old and a new route that a comparison counts apart; the calls of others are counted together.
pub const DIFF_PAIRS_MAX: usize = 10_000;

/// Lines and packets of a comparison that are no calls and are told with their place.
pub const DIFF_SKIPPED_SHOWN_MAX: usize = 10;

/// Length of one line of a list of calls, in bytes: a Request-URI is part of a message.
pub const DIFF_LINE_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// Length of one block of a capture, in bytes: libpcap's own longest packet of 256 kB, and what stands
/// around it.
pub const DIFF_PACKET_BYTES_MAX: usize = 320 * 1024;

/// Interfaces in one section of a capture: a machine has some dozens. Packets of further ones are no calls.
pub const DIFF_INTERFACES_MAX: usize = 1024;

/// Length of a list of calls sent to the admin port, in bytes: two million numbers.
pub const DIFF_BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Comparisons that the admin port runs at once: each builds a whole table beside the one in service.
pub const DIFFS_AT_ONCE_MAX: usize = 1;

/// Ranges and prefixes of a number table around one range; deeper ones are left out as conflicts. Prefixes
/// alone are at most 16 deep.
pub const NESTED_RANGES_MAX: usize = 64;

/// Numbers that are looked for ahead in a table at one time: as many as the reads of memory that a processor has under way, or a few
/// more.
pub const NUMBERS_AHEAD_MAX: usize = 16;

/// Tables that are looked ahead in for each message.
pub const TABLES_AHEAD_MAX: usize = 4;

/// From this size on, in bytes, a table is looked ahead in: smaller ones are in the caches of a processor as it is.
pub const TABLE_AHEAD_FROM_BYTES: usize = 1024 * 1024;

/// From this size on, in bytes, the DNS cache is looked ahead in.
pub const CACHE_AHEAD_FROM_BYTES: usize = 256 * 1024;

/// From this size on, in bytes, words of number tables have a mapping of their own, which goes back to the
/// system with them. Smaller ones are not worth one.
pub const WORDS_MAPPED_FROM_BYTES: usize = 256 * 1024;

/// Up to this size, in bytes, a number table is of huge pages from the moment it is written: what that takes more of memory is at
/// most a few pages. A larger one has them once the system has gathered what was written.
pub const WORDS_HUGE_AT_ONCE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest wait for the old route tables to be gone before the next one is loaded, in milliseconds: the
/// loop lets go of them in its next turn. Two tables of carrier size are in memory then, not three.
pub const RETIRED_GRACE_MS: u64 = 100;

/// Default time for which calls are answered after the server was told to end, in seconds, while probes say
/// that it will: Kubernetes takes a pod out of its lists within a second or two, and a proxy that probes every few seconds
/// has seen it. `docker stop` kills after 10 s: the rest is for what is left then.
pub const LAME_DUCK_S_DEFAULT: u64 = 5;

/// Longest such time, in seconds: who waits longer has forgotten.
pub const LAME_DUCK_S_MAX: u64 = 3600;

/// Time in which the program that replaces us must say that it is ready, in milliseconds: it reads all tables first, and a
/// hundred million numbers take a minute.
pub const REPLACEMENT_READY_MS_MAX: u64 = 300_000;

/// Time in which the server that we replace must let go, in milliseconds. It is only systemd that waits for it.
pub const REPLACEMENT_RELEASE_MS_MAX: u64 = 10_000;

/// Sockets that are handed down to one server: each listener of each worker, and the admin port.
pub const HANDED_SOCKETS_MAX: usize = LISTENERS_MAX * WORKERS_MAX + 1;

/// Size of all files of one table that is kept for a start without, in bytes: those of [`ROUTE_FILES_MAX`] route files of
/// the usual size, and of number tables as large as memory holds them.
pub const LAST_GOOD_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Places that the sandbox allows by name, and entries of a routes directory among which links are looked for. A server
/// names some ten; each is a descriptor for a moment, and a comparison when a file is opened.
pub const SANDBOX_PLACES_MAX: usize = 256;
/// Messages that one worker may have shown to those who look on (HEP, decision log, top talkers) and that they have
/// not looked at yet; what is to be shown beyond is dropped and counted. They look within [`TAP_PAUSE_MS`], in which
/// 200,000 requests a second are 400.
pub const TAP_RECORDS: usize = 512;

/// The same while only the top talkers are counted, of which every 32nd message is enough.
pub const TAP_RECORDS_OF_TOP: usize = 64;

/// Bytes of one such message and its answer together; what is longer is shown cut. An INVITE of a carrier has 1 to 3 kB,
/// an answer by default 1.3 kB.
pub const TAP_RECORD_BYTES: usize = 8 * 1024;

/// Bytes of the message in it, so that there is room for an answer.
pub const TAP_REQUEST_BYTES_MAX: usize = 6 * 1024;

/// Bytes of the name of its route; route files have names of up to 64.
pub const TAP_ROUTE_BYTES_MAX: usize = 128;

/// Pause of those who look on between two looks while messages come, in milliseconds: so the loop need not wake them
/// for each one.
pub const TAP_PAUSE_MS: u64 = 2;

/// Most calls of which one is shown, and most messages of which one is counted.
pub const SAMPLE_ONE_IN_MAX: u32 = 1_000_000;

/// Messages of which one is counted for the top talkers where the configuration says nothing: it costs an answer
/// 1 % of its time, and a hundred calls a second are enough for a picture in a minute.
pub const TOP_ONE_IN_DEFAULT: u32 = 32;

/// Keys that are counted in each list of top talkers. A key with more than one in so many messages is among them
/// for sure (Metwally's SpaceSaving).
pub const TOP_KEYS_MAX: usize = 256;

/// Length of a source, number or domain in the list of top talkers, in bytes; a longer one is counted by its
/// beginning.
pub const TOP_KEY_BYTES_MAX: usize = 64;

/// Time that the list of top talkers looks back, in milliseconds; it moves on by halves.
pub const TOP_WINDOW_MS: u64 = 600_000;

/// Top talkers of each list that are shown where nobody says how many.
pub const TOP_SHOWN_DEFAULT: usize = 10;

/// Most top talkers of each list that are shown.
pub const TOP_SHOWN_MAX: usize = 100;

/// Length of the key that Homer may ask for, in bytes.
pub const HEP_KEY_BYTES_MAX: usize = 128;

/// Length of one value in a line of the decision log, in bytes of the message; a longer one is cut.
pub const DECISION_VALUE_BYTES_MAX: usize = 128;

const _: () = assert!(TAP_RECORDS_OF_TOP <= TAP_RECORDS && TAP_REQUEST_BYTES_MAX < TAP_RECORD_BYTES);
const _: () = assert!(TOP_ONE_IN_DEFAULT <= SAMPLE_ONE_IN_MAX && TOP_SHOWN_MAX <= TOP_KEYS_MAX);
const _: () = assert!(TOP_KEY_BYTES_MAX >= NUMBER_BYTES_MAX);

/// Gateways of one table that are probed: at the default interval they are a hundred probes a second, which the
/// control thread has time for.
pub const GATEWAYS_PROBED_MAX: usize = 2_000;

/// Probes under way at one time, each with one socket: with dead gateways only and the default timeout, 64 a second.
/// The next one waits for its turn.
pub const PROBES_UNDER_WAY_MAX: usize = 128;

/// Longest time between two probes of a gateway, in seconds: an hour.
pub const PROBE_INTERVAL_S_MAX: u32 = 3_600;

/// Shortest time that a probe waits for its answer, in milliseconds: a gateway on the other side of the world needs
/// 300.
pub const PROBE_TIMEOUT_MS_MIN: u32 = 100;

/// Longest time that a probe waits for its answer, in milliseconds: Timer F (RFC 3261 §17.1.2.2).
pub const PROBE_TIMEOUT_MS_MAX: u32 = 32_000;

/// Probes in a row after which a gateway is down, or up again: an operator who wants more wants a longer interval.
pub const PROBES_IN_A_ROW_MAX: u32 = 20;

/// Addresses of one gateway that one probe tries, one after the other: the first that is alive will do.
pub const PROBE_ADDRESSES_MAX: usize = 4;

/// Gateways with a metric of their own; where more are probed or marked, there is none for any.
pub const GATEWAY_LABELS_MAX: usize = 500;

const _: () = assert!(PROBES_UNDER_WAY_MAX <= GATEWAYS_PROBED_MAX && GATEWAYS_PROBED_MAX <= GATEWAYS_MAX);
const _: () = assert!(
    DNS_LOOKUPS_MAX * DNS_SERVERS_AT_ONCE + 2 * ADMIN_CONNECTIONS_MAX + PROBES_UNDER_WAY_MAX
        < FILES_BESIDES_CONNECTIONS
);
/// Longest manifest of a source, in bytes: [`SOURCE_FILES_MAX`] files and what stands around them. It is also
/// the longest value that a NATS server takes by default.
pub const SOURCE_MANIFEST_BYTES_MAX: usize = 1024 * 1024;

/// Files of one manifest: all route files, and tables with their changes.
pub const SOURCE_FILES_MAX: usize = 1_024;

/// All files of one manifest together, in bytes: the most route files, and the most that their tables may
/// have.
pub const SOURCE_BYTES_MAX: usize = ROUTE_DATA_BYTES_MAX + ROUTE_FILES_MAX * ROUTE_FILE_BYTES_MAX;

/// Length of a path in a manifest, in bytes: the longest name of a file system, for all of its parts.
pub const SOURCE_PATH_BYTES_MAX: usize = 255;

/// Length of the URL of a source, in bytes. Signed URLs of object stores reach 1.5 kB.
pub const SOURCE_URL_BYTES_MAX: usize = 2048;

/// Keys that may sign manifests: the one in use and the one to come, of two publishers.
pub const SOURCE_KEYS_MAX: usize = 4;

/// Time between two looks at a source where the configuration says nothing, in seconds.
pub const SOURCE_EVERY_S_DEFAULT: u64 = 30;

/// Longest time between two looks that a configuration may set, in seconds: a day.
pub const SOURCE_EVERY_S_MAX: u64 = 86_400;

/// Pause after the first look at a source that failed, in milliseconds; it doubles with each one more.
pub const SOURCE_RETRY_MS_MIN: u64 = 1_000;

/// Longest pause after a look at a source that failed, in milliseconds: a node that was cut off is back with
/// the others a minute after its network is.
pub const SOURCE_RETRY_MS_MAX: u64 = 60_000;

/// Time for a connection to a source, in milliseconds.
pub const SOURCE_CONNECT_MS_MAX: u64 = 5_000;

/// Time for a whole manifest, and for the beginning of a file, in milliseconds.
pub const SOURCE_ANSWER_MS_MAX: u64 = 10_000;

/// Slowest that a file may come, in bytes a second over its length: a day of the largest would be too long,
/// and a link as slow as this one carries no calls.
pub const SOURCE_BYTES_PER_S_MIN: u64 = 64 * 1024;

/// Pause between two pings to a NATS server, in milliseconds: two that stay without an answer end the connection, and a
/// new one is made.
pub const SOURCE_PING_MS: u64 = 5_000;

/// Redirects followed for one request to a source.
pub const SOURCE_REDIRECTS_MAX: usize = 4;

/// Sets of fetched files on disk: the one in service, and the one before it or the one that was refused.
pub const SOURCE_SETS_MAX: usize = 2;

const _: () = assert!(SOURCE_RETRY_MS_MIN < SOURCE_RETRY_MS_MAX);
const _: () = assert!(SOURCE_FILES_MAX * (SOURCE_PATH_BYTES_MAX + 128) < SOURCE_MANIFEST_BYTES_MAX);

/// Default of `amplification_max`, in thousandths: bytes that a source which no access list names may get over UDP for a
/// thousand of its own. An answer echoes most of its request and adds a Contact or three: an INVITE with SDP gets less
/// than it has, and one without, or OPTIONS, somewhat more.
pub const AMPLIFICATION_MILLI_DEFAULT: u32 = 1500;

/// Least value of `amplification_max`, in thousandths: below it, not even a refusal has room.
pub const AMPLIFICATION_MILLI_MIN: u32 = 1000;

/// Greatest value of `amplification_max`, in thousandths: more is as good as `off`.
pub const AMPLIFICATION_MILLI_MAX: u32 = 100_000;

/// Access lists of all route files: a set of them is one word.
pub const ACCESS_LISTS_MAX: usize = 64;

/// Networks of all access lists. A list of all networks of a continent has some ten thousand, one of abusers a
/// hundred thousand; this many take 20 MB.
pub const ACCESS_ENTRIES_MAX: usize = 400_000;

/// Size of one file of an access list, in bytes: that of [`ACCESS_ENTRIES_MAX`] long lines with a remark.
pub const ACCESS_FILE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Errors of one file of an access list after which the rest of it is not read: no more findings are shown.
pub const ACCESS_FAULTS_MAX: usize = DIAGNOSTICS_MAX;

const _: () = assert!(ACCESS_LISTS_MAX <= u64::BITS as usize);

/// Users of one realm: a carrier's interconnections are some hundred, a company's phones ten thousand.
pub const USERS_MAX: usize = 100_000;

/// Time in which one call is challenged with the same nonce, in seconds. Longer than a client of UDP waits between two
/// retransmissions (RFC 3261 §17.1.1.2), so that most of them get the same bytes.
pub const DIGEST_STEP_S: i64 = 16;

/// Time after its step for which a nonce is taken, in seconds. A person may have to type a password; longer, and
/// more time is left to send a response again that was overheard.
pub const DIGEST_LIFE_S: i64 = 304;

/// Length of a realm, in bytes.
pub const REALM_BYTES_MAX: usize = 64;

const _: () = assert!(DIGEST_LIFE_S % DIGEST_STEP_S == 0);

/// Messages a second, and at once, of one source or of all: more than any machine answers.
pub const RATE_PER_S_MAX: u32 = 1_000_000;

/// Sources whose buckets are kept by each worker: a mebibyte and a half. More ask at a time only when most are forged, and
/// those have a packet each.
pub const SOURCES_MAX: usize = 65_536;

/// Buckets among which one source has its place: a line or two of the cache.
pub const SOURCES_PER_SET: usize = 4;

const _: () = assert!(SOURCES_MAX.is_multiple_of(SOURCES_PER_SET));

/// The part of a budget that is kept for emergency calls and listed peers, one in so many; those who only say that they are
/// an emergency get at half of it.
pub const BUDGET_RESERVE_SHARE: u32 = 4;

/// Least burst of a budget, of each worker's share as well: with less, its reserve would be all of it.
pub const BUDGET_BURST_MIN: u32 = 8;

/// From when on a datagram that waited in the socket is old, in milliseconds, where the configuration says nothing: half of
/// T1 (RFC 3261 §17.1.1.1). Twice as old, its client has sent it again.
pub const QUEUE_AGE_MS_DEFAULT: u64 = 250;

/// The same, at most.
pub const QUEUE_AGE_MS_MAX: u64 = 10_000;

/// Older than this, a datagram is refused without a word, in milliseconds: T1, after which its client sends it again (RFC 3261
/// §17.1.1.2).
pub const QUEUE_AGE_MS_SILENT: u64 = 500;

/// The wall clock was set when it has moved by so much more or less than the other one between two batches, in milliseconds:
/// the default of `queue_age_ms`, below which it refuses nothing.
pub const CLOCK_STEP_MS: u64 = 250;

/// For so long it says nothing of how old a queue is, in milliseconds: more than a queue holds that moves.
pub const CLOCK_DISTRUST_MS: u64 = 2000;

/// Ages beyond are not believed, in milliseconds: 64 times T1, when every client has given up (RFC 3261 §17.1.1.2); it is the
/// clock that was set.
pub const QUEUE_AGE_MS_BELIEVED: u64 = 32_000;

/// The part of the time, one in so many, that goes to refusals of what is old: so much do answers lose at most.
pub const REFUSAL_TIME_SHARE: u64 = 32;

/// Time over which that part is taken, in nanoseconds.
pub const REFUSAL_TIME_NS_MEMORY: u64 = 1_000_000_000;

/// What a refused source is told to wait for at least, in seconds, where the configuration says nothing.
pub const RETRY_AFTER_S_DEFAULT: u32 = 5;

/// The same, at most.
pub const RETRY_AFTER_S_MAX: u32 = 3600;

/// Networks of `overload.networks`, gone through one by one for each message that would be refused; lists of more are for `access:`.
pub const OVERLOAD_NETWORKS_MAX: usize = 256;

/// Numbers of `overload.emergency`.
pub const EMERGENCY_NUMBERS_MAX: usize = 64;

/// Length of such a number, in bytes.
pub const EMERGENCY_NUMBER_BYTES_MAX: usize = 32;

/// Time over which the part of refused requests is counted, in milliseconds. What peers are told of it holds twice as long, so
/// that it does not end before it is told anew.
pub const OC_WINDOW_MS: u64 = 1000;

/// Greatest fraction of a sequence number (RFC 7339 §9: five digits).
pub const OC_SEQ_FRACTION_MAX: u32 = 99_999;

/// Names that are taken of one client certificate; more are passed over. A carrier's has one or two.
pub const CERTIFICATE_NAMES_MAX: usize = 8;

/// Length of one of them, in bytes; a longer one is passed over. No name of DNS is longer (RFC 1035 §2.3.4).
pub const CERTIFICATE_NAME_BYTES_MAX: usize = 255;
