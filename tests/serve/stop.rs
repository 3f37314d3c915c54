//! The end: what came before the signal is answered.

use crate::{
    caller::{Caller, call_id, invite, request, status},
    harness::{KEY, Routes, Server, eventually, refuse_with},
    names::{ENUM, Names},
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
