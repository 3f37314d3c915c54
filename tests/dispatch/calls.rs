//! Calls to lists of routes, and what becomes of them.

use std::net::{IpAddr, SocketAddr};

use proptest::{prelude::*, sample::select};
use waypost::{
    decide::{Arrival, Context, Scratch, Settings, Silence, Trace, Verdict, decide},
    dns::{Cache, DnsView},
    limits::ANSWER_BYTES_ROOM,
    route::{Down, RouteId, RouteTable, Transport},
};

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) number: String,
    /// Behind the number.
    pub(crate) user_params: &'static str,
    pub(crate) host: String,
    pub(crate) uri_params: &'static str,
    pub(crate) from: &'static str,
    /// Header lines.
    pub(crate) headers: &'static str,
    pub(crate) source: IpAddr,
    pub(crate) listener: &'static str,
    pub(crate) transport: Transport,
    /// The name in the certificate of its sender.
    pub(crate) certificate: Option<&'static str>,
    pub(crate) hour: i64,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            method: "INVITE",
            number: "+4411".to_owned(),
            user_params: "",
            host: "a.example.net".to_owned(),
            uri_params: "",
            from: "+44200004321",
            headers: "",
            source: "192.0.2.1".parse().expect("an address"),
            listener: "core",
            transport: Transport::Udp,
            certificate: None,
            hour: 12,
        }
    }
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Played {
    pub(crate) verdict: Verdict,
    pub(crate) answer: String,
    pub(crate) route: Option<RouteId>,
}

pub(crate) fn request(call: &Call) -> String {
    let Call { method, number, user_params, host, uri_params, from, headers, .. } = call;
    format!(
        "{method} sip:{number}{user_params}@{host}{uri_params} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKa\r\nFrom: <sip:{from}@b.example.net>;tag=1\r\n\
         To: <sip:{number}@{host}>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n{headers}\r\n"
    )
}

pub(crate) fn play_with<T: Trace>(
    table: &RouteTable,
    call: &Call,
    settings: &Settings,
    down: &Down,
    trace: &mut T,
) -> Played {
    play_knowing(&Cache::new(), table, call, (settings, down), trace)
}

/// The same with what DNS has told.
pub(crate) fn play_knowing<T: Trace>(
    cache: &Cache,
    table: &RouteTable,
    call: &Call,
    (settings, down): (&Settings, &Down),
    trace: &mut T,
) -> Played {
    let names: Option<[Box<str>; 1]> = call.certificate.map(|name| [name.into()]);
    let arrival = Arrival {
        source: SocketAddr::new(call.source, 5060),
        local: "192.0.2.99:5060".parse().expect("an address"),
        listener: call.listener,
        transport: call.transport,
        identity: names.as_ref().map(|names| &names[..]),
    };
    let dns = DnsView::giving_up(cache, 0);
    let context =
        Context { settings, table, dns, unix_s: call.hour * 3600, draining: false, down, guess: None };
    let mut out = vec![0; ANSWER_BYTES_ROOM];
    let verdict = decide(request(call).as_bytes(), &arrival, &context, &mut Scratch::new(), trace, &mut out);
    let (len, route) = match &verdict {
        Verdict::Reply(reply) => (reply.len, reply.route),
        Verdict::Silence(Silence::Route(route)) => (0, Some(*route)),
        Verdict::Silence(_) | Verdict::Ask(_) => (0, None),
    };
    Played { verdict, answer: String::from_utf8_lossy(&out[..len]).into_owned(), route }
}

pub(crate) fn call() -> impl Strategy<Value = Call> {
    let uri = (
        select(vec!["INVITE", "MESSAGE", "JUMP"]),
        "(\\+44[12]{0,3}|\\+4|44[12]{2}|[12]{1,3}|0441[12]|%2B4411|alice|Alice)",
        select(vec![
            "",
            "",
            ";rn=+4411",
            ";rn=+44-22;npdi",
            ";tgrp=One;trunk-context=example.net",
            ";x=ab",
            ";npdi",
        ]),
        select(vec![
            "a.example.net",
            "A.Example.NET",
            "b.example.net",
            "c.b.example.org",
            "192.0.2.9",
            "[2001:db8::1]",
        ]),
        select(vec!["", ";x=AB", ";x"]),
    );
    let rest = (
        select(vec!["+4411", "+4412", "4421", "alice"]),
        select(vec![
            "",
            "P-Asserted-Identity: <sip:+4412@a.example.net>\r\n",
            "P-Asserted-Identity: <tel:+4421>\r\nX-A: One\r\n",
            "X-A: two\r\nX-A: one\r\n",
        ]),
        select(vec![
            "192.0.2.1",
            "192.0.2.130",
            "10.1.2.3",
            "::ffff:10.1.9.9",
            "2001:db8::7",
            "2001:db8:1::7",
        ]),
        select(vec!["core", "edge"]),
        select(vec![Transport::Udp, Transport::Tcp]),
        select(vec![None, Some("a.example.net"), Some("b.example.net")]),
        0..24_i64,
    );
    (uri, rest).prop_map(|((method, number, user_params, host, uri_params), rest)| {
        let (from, headers, source, listener, transport, certificate, hour) = rest;
        let source = source.parse().expect("an address");
        let host = host.to_owned();
        Call {
            method,
            number,
            user_params,
            host,
            uri_params,
            from,
            headers,
            source,
            listener,
            transport,
            certificate,
            hour,
        }
    })
}
