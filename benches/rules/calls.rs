//! Calls to the rules, and a server that answers them.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use waypost::{
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Verdict, decide},
    dns::{Cache, DnsView},
    limits::ANSWER_BYTES_ROOM,
    route::{Down, RouteTable, Transport},
};

use crate::files::{Kind, address, host, prefix, side};

pub(crate) struct Request {
    bytes: Vec<u8>,
    source: SocketAddr,
    status: u16,
}

/// The request of a call: for a rule, or one in five for none.
pub(crate) fn request(kind: Kind, call: usize, count: usize) -> Request {
    let is_for_none = call % 5 == 4;
    // In no order: 7919 is a prime, and no factor of a count of rules.
    let rule = call * 7919 % count;
    let beyond = if is_for_none { count + 1 } else { 0 };
    let nobody = ("+4420".to_owned(), "example.org".to_owned(), [192, 0, 2, 1]);
    let (mut number, mut at, mut from) = nobody;
    let mut header = String::new();
    let is_by_header = kind == Kind::Mixed && rule % 100 == 50;
    let third = |which: usize| kind == Kind::Mixed && rule % 3 == which && !is_by_header;
    if is_by_header && !is_for_none {
        header = format!("X-Rule: r{rule}\r\n");
    }
    if kind == Kind::Number || third(0) {
        number = format!("{}55", prefix(rule + beyond));
    }
    if kind == Kind::Host || third(1) {
        at = host(rule + beyond);
    }
    if kind == Kind::Source || third(2) {
        // Numbers of the same parity are networks of the same kind.
        from = address(rule + 2 * beyond);
    }
    if kind == Kind::Grid {
        let side = side(count);
        number = format!("{}55", prefix(rule % side + beyond));
        from = address(rule / side);
    }
    let bytes = format!(
        "INVITE sip:{number}@{at};user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK{call};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+4420@example.net>;tag={call}\r\nTo: <sip:{number}@{at}>\r\nCall-ID: {call}@h\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:a@198.51.100.7>\r\n{header}Content-Length: 0\r\n\r\n"
    );
    let status = if is_for_none { 410 } else { 302 };
    Request { bytes: bytes.into_bytes(), source: SocketAddr::new(IpAddr::from(from), 5060), status }
}

pub(crate) struct Server {
    table: RouteTable,
    settings: Settings,
    cache: Cache,
    scratch: Scratch,
    out: Vec<u8>,
}

impl Server {
    pub(crate) fn new(table: RouteTable) -> Self {
        let (settings, cache) = (Settings::default(), Cache::new());
        Self { table, settings, cache, scratch: Scratch::new(), out: vec![0; ANSWER_BYTES_ROOM] }
    }

    pub(crate) fn forget_indices(&mut self) {
        self.table.dispatch.clear();
    }

    /// The best of five parts of the time, so that what else the machine does counts less.
    pub(crate) fn ns_per_answer(&mut self, calls: &[Request], figure_ms: u128) -> f64 {
        let mut best = f64::INFINITY;
        let mut next = 0;
        for _ in 0..5 {
            let start = Instant::now();
            let mut answered = 0_u32;
            while start.elapsed().as_millis() < figure_ms / 5 {
                for _ in 0..8 {
                    self.answer(&calls[next % calls.len()]);
                    next += 1;
                    answered += 1;
                }
            }
            best = best.min(start.elapsed().as_nanos() as f64 / f64::from(answered));
        }
        best
    }

    fn answer(&mut self, call: &Request) {
        let arrival = Arrival {
            source: call.source,
            local: "192.0.2.99:5060".parse().expect("an address"),
            listener: "default",
            transport: Transport::Udp,
            identity: None,
        };
        let context = Context {
            settings: &self.settings,
            table: &self.table,
            dns: DnsView::new(&self.cache, 0),
            unix_s: 0,
            draining: false,
            down: Down::NONE,
            guess: None,
        };
        let verdict = decide(&call.bytes, &arrival, &context, &mut self.scratch, &mut NoTrace, &mut self.out);
        let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
        assert_eq!(reply.status, call.status, "{}", String::from_utf8_lossy(&call.bytes));
    }
}
