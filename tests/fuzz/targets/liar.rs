//! A name server that may say anything: right answers, wrong types, huge sets, TTL 0, failures, and
//! expressions that are none. What it says depends on the question and a seed only.

use std::net::{Ipv4Addr, Ipv6Addr};

use waypost::dns::{Answer, Failure, Kind, Naptr, Nothing, Question, Record, Srv};

/// SplitMix64: the next number of a sequence.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What the zone says to `question`.
pub fn answer(question: &Question, seed: u64) -> Answer {
    let mut state = question.name().bytes().chain([question.kind() as u8]).fold(seed, |state, byte| {
        let mut state = state ^ u64::from(byte);
        next(&mut state)
    });
    let mut roll = |below: u64| next(&mut state) % below;
    let ttl_s = [0, 1, 60, 300, u32::MAX][roll(5) as usize];
    match roll(12) {
        0 => Answer::Nothing { why: Nothing::NxDomain, ttl_s },
        1 => Answer::Nothing { why: Nothing::NoData, ttl_s },
        2 => Answer::Failed(
            [Failure::Timeout, Failure::Refused, Failure::ServFail, Failure::Malformed, Failure::Overflow]
                [roll(5) as usize],
        ),
        3 => Answer::Found { records: Vec::new(), ttl_s },
        // Another type than the one asked for, and more than anybody may keep.
        4 => {
            let kinds = [Kind::Naptr, Kind::Srv, Kind::A, Kind::Aaaa];
            let mut one = || record(kinds[roll(4) as usize], &mut roll);
            Answer::Found { records: (0..100).map(|_| one()).collect(), ttl_s }
        }
        _ => {
            let count = 1 + roll(6);
            Answer::Found { records: (0..count).map(|_| record(question.kind(), &mut roll)).collect(), ttl_s }
        }
    }
}

fn record(kind: Kind, roll: &mut impl FnMut(u64) -> u64) -> Record {
    match kind {
        Kind::A => Record::A(Ipv4Addr::from(roll(1 << 32) as u32)),
        Kind::Aaaa => Record::Aaaa(Ipv6Addr::from((u128::from(roll(u64::MAX)) << 64) | u128::from(roll(4)))),
        Kind::Srv => Record::Srv(Srv {
            priority: roll(3) as u16,
            weight: roll(4) as u16 * 20,
            port: [0, 5060, 5061, u16::MAX][roll(4) as usize],
            target: SRV_TARGETS[roll(SRV_TARGETS.len() as u64) as usize].into(),
        }),
        Kind::Naptr => Record::Naptr(Naptr {
            order: roll(3) as u16,
            preference: roll(3) as u16,
            flags: [&b"u"[..], b"U", b"", b"s", b"\0"][[0, 0, 0, 0, 1, 2, 3, 4][roll(8) as usize]].into(),
            services: SERVICES[roll(SERVICES.len() as u64) as usize].into(),
            regexp: EXPRESSIONS[roll(EXPRESSIONS.len() as u64) as usize].into(),
            replacement: ".".into(),
        }),
    }
}

const SRV_TARGETS: &[&str] =
    &["a.example.net.", "b.example.net.", "c.example.org.", ".", "", "waypost.example.net.", "not a name"];

const SERVICES: &[&[u8]] =
    &[b"E2U+sip", b"e2u+SIP", b"E2U+pstn:tel+sip", b"sip+E2U", b"E2U+email:mailto", b"\xff"];

const EXPRESSIONS: &[&[u8]] = &[
    b"!^.*$!sip:bob@example.net!",
    b"!^\\+44(.*)$!sip:0\\1@example.org;user=phone!",
    b"!^(.*)$!tel:\\1!",
    b"!^\\+(1)([0-9]{3})(.*)$!sips:\\3.\\2@\\1.example.net!i",
    b"!^.*$!sip:\\1@example.net!",
    b"!^.*$!sip:x@example.net;transport=tls!",
    b"!^.*$!sip:x@example.net;transport=t%6cs!",
    b"!^.*$!sip:evil@example.net>\r\nContact: <sip:evil@example.com!",
    b"!^.*$!sip:x@waypost.example.net!",
    b"!^.*$!sip:x@example.net?Route=%3Csip:evil%3E!",
    b"!((((a{100}){100}){100}){100})!sip:x@example.net!",
    b"!^.*$!http://example.net/!",
    b"!^(.*!sip:x@example.net!",
    b"!",
    b"",
    b"!^.*$!sip:\xff@example.net!",
];
