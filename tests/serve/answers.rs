//! What a caller gets back, byte for byte, and from where.

use std::net::SocketAddr;

use crate::{
    caller::{Caller, header, invite, request, status, to_tag},
    harness::{KEY, Routes, Server},
};

const ROUTES: &str = "
gateways:
  lon1: sip:sbc1.lon.example.net;transport=tcp
  lon2: sip:198.51.100.12:5070
routes:
  - name: london
    when: { number: \"+4420*\" }
    answer: { contacts: [lon1, lon2] }
  - answer: { code: 404 }
";

const LONDON: &str = "sip:+442079460123@waypost.example.net";

/// The whole answer to `invite("london", LONDON)`. Its To tag is SipHash-1-3 with [`KEY`], computed by
/// another implementation.
fn answer_to(ip: &str, port: u16) -> String {
    format!(
        "SIP/2.0 302 Moved Temporarily\r\n\
         Via: SIP/2.0/UDP proxy.example.net:5070;branch=z9hG4bKlondon;rport={port};received={ip}\r\n\
         From: <sip:+441632960001@proxy.example.net>;tag=a1\r\n\
         To: <sip:+442079460123@waypost.example.net>;tag=d0185b26dc8c9f29\r\n\
         Call-ID: london\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:+442079460123@sbc1.lon.example.net;transport=tcp>;q=0.99, \
         <sip:+442079460123@198.51.100.12:5070>;q=0.98\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn an_invite_gets_the_302_of_its_route_over_both_families() {
    let routes = Routes::of(ROUTES);
    let server = Server::start_on(&["udp:127.0.0.1:0", "udp:[::1]:0"], routes.path(), KEY);
    assert_eq!(server.listeners.len(), 2);
    for (address, ip) in server.listeners.iter().zip(["127.0.0.1", "::1"]) {
        let caller = Caller::at(ip);
        let answer = caller.ask(*address, &invite("london", LONDON));
        assert_eq!(answer, answer_to(ip, caller.port()));
        let elsewhere = caller.ask(*address, &invite("nowhere", "sip:+15555550100@waypost.example.net"));
        assert!(elsewhere.starts_with("SIP/2.0 404 Not Found\r\n"), "{elsewhere}");
    }
}

#[test]
fn a_wildcard_listener_answers_from_the_address_that_was_asked() {
    let routes = Routes::of(ROUTES);
    let server = Server::start_on(&["udp:0.0.0.0:0", "udp:[::]:0"], routes.path(), KEY);
    let [v4, v6] = server.listeners[..] else { panic!("{:?}", server.listeners) };
    for (ip, port, own) in [
        ("127.0.0.2", v4.port(), "127.0.0.1"),
        ("127.0.0.1", v4.port(), "127.0.0.3"),
        ("::1", v6.port(), "::1"),
    ] {
        let caller = Caller::at(own);
        // `ask` fails when the answer comes from anywhere else.
        let answer = caller.ask(SocketAddr::new(ip.parse().unwrap(), port), &invite("london", LONDON));
        assert_eq!(answer, answer_to(own, caller.port()));
    }
}

#[test]
fn routes_tell_listeners_apart() {
    let routes = Routes::of(
        "routes:\n\
         - {name: from the core, when: {listener: core}, answer: {code: 480}}\n\
         - {name: from the edge, when: {listener: edge}, answer: {code: 403}}\n",
    );
    let listen = ["edge=udp:127.0.0.1:0", "core=udp:127.0.0.1:0"];
    let server = Server::start_on(&listen, routes.path(), KEY);
    let caller = Caller::here();
    for (address, expected) in server.listeners.iter().zip([403, 480]) {
        assert_eq!(status(&caller.ask(*address, &invite("x", LONDON))), expected);
    }
}

#[test]
fn options_for_ourselves_are_answered_200() {
    let routes = Routes::of(ROUTES);
    let server = Server::start(routes.path(), KEY);
    let uri = format!("sip:{}", server.address());
    let answer = Caller::here().ask(server.address(), &request("OPTIONS", "ping", &uri));
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{answer}");
    assert!(header(&answer, "Allow").contains("INVITE"), "{answer}");
}

#[test]
fn an_answer_is_the_same_bytes_after_a_restart_and_from_another_server_with_the_key() {
    // Weighted, so that the draw shows, too.
    let text = "
gateways: { a: sip:a.example.net, b: sip:b.example.net, c: sip:c.example.net }
groups: { all: [{to: a, weight: 1}, {to: b, weight: 1}, {to: c, weight: 1}] }
routes: [{name: all, answer: {group: all}}]
";
    let (routes, same_routes) = (Routes::of(text), Routes::of(text));
    let caller = Caller::here();
    let answers = |server: &Server| -> Vec<String> {
        let answer = |call| caller.ask(server.address(), &invite(&format!("call-{call}"), LONDON));
        (0..50).map(answer).collect()
    };
    let first_server = Server::start(routes.path(), KEY);
    let first = answers(&first_server);
    assert_eq!(answers(&first_server), first, "from the same server");
    drop(first_server);
    assert_eq!(answers(&Server::start(routes.path(), KEY)), first, "after a restart");
    assert_eq!(answers(&Server::start(same_routes.path(), KEY)), first, "from another server");

    let others = answers(&Server::start(routes.path(), "key: 000102030405060708090a0b0c0d0e10\n"));
    assert!(first.iter().zip(&others).all(|(one, other)| to_tag(one) != to_tag(other)));
    let contacts = |answers: &[String]| answers.iter().map(|a| header(a, "Contact").to_owned()).collect();
    let (first, others): (Vec<_>, Vec<_>) = (contacts(&first), contacts(&others));
    assert_ne!(first, others, "the draw depends on the key");
}
