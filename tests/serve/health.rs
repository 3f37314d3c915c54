//! The health of gateways: real probes to real peers, an operator's marks, and what callers get meanwhile.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use hickory_resolver::proto::rr::RecordType;
use serde_json::{Value, json};
use waypost::{
    limits::PROBE_ADDRESSES_MAX,
    sip::{HeaderIndex, HeaderName, Method, Parsed, parse},
};

use crate::{
    caller::{Caller, header, invite},
    harness::{KEY, Routes, Server, eventually},
    names::{Names, Reply, a, srv},
    run,
    tls::{self, Issuer},
};

/// What a gateway does with an OPTIONS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Answer(u16),
    /// Nothing.
    Silence,
    /// Sends a 100 first.
    Provisional(u16),
    /// Answers somebody else's.
    OtherBranch,
    OtherCSeq,
    /// From another port.
    FromElsewhere,
    Garbage,
}

/// A gateway over UDP. It ends with its hold.
struct Gateway {
    address: SocketAddr,
    does: Arc<Mutex<Does>>,
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    fn start(does: Does) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut gateway = Self {
            address: socket.local_addr().unwrap(),
            does: Arc::new(Mutex::new(does)),
            asked: Arc::default(),
            answers: Arc::default(),
            stop: Arc::default(),
            thread: None,
        };
        let (does, asked) = (Arc::clone(&gateway.does), Arc::clone(&gateway.asked));
        let (answers, stop) = (Arc::clone(&gateway.answers), Arc::clone(&gateway.stop));
        let thread = thread::spawn(move || {
            let mut bytes = [0; 65_535];
            while !stop.load(Ordering::Relaxed) {
                let (len, from) = match socket.recv_from(&mut bytes) {
                    Ok(received) => received,
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                        continue;
                    }
                    Err(error) => panic!("{error}"),
                };
                let request = String::from_utf8(bytes[..len].to_vec()).unwrap();
                asked.lock().unwrap().push(request.clone());
                let does = *does.lock().unwrap();
                let send = |socket: &UdpSocket, text: String| {
                    socket.send_to(text.as_bytes(), from).unwrap();
                };
                match does {
                    Does::Silence => continue,
                    Does::Answer(code) => send(&socket, answer(&request, code)),
                    Does::Provisional(code) => {
                        send(&socket, answer(&request, 100));
                        send(&socket, answer(&request, code));
                    }
                    Does::OtherBranch => send(&socket, answer(&request, 200).replace("z9hG4bK", "z9hG4bKx")),
                    Does::OtherCSeq => send(&socket, answer(&request, 200).replace("CSeq: 1 ", "CSeq: 2 ")),
                    Does::FromElsewhere => send(&elsewhere, answer(&request, 200)),
                    Does::Garbage => send(&socket, "\0".to_owned()),
                }
                answers.fetch_add(1, Ordering::Relaxed);
            }
        });
        gateway.thread = Some(thread);
        gateway
    }

    fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// RFC 3261 §8.2.6: Via, From, To, Call-ID and CSeq of the request.
fn answer(request: &str, code: u16) -> String {
    let echoed = |name| format!("{name}: {}\r\n", header(request, name));
    let lines: String = ["Via", "From", "To", "Call-ID", "CSeq"].map(echoed).concat();
    format!("SIP/2.0 {code} X\r\n{lines}Content-Length: 0\r\n\r\n")
}

/// As fast as may be.
const FAST: &str = "probe: true, interval_s: 1, jitter: 0, timeout_ms: 200, failures: 2, successes: 2";

fn call(server: &Server, caller: &Caller) -> String {
    let said = caller.ask(server.address(), &invite("call", "sip:+44@waypost.example.net"));
    header(&said, "Contact").to_owned()
}

/// Until a call gets these Contacts; before it, it gets those.
fn until(server: &Server, caller: &Caller, before: &str, after: &str) {
    eventually(&format!("Contacts {after}"), || {
        let contacts = call(server, caller);
        assert!(contacts == before || contacts == after, "{contacts}");
        contacts == after
    });
}

