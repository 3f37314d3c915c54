//! No weapon: one request, one answer, to the machine it came from; and no answer to an answer.

use std::net::UdpSocket;

use crate::{
    caller::{Caller, call_id, invite, request, status},
    harness::{KEY, Routes, Server, eventually},
};

const ROUTES: &str = "
gateways: { lon1: sip:sbc1.lon.example.net;transport=tcp }
routes: [ { name: all, answer: { contacts: [lon1] } } ]
";

const LONDON: &str = "sip:+442079460123@waypost.example.net";

/// A message that is answered for certain, after all that went before it: what has come by then is all that comes.
fn ping(caller: &Caller, server: &Server, call: &str) -> Vec<String> {
    let to = server.address();
    caller.send(to, request("OPTIONS", call, &format!("sip:{to}")));
    let mut before = Vec::new();
    loop {
        let (_, answer) = caller.receive();
        if call_id(&answer) == call {
            return before;
        }
        before.push(answer);
    }
}

#[test]
fn a_request_has_one_answer_whatever_its_vias_say() {
    let routes = Routes::of(ROUTES);
    let server = Server::start(routes.path(), KEY);
    let (caller, victim) = (Caller::here(), Caller::at("127.0.0.99"));
    let at = format!("127.0.0.99:{}", victim.port());
    let via = "Via: SIP/2.0/UDP proxy.example.net:5070;branch=z9hG4bKX;rport\r\n";
    for (case, vias) in [
        ("twice the same", via.repeat(2)),
        ("fifty", via.repeat(50)),
        ("one line", format!("{}, SIP/2.0/UDP {at};branch=z9hG4bKY;rport\r\n", via.trim_end())),
        ("maddr", format!("Via: SIP/2.0/UDP {at};maddr=127.0.0.99;branch=z9hG4bKX;rport\r\n")),
        ("received", format!("Via: SIP/2.0/UDP {at};received=127.0.0.99;branch=z9hG4bKX;rport\r\n")),
        ("rport of another", format!("Via: SIP/2.0/UDP {at};rport={};branch=z9hG4bKX\r\n", victim.port())),
        (
            "a name and a port",
            format!("Via: SIP/2.0/UDP localhost:{};branch=z9hG4bKX;rport\r\n", victim.port()),
        ),
        ("rport twice", format!("Via: SIP/2.0/UDP {at};branch=z9hG4bKX;rport;rport=9\r\n{via}")),
    ] {
        let call = case.replace(' ', "-");
        let message = invite(&call, LONDON);
        let own = message.split_inclusive("\r\n").nth(1).expect("its Via");
        caller.send(server.address(), message.replacen(own, &vias, 1));
        let answers = ping(&caller, &server, &format!("ping-{call}"));
        assert!(answers.len() <= 1, "{case}: {answers:#?}");
        assert!(victim.heard_nothing(), "{case}: somebody else was answered");
        // The last is a Via that nobody can read: 400 or nothing, once.
        assert!(
            case == "rport twice" || (answers.len() == 1 && status(&answers[0]) == 302),
            "{case}: {answers:#?}"
        );
    }
}

#[test]
fn without_rport_the_answer_goes_to_another_port_of_the_same_machine() {
    let routes = Routes::of(ROUTES);
    let server = Server::start(routes.path(), KEY);
    let (caller, other) = (Caller::here(), UdpSocket::bind("127.0.0.1:0").expect("a port"));
    let port = other.local_addr().expect("an address").port();
    // The address is a stranger's, the port counts (RFC 3261 §18.2.2, RFC 3581 §4).
    let own = "Via: SIP/2.0/UDP proxy.example.net:5070;branch=z9hG4bKa;rport\r\n";
    let message = invite("a", LONDON);
    assert!(message.contains(own), "{message}");
    caller.send(
        server.address(),
        message.replace(own, &format!("Via: SIP/2.0/UDP 127.0.0.99:{port};branch=z9hG4bKa\r\n")),
    );
    other.set_read_timeout(Some(crate::harness::PATIENCE)).expect("a timeout");
    let mut bytes = [0; 2048];
    let (len, from) = other.recv_from(&mut bytes).expect("the answer");
    assert_eq!(from, server.address());
    assert!(bytes[..len].starts_with(b"SIP/2.0 302 "), "{:?}", String::from_utf8_lossy(&bytes[..len]));
    assert_eq!(ping(&caller, &server, "ping"), [""; 0]);
}

#[test]
fn an_answer_has_no_answer() {
    let routes =
        Routes::of(&format!("defaults: {{ unknown: {{ policy: answer, malformed: answer }} }}\n{ROUTES}"));
    let server = Server::start(routes.path(), KEY);
    let caller = Caller::here();
    let lines = invite("a", LONDON).split_once("\r\n").expect("lines").1.to_owned();
    let mut sent: u32 = 0;
    let mut send = |bytes: String| {
        sent += 1;
        caller.send(server.address(), bytes);
    };
    for code in (100..=699).step_by(7).chain([0, 99, 700, 999]) {
        send(format!("SIP/2.0 {code:03} Whatever\r\n{lines}"));
    }
    // Sound or not: what begins as an answer is one.
    for start in [
        "SIP/2.0 200",
        "SIP/2.0 200 ",
        "SIP/2.0  200 OK",
        "SIP/2.0 abc OK",
        "SIP/2.0 20 OK",
        "SIP/3.0 200 OK",
        "sip/2.0 200 OK",
    ] {
        send(format!("{start}\r\n{lines}"));
        send(format!("\r\n\r\n{start}\r\n{lines}"));
        send(format!("{start}\r\n\r\n"));
        send(format!("{start}\r\nVia: SIP/2.0/UDP a;rport\r\nVia: nonsense\r\n{lines}"));
        send(start.to_owned());
    }
    // Its own ones come back to it.
    caller.send(server.address(), invite("b", LONDON));
    let (_, own) = caller.receive();
    send(own);
    assert_eq!(ping(&caller, &server, "ping"), [""; 0], "{sent} answers");
    let requests = 2.0;
    let sum = |family: &str| {
        let samples = server.samples();
        let of_it = samples.iter().filter(|(name, _)| name.starts_with(family));
        of_it.map(|(_, count)| *count).sum::<f64>()
    };
    // The counters follow the answers.
    eventually("all are counted", || sum("waypost_silences_total") >= f64::from(sent));
    assert!(sum(r#"waypost_silences_total{reason="response"}"#) >= 100.0, "{:?}", server.samples());
    assert_eq!(sum("waypost_answers_total"), requests);
}
