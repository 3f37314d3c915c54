//! What is shown, to whom, and what is not.

use std::time::Duration;

use super::{record::beginning, *};
use crate::{
    engine::Path,
    limits::{TAP_RECORD_BYTES, TAP_REQUEST_BYTES_MAX, TAP_ROUTE_BYTES_MAX},
    route::Transport,
};

const KEY: [u8; 16] = [7; 16];

fn one_in(many: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(many)
}

fn one(sampling: Sampling) -> (Tap, Outlet) {
    let (mut taps, outlet) = taps(1, sampling).unwrap();
    (taps.remove(0), outlet)
}

fn of_calls(many: u32) -> (Tap, Outlet) {
    one(Sampling { key: KEY, calls: one_in(many), messages: None })
}

fn message(method: &str, call: u32) -> Vec<u8> {
    format!("{method} sip:+442079460000@example.net SIP/2.0\r\nCall-ID: {call}@here\r\n\r\n").into_bytes()
}

fn seen<'a>(request: &'a [u8], answer: &'a [u8]) -> Seen<'a> {
    let path = Path {
        source: ([192, 0, 2, 7], 5070).into(),
        local: ([192, 0, 2, 1], 5060).into(),
        listener: 0,
        transport: Transport::Udp,
    };
    Seen {
        request,
        answer,
        to: ([192, 0, 2, 7], 5060).into(),
        path,
        end: End::Answer(302),
        route: Some("london"),
        waited_ms: 3,
    }
}

/// Shows a message if it is to be shown; `Some(false)` when it should have been and no record is free.
fn offer(tap: &mut Tap, seen: &Seen<'_>) -> Option<bool> {
    let chosen = tap.choose(seen.request)?;
    Some(tap.show(seen, chosen))
}

fn record(outlet: &Outlet) -> Box<Record> {
    match outlet.next() {
        Next::Record(record) => record,
        other => panic!("{other:?}"),
    }
}

/// Which of a thousand calls are shown.
fn shown(many: u32, key: [u8; 16], method: &str) -> Vec<u32> {
    let (mut tap, outlet) = one(Sampling { key, calls: one_in(many), messages: None });
    let is_shown = |call: &u32| {
        let shown = offer(&mut tap, &seen(&message(method, *call), b"")).is_some();
        if let Next::Record(record) = outlet.next() {
            outlet.give_back(record);
        }
        shown
    };
    (0..1000).filter(is_shown).collect()
}

#[test]
fn what_is_shown_is_a_copy_of_all() {
    let (mut tap, outlet) = of_calls(1);
    assert_eq!(offer(&mut tap, &seen(&message("INVITE", 1), b"SIP/2.0 302 Moved\r\n\r\n")), Some(true));
    let record = record(&outlet);
    assert_eq!(record.request(), message("INVITE", 1));
    assert_eq!(record.answer(), b"SIP/2.0 302 Moved\r\n\r\n");
    assert_eq!((record.end(), record.route()), (End::Answer(302), Some("london")));
    assert_eq!((record.path(), record.to()), (seen(b"", b"").path, seen(b"", b"").to));
    assert_eq!(record.waited(), Duration::from_millis(3));
    assert!(record.decided_at() > Duration::from_secs(1_700_000_000));
    assert!(!record.is_counted());
    outlet.give_back(record);
}

#[test]
fn nothing_asked_for_is_no_tap() {
    assert!(taps(1, Sampling { key: KEY, calls: None, messages: None }).is_none());
}

#[test]
fn all_messages_of_a_call_are_shown_or_none() {
    let invites = shown(10, KEY, "INVITE");
    assert!((50..200).contains(&invites.len()), "{}", invites.len());
    for method in ["INVITE", "ACK", "CANCEL"] {
        assert_eq!(shown(10, KEY, method), invites, "another worker, another node");
    }
    assert_ne!(shown(10, [8; 16], "INVITE"), invites, "a stranger cannot tell which");
    let rarer = shown(100, KEY, "INVITE");
    assert!(!rarer.is_empty() && rarer.iter().all(|call| invites.contains(call)));
    assert_eq!(shown(1, KEY, "INVITE").len(), 1000);
}

#[test]
fn messages_are_counted_one_by_one() {
    let (mut tap, outlet) = one(Sampling { key: KEY, calls: None, messages: one_in(8) });
    // One call, again and again: its hash would make it all or nothing.
    let flood = message("INVITE", 1);
    let mut counted = Vec::new();
    for number in 0..8_000 {
        if offer(&mut tap, &seen(&flood, b"")) == Some(true) {
            let record = record(&outlet);
            assert!(record.is_counted() && !record.is_one_in(NonZeroU32::MIN));
            outlet.give_back(record);
            counted.push(number);
        }
    }
    assert!((800..1200).contains(&counted.len()), "{}", counted.len());
    let gaps: std::collections::BTreeSet<_> = counted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, (1..16).collect(), "of all lengths up to twice the mean");
}

#[test]
fn who_is_behind_loses_what_no_record_is_free_for() {
    for (sampling, records) in [
        (Sampling { key: KEY, calls: one_in(1), messages: None }, TAP_RECORDS),
        (Sampling { key: KEY, calls: None, messages: one_in(1) }, TAP_RECORDS_OF_TOP),
    ] {
        let (mut tap, outlet) = one(sampling);
        let invite = message("INVITE", 1);
        for _ in 0..records {
            assert_eq!(offer(&mut tap, &seen(&invite, b"")), Some(true));
        }
        assert_eq!(offer(&mut tap, &seen(&invite, b"")), Some(false));
        outlet.give_back(record(&outlet));
        assert_eq!(offer(&mut tap, &seen(&invite, b"")), Some(true));
        assert_eq!(offer(&mut tap, &seen(&invite, b"")), Some(false));
    }
}

#[test]
fn what_is_too_long_is_shown_cut() {
    let (mut tap, outlet) = of_calls(1);
    let (request, answer) = (vec![b'r'; TAP_REQUEST_BYTES_MAX + 1], vec![b'a'; TAP_RECORD_BYTES]);
    let name = "ü".repeat(TAP_ROUTE_BYTES_MAX);
    offer(&mut tap, &Seen { route: Some(&name), ..seen(&request, &answer) });
    let record = record(&outlet);
    assert_eq!(record.request(), &request[1..]);
    assert_eq!(record.answer(), &answer[TAP_REQUEST_BYTES_MAX..]);
    assert_eq!(record.route(), Some(&*"ü".repeat(TAP_ROUTE_BYTES_MAX / 2)));
    assert_eq!(beginning("aü", 2), "a", "no half character");
}

#[test]
fn it_ends_when_all_loops_have_and_nothing_is_lost() {
    let (mut all, outlet) = taps(2, Sampling { key: KEY, calls: one_in(1), messages: None }).unwrap();
    offer(&mut all[0], &seen(&message("INVITE", 1), b""));
    drop(all.remove(0));
    assert!(matches!(outlet.next(), Next::Record(_)));
    assert!(matches!(outlet.next(), Next::Nothing));
    let reader = thread::spawn(move || {
        loop {
            match outlet.next() {
                Next::Nothing => outlet.wait(),
                Next::Record(_) => panic!("nothing was offered"),
                Next::Ended => break,
            }
        }
    });
    drop(all);
    reader.join().unwrap();
}

#[test]
fn who_has_gone_holds_nobody_up() {
    let (mut tap, outlet) = of_calls(1);
    drop(outlet);
    for _ in 0..TAP_RECORDS + 1 {
        assert_eq!(offer(&mut tap, &seen(&message("INVITE", 1), b"")), Some(false));
    }
}