#[test]
fn a_gateway_that_falls_silent_leaves_and_returns_when_it_has_answered_twice() {
    let gateway = Gateway::start(Does::Answer(200));
    let (mine, uri) = (gateway.address, format!("sip:{}", gateway.address));
    let routes = Routes::of(&format!(
        "gateways: {{ mine: {{ uri: '{uri}', health: {{ {FAST} }} }}, other: 'sip:other.example.net' }}\n\
         routes: [ {{ name: all, answer: {{ contacts: [ mine, other ] }} }} ]\n"
    ));
    let (mut server, caller) = (Server::start(routes.path(), KEY), Caller::here());
    let both = format!("<sip:+44@{mine}>;q=0.99, <sip:+44@other.example.net>;q=0.98");
    let one = "<sip:+44@other.example.net>;q=0.99";
    assert_eq!(call(&server, &caller), both, "a gateway is up until its probes say otherwise");
    eventually("a probe is answered", || {
        server.sample(r#"waypost_gateway_probes_total{result="alive"}"#) >= 1.0
    });

    gateway.now(Does::Silence);
    until(&server, &caller, &both, one);
    assert_eq!(server.sample(r#"waypost_gateway_up{gateway="mine"}"#), 0.0);
    assert_eq!(server.sample("waypost_gateways_down"), 1.0);
    assert!(
        !server.samples().contains_key(r#"waypost_gateway_up{gateway="other"}"#),
        "nobody knows of that one"
    );
    server.line_with("gateway mine is down: it does not answer, 2 probes in a row");

    gateway.answers.store(0, Ordering::Relaxed);
    gateway.now(Does::Answer(404));
    until(&server, &caller, one, &both);
    assert!(gateway.answers.load(Ordering::Relaxed) >= 2);
    server.line_with("gateway mine is up again: it answers 404, 2 probes in a row");
    let samples = server.samples();
    assert_eq!(samples[r#"waypost_gateway_changes_total{to="down"}"#], 1.0);
    assert_eq!(samples[r#"waypost_gateway_changes_total{to="up"}"#], 1.0);
    assert!(samples[r#"waypost_gateway_probes_total{result="silence"}"#] >= 2.0);
    let lines = server.log().iter().filter(|line| line.contains("gateway mine")).count();
    assert_eq!(lines, 2, "no line but for a change");

    let asked = gateway.asked.lock().unwrap();
    let mut index = HeaderIndex::new();
    let Parsed::Sound(request) = parse(asked[0].as_bytes(), &mut index) else { panic!("{}", asked[0]) };
    assert_eq!((request.method(), request.request_uri_bytes()), (Method::Options, uri.as_bytes()));
    assert!(request.top_via().branch.is_some_and(|branch| branch.starts_with(b"z9hG4bK")));
    assert_eq!(header(&asked[0], "Max-Forwards"), "70");
    assert_eq!(request.values(HeaderName::Via).count(), 1);
    let mut branches: Vec<_> = asked.iter().map(|request| header(request, "Via")).collect();
    branches.sort_unstable();
    branches.dedup();
    assert_eq!(branches.len(), asked.len(), "each probe is a transaction of its own");
}

#[test]
fn what_counts_as_alive_is_a_final_answer_to_this_very_request() {
    let kinds = [
        (Does::Answer(200), "alive"),
        (Does::Answer(483), "alive"),
        (Does::Provisional(404), "alive"),
        (Does::Answer(503), "not_alive"),
        (Does::Answer(408), "not_alive"),
        (Does::Answer(100), "silence"),
        (Does::OtherBranch, "silence"),
        (Does::OtherCSeq, "silence"),
        (Does::FromElsewhere, "silence"),
        (Does::Garbage, "silence"),
    ];
    let gateways: Vec<Gateway> = kinds.iter().map(|(does, _)| Gateway::start(*does)).collect();
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses = gateways.iter().map(|gateway| gateway.address).chain([nobody]);
    let lines = addresses.enumerate().map(|(nth, address)| format!("  g{nth}: 'sip:{address}'\n"));
    let (lines, names): (String, String) =
        (lines.collect(), (0..=kinds.len()).map(|nth| format!("g{nth}, ")).collect());
    let routes = Routes::of(&format!(
        "defaults: {{ health: {{ {FAST}, failures: 1 }} }}\ngateways:\n{lines}routes: [ {{ answer: {{ contacts: [ {names} ] }} }} ]\n"
    ).replace("failures: 2, ", ""));
    let server = Server::start(routes.path(), KEY);
    for (nth, (does, result)) in kinds.iter().enumerate() {
        let up = format!("waypost_gateway_up{{gateway=\"g{nth}\"}}");
        if *result == "alive" {
            let gateway = &gateways[nth];
            eventually(&format!("{does:?} was asked twice"), || gateway.asked.lock().unwrap().len() >= 2);
            assert_eq!(server.sample(&up), 1.0, "{does:?}");
        } else {
            server.until(&up, 0.0);
        }
    }
    server.until(&format!("waypost_gateway_up{{gateway=\"g{}\"}}", kinds.len()), 0.0);
    let samples = server.samples();
    for result in ["alive", "not_alive", "silence", "unreachable"] {
        assert!(samples[&format!("waypost_gateway_probes_total{{result=\"{result}\"}}")] >= 1.0, "{result}");
    }
    assert_eq!(samples[r#"waypost_gateway_probes_total{result="unasked"}"#], 0.0);
}

#[test]
fn a_lost_probe_is_sent_again_before_it_counts() {
    let gateway = Gateway::start(Does::Silence);
    let routes = Routes::of(&format!(
        "gateways: {{ mine: {{ uri: 'sip:{}', health: {{ probe: true, interval_s: 10, jitter: 0, timeout_ms: 10000, failures: 1, from: 'sip:ping@example.net', user: ping }} }} }}\n\
         routes: [ {{ answer: {{ contacts: [ mine ] }} }} ]\n",
        gateway.address
    ));
    let server = Server::start(routes.path(), KEY);
    eventually("the probe was sent three times", || gateway.asked.lock().unwrap().len() >= 3);
    gateway.now(Does::Answer(200));
    eventually("an answer", || server.sample(r#"waypost_gateway_probes_total{result="alive"}"#) == 1.0);
    let asked = gateway.asked.lock().unwrap();
    assert!(asked[1..3].iter().all(|again| *again == asked[0]), "RFC 3261 §17.1.2: the same bytes");
    assert!(asked[0].starts_with(&format!("OPTIONS sip:ping@{} SIP/2.0\r\n", gateway.address)));
    assert!(header(&asked[0], "From").starts_with("<sip:ping@example.net>;tag="));
    assert_eq!(header(&asked[0], "To"), "<sip:ping@127.0.0.1>");
    assert_eq!(server.sample(r#"waypost_gateway_up{gateway="mine"}"#), 1.0);
}

#[test]
fn an_operator_marks_gateways_and_a_reload_keeps_the_marks() {
    let text = |gateways: &str, contacts: &str| {
        format!(
            "gateways: {{ {gateways} }}\nroutes: [ {{ name: all, answer: {{ contacts: [ {contacts} ] }} }} ]\n"
        )
    };
    let (a, b) = ("a: sip:a.example.net", "b: sip:b.example.net");
    let routes = Routes::of(&text(&format!("{a}, {b}"), "a, b"));
    let (mut server, caller) = (Server::start(routes.path(), KEY), Caller::here());
    let both = "<sip:+44@a.example.net>;q=0.99, <sip:+44@b.example.net>;q=0.98";
    assert_eq!(call(&server, &caller), both);

    let said = server.post("/api/v1/gateways/a/down", &json!({}));
    let mut marked = said.json();
    assert!(marked["changed_unix_s"].take().is_i64(), "{}", said.body);
    assert_eq!(
        (said.status, marked),
        (
            200,
            json!({ "name": "a", "up": false, "mark": "down", "probed": false, "last_probe": null, "changed_unix_s": null })
        )
    );
    // The mark is set when it is answered. A turn of the loop that has begun before, and reads once more, does not see it.
    let only_b = "<sip:+44@b.example.net>;q=0.99";
    until(&server, &caller, both, only_b);
    server.line_with("gateway a is down: marked down");

    let live = format!("http://{}", server.admin);
    let args = ["explain", "+44", "--live", "--admin", &live, "--routes", routes.path().to_str().unwrap()];
    let explained = run::waypost(&args).out;
    assert!(explained.contains("    down     a: left out\n"), "{explained}");

    let of_api = |down: Value| {
        let said = server.post("/api/v1/explain", &json!({ "number": "+44", "down": down }));
        assert_eq!(said.status, 200, "{}", said.body);
        let steps = said.json()["steps"].as_array().unwrap().clone();
        let down = steps.into_iter().filter(|step| step["step"] == "down");
        down.map(|step| step["gateway"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (of_api(json!([])), of_api(json!(["b"]))),
        (vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()])
    );

    let ctl = |words: &[&str]| run::waypost(&[&["ctl", "gateways", "--admin", &live], words].concat()).out;
    assert_eq!(ctl(&["up", "a"]), "a is up (by a mark)\n");
    until(&server, &caller, only_b, both);
    assert_eq!(ctl(&["down", "a"]), "a is down (by a mark)\n");
    let states: Vec<String> =
        ctl(&[]).lines().map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(states, ["GATEWAY STATE BY", "a down a", "b up default"]);

    routes.write(&text(&format!("{b}, c: sip:c.example.net, {a}"), "c, a, b"));
    assert_eq!(server.reload().status, 200);
    let without_a = "<sip:+44@c.example.net>;q=0.99, <sip:+44@b.example.net>;q=0.98";
    assert_eq!(call(&server, &caller), without_a, "marks go by name, not by place");

    for gateway in ["b", "c"] {
        assert_eq!(server.post(&format!("/api/v1/gateways/{gateway}/down"), &json!({})).status, 200);
    }
    let all =
        "<sip:+44@c.example.net>;q=0.99, <sip:+44@a.example.net>;q=0.98, <sip:+44@b.example.net>;q=0.97";
    // Better a try than none.
    until(&server, &caller, without_a, all);
    assert_eq!(server.sample("waypost_gateways_down"), 3.0);

    for (path, status) in
        [("a/up", 200), ("a/auto", 200), ("b/auto", 200), ("c/auto", 200), ("d/down", 404), ("a/dead", 404)]
    {
        assert_eq!(server.post(&format!("/api/v1/gateways/{path}"), &json!({})).status, status, "{path}");
    }
    assert_eq!((call(&server, &caller), server.sample("waypost_gateways_down")), (all.to_owned(), 0.0));
}

#[test]
fn gateways_over_tcp_and_tls_are_probed_and_one_that_was_restarted_returns() {
    let issuer = Issuer::new();
    // The peers are servers like ours: they answer OPTIONS, and want a certificate over TLS.
    let (_peer_routes, _peer_dir, tls_peer) = tls::server(&issuer, ", client_ca: DIR/ca.pem");
    let peer_routes = Routes::of("routes: [ { answer: 404 } ]");
    let tcp_peer = Server::start_on(&["tcp:127.0.0.1:0"], peer_routes.path(), KEY);
    let tcp_at = tcp_peer.address();
    let (_routes, dir, _) = tls::server(&issuer, "");
    let routes = Routes::of(
        &format!(
            "defaults: {{ health: {{ {FAST} }} }}\n\
         gateways: {{ tcp: 'sip:{tcp_at};transport=tcp', tls: 'sips:{}' }}\n\
         routes: [ {{ name: all, answer: {{ contacts: [ tcp, tls ] }} }} ]\n",
            tls_peer.address()
        )
        .replace("timeout_ms: 200", "timeout_ms: 1000"),
    );
    let d = dir.path().display();
    let config = format!("{KEY}tls: {{certificate: {d}/cert.pem, key: {d}/key.pem}}\n");
    let (server, caller) = (Server::start(routes.path(), &config), Caller::here());
    let both = format!("<sip:+44@{tcp_at};transport=tcp>;q=0.99, <sips:+44@{}>;q=0.98", tls_peer.address());
    eventually("both are probed", || {
        let asked = |peer: &Server, transport: &str| {
            peer.sample(&format!("waypost_requests_total{{method=\"OPTIONS\",transport=\"{transport}\"}}"))
        };
        tcp_peer.samples().keys().any(|name| name.contains("OPTIONS\",transport=\"tcp"))
            && tls_peer.samples().keys().any(|name| name.contains("OPTIONS\",transport=\"tls"))
            && asked(&tcp_peer, "tcp") >= 2.0
            && asked(&tls_peer, "tls") >= 2.0
    });
    assert_eq!((call(&server, &caller), server.sample("waypost_gateways_down")), (both.clone(), 0.0));

    drop(tcp_peer);
    let only_tls = format!("<sips:+44@{}>;q=0.99", tls_peer.address());
    until(&server, &caller, &both, &only_tls);
    let _tcp_peer = Server::start_on(&[&format!("tcp:{tcp_at}")], peer_routes.path(), KEY);
    until(&server, &caller, &only_tls, &both);
}

#[test]
fn a_gateway_with_a_name_is_located_and_one_live_server_will_do() {
    let (dead, live) = (Gateway::start(Does::Silence), Gateway::start(Does::Answer(200)));
    let ports = [dead.address.port(), live.address.port()];
    let names = Names::start(move |name, kind| match (name, kind) {
        ("_sip._udp.gw.example.net.", RecordType::SRV) => {
            Reply::Records(vec![srv(10, ports[0], "one.example.net."), srv(20, ports[1], "two.example.net.")])
        }
        ("one.example.net." | "two.example.net.", RecordType::A) => Reply::Records(vec![a([127, 0, 0, 1])]),
        ("_sip._udp.crowd.example.net.", RecordType::SRV) => {
            let host = |nth: usize| srv(10 * nth as u16, ports[1], &format!("crowd{nth}.example.net."));
            Reply::Records((1..=PROBE_ADDRESSES_MAX + 1).map(host).collect())
        }
        (name, RecordType::A) if name.starts_with("crowd") => {
            // The last one is alive, and behind as many as are asked.
            let nth =
                name.trim_start_matches("crowd").split('.').next().and_then(|nth| nth.parse::<u8>().ok());
            let Some(nth) = nth else { return Reply::NoData };
            Reply::Records(vec![a([127, 0, 0, if nth > PROBE_ADDRESSES_MAX as u8 { 1 } else { nth + 1 }])])
        }
        ("broken.example.net.", _) => Reply::Silence,
        _ => Reply::NoData,
    });
    let routes = Routes::of(&format!(
        "defaults: {{ health: {{ {FAST} }} }}\n\
         gateways: {{ named: 'sip:gw.example.net', nowhere: 'sip:nowhere.example.net:5060', broken: 'sip:broken.example.net:5060', crowd: 'sip:crowd.example.net' }}\n\
         routes: [ {{ name: all, answer: {{ contacts: [ named, nowhere, broken, crowd ] }} }} ]\n"
    ));
    let (mut server, caller) =
        (Server::start(routes.path(), &format!("{KEY}{}", names.config())), Caller::here());
    server.until(r#"waypost_gateway_up{gateway="nowhere"}"#, 0.0);
    server.line_with("gateway nowhere is down: DNS has no server for it");
    let asked = |gateway: &Gateway| gateway.asked.lock().unwrap().len();
    eventually("the second server was asked three times", || asked(&live) >= 3);
    assert!(asked(&dead) >= 2, "the better one is asked first");
    eventually("broken was tried", || {
        server.sample(r#"waypost_gateway_probes_total{result="unasked"}"#) >= 3.0
    });
    server.until(r#"waypost_gateway_up{gateway="crowd"}"#, 0.0);
    // That our DNS does not answer says nothing about a gateway.
    assert_eq!(
        call(&server, &caller),
        "<sip:+44@gw.example.net>;q=0.99, <sip:+44@broken.example.net:5060>;q=0.98"
    );
}
