//! The end: what came before the signal is answered.

use crate::{
    caller::{Caller, call_id, invite, request, status},
    harness::{KEY, Routes, Server, eventually, refuse_with},
    names::{ENUM, Names},
    streams::{Stream, tcp},
};

const URI: &str = "sip:+442079460123@waypost.example.net";

#[test]
fn sigterm_answers_what_is_queued_and_ends_with_0() {
    const QUEUED: usize = 100;
    for signal in ["TERM", "INT"] {
        let routes = Routes::of(&refuse_with(480));
        let (server, caller) = (Server::start(routes.path(), KEY), Caller::here());
        // It stands still while they arrive, and finds them and the signal when it goes on.
        server.signal("STOP");
        for call in 0..QUEUED {
            caller.send(server.address(), invite(&format!("queued-{call}"), URI));
        }
        server.signal(signal);
        server.signal("CONT");
        let mut calls: Vec<String> = (0..QUEUED).map(|_| call_id(&caller.receive().1).to_owned()).collect();
        calls.sort_unstable();
        calls.dedup();
        assert_eq!(calls.len(), QUEUED);
        let (ended, log) = server.ended();
        assert_eq!(ended.code(), Some(0), "{log:#?}");
        let told = format!("SIG{signal}: answering what is here, then ending");
        assert!(log.last().unwrap().ends_with(&told), "{log:#?}");
    }
}

/// A server that was told to end while a call, `waits`, waits for a DNS server that is dead.
fn ending(caller: &Caller) -> (Server, Names, Routes) {
    let names = Names::dead();
    let routes = Routes::of(ENUM);
    let server = Server::start(routes.path(), &format!("{KEY}{}", names.config()));
    caller.send(server.address(), invite("waits", URI));
    eventually("the question is put", || !names.seen().is_empty());
    server.signal("TERM");
    (server, names, routes)
}

#[test]
fn who_waits_for_dns_is_answered_before_the_end() {
    let caller = Caller::here();
    let (server, _names, _routes) = ending(&caller);
    let (_, answer) = caller.receive();
    assert_eq!((call_id(&answer), status(&answer)), ("waits", 503));
    assert_eq!(server.ended().0.code(), Some(0));
}

#[test]
fn options_are_answered_503_while_the_server_ends() {
    // Should this machine be too busy, the one that waits is answered before we have heard the 503.
    let heard_503 = (0..10).any(|_| {
        let caller = Caller::here();
        let (server, _names, _routes) = ending(&caller);
        let ping = request("OPTIONS", "ping", &format!("sip:{}", server.address()));
        loop {
            caller.send(server.address(), &ping);
            match caller.receive().1 {
                answer if call_id(&answer) == "waits" => return false,
                answer if status(&answer) == 503 => return true,
                answer => assert_eq!(status(&answer), 200, "it has not heard the signal yet"),
            }
        }
    });
    assert!(heard_503);
}

/// What OPTIONS to the server itself is answered.
fn ping(caller: &Caller, server: &Server) -> u16 {
    status(&caller.ask(server.address(), &request("OPTIONS", "ping", &format!("sip:{}", server.address()))))
}

#[test]
fn a_lame_duck_answers_calls_says_503_to_probes_and_ends_at_a_second_signal() {
    let routes = Routes::of(&refuse_with(480));
    let server = Server::start_on(
        &["udp:127.0.0.1:0", "tcp:127.0.0.1:0"],
        routes.path(),
        "stop: {lame_duck_s: 3600}\n",
    );
    let caller = Caller::here();
    assert_eq!((ping(&caller, &server), server.get("/readyz").status), (200, 200));
    server.signal("TERM");
    eventually("503 on the admin port", || server.get("/readyz").status == 503);
    eventually("503 for OPTIONS", || ping(&caller, &server) == 503);
    assert_eq!(server.get("/readyz").body, "not ready: the server is draining\n");
    assert_eq!(caller.status(&server, "by-udp"), 480);
    // New connections, too.
    let answer = Stream::to(server.listeners[1]).ask(&tcp("by-tcp"));
    assert_eq!(status(&answer), 480);
    server.signal("TERM");
    let (ended, log) = server.ended();
    assert_eq!(ended.code(), Some(0), "{log:#?}");
    let told = "SIGTERM: not ready any more, answering for 3600s (stop.lame_duck_s), then ending";
    assert!(log.iter().any(|line| line.contains(told)), "{log:#?}");
}

#[test]
fn a_lame_duck_ends_by_itself() {
    let routes = Routes::of(&refuse_with(480));
    let server = Server::start(routes.path(), "stop: {lame_duck_s: 1}\n");
    server.signal("INT");
    let (ended, log) = server.ended();
    assert_eq!(ended.code(), Some(0), "{log:#?}");
    assert!(log.last().unwrap().ends_with("answering what is here, then ending"), "{log:#?}");
}

#[test]
fn connections_end_in_order_after_what_they_brought_was_answered() {
    const QUEUED: usize = 50;
    let routes = Routes::of(&refuse_with(480));
    let server = Server::start_on(&["tcp:127.0.0.1:0"], routes.path(), KEY);
    let (mut idle, mut busy) = (Stream::to(server.address()), Stream::to(server.address()));
    idle.ask(&tcp("idle"));
    server.signal("STOP");
    for call in 0..QUEUED {
        busy.send(tcp(&format!("queued-{call}")));
    }
    // It was never accepted when the signal comes.
    let mut late = Stream::to(server.address());
    late.send(tcp("late"));
    server.signal("TERM");
    server.signal("CONT");
    for call in 0..QUEUED {
        assert_eq!(call_id(&busy.answer()), format!("queued-{call}"));
    }
    assert_eq!(call_id(&late.answer()), "late");
    for stream in [idle, busy, late] {
        // An end, where a reset would be an error.
        assert_eq!(std::io::Read::read(&mut stream.into_inner(), &mut [0; 1]).unwrap(), 0);
    }
    assert_eq!(server.ended().0.code(), Some(0));
}
