//! What [`parse_like`] makes of bytes is what [`parse()`] makes of them: for every byte of every model, and for many at once.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{
    limits::MESSAGE_BYTES_MAX,
    sip::{Fault, Feedback, Writer, properties::message, write_head_with},
};

const REAL: &[u8] = include_bytes!("../../../benches/requests/invite-real.sip");
const SMALL: &[u8] = include_bytes!("../../../benches/requests/invite-small.sip");

/// All forms that a value is read in.
const FORMS: &str = "\r\nOPTIONS sips:a%41b;c=d@[2001:db8::1]:5061;lr;x=%41 SIP/2.0\r\nv: SIP/2.0/TCP h;oc;branch=z9hG4bKa;rport=1;received=192.0.2.1 , SIP/2.0/UDP g\r\n\
    Via:SIP / 2.0 / UDP\r\n i ;x=y\r\nf: Ann Example <tel:+44;x=y> ; tag = a;b=\"c\\d\"\r\nTO: sip:b@c;tag=d-1\r\nCall-ID : e\r\nCSeq: 007  OPTIONS\r\n\
    X-Quoted: \"a\\\u{7}b\"\tc\u{e9}\r\nRequire: foo\r\nMax-Forwards: 255\r\nl: 2\r\n\r\nab";

/// Models that have this one.
fn models_of(bytes: &[u8]) -> Models {
    let mut models = Models::new();
    parse_like(bytes, &mut HeaderIndex::new(), &mut models);
    models
}

/// That a message is read with these models as it is without, in all that is read of it. Whether a model was like it.
fn is_like(bytes: &[u8], models: &mut Models) -> bool {
    let was_like = models.find(set_of(bytes), bytes).is_some();
    let (mut index, mut other) = (HeaderIndex::new(), HeaderIndex::new());
    let (with, without) = (parse_like(bytes, &mut index, models), parse(bytes, &mut other));
    assert!(with == without, "{}\n{with:?}\n{without:?}", String::from_utf8_lossy(bytes));
    if let (true, Parsed::Sound(with), Parsed::Sound(without)) = (was_like, &with, &without) {
        assert_eq!(heads(with), heads(without));
    }
    was_like
}

/// The beginnings of its answers, to clients of several addresses.
fn heads(request: &Request<'_>) -> Vec<String> {
    let feedback = Feedback { loss_percent: 10, validity_ms: 500, seq_s: 1, seq_fraction: 0 };
    let head = |(source, status, reason, feedback): (&str, u16, &str, Option<&Feedback>)| {
        let mut buffer = [0; 8192];
        let mut out = Writer::new(&mut buffer);
        let source = source.parse().expect("an address");
        write_head_with(feedback, &mut out, request, status, reason.as_bytes(), source, b"T");
        String::from_utf8_lossy(out.written()).into_owned()
    };
    let usual = "Moved Temporarily";
    [
        ("198.51.100.20:5060", 302, usual, None),
        ("192.0.2.1:40000", 302, usual, Some(&feedback)),
        ("[::ffff:192.0.2.1]:1", 302, "Elsewhere", None),
        ("[2001:db8::1]:5060", 302, usual, None),
        ("192.0.2.1:40000", 503, "Service Unavailable", None),
    ]
    .map(head)
    .into()
}

/// Some of each class, and those of which something is made.
const BYTES: &[u8] = b"aAiIpPrRsSzZ012569-._+*#~!%&'()/:;,=?@<>[]{|}\"\\ \t\r\n\0\x7f\x80\xff";

#[test]
fn every_byte_in_every_place_is_read_as_without_a_model() {
    let places = [REAL, SMALL, FORMS.as_bytes()].map(|request| {
        let mut models = models_of(request);
        let mut bytes = request.to_vec();
        let mut places = 0;
        for at in 0..request.len() {
            let mut like = 0;
            for byte in BYTES {
                assert!(is_like(request, &mut models));
                bytes[at] = *byte;
                like += u32::from(*byte != request[at] && is_like(&bytes, &mut models));
            }
            bytes[at] = request[at];
            places += u32::from(like > 0);
        }
        places
    });
    // In most places of a head another letter may stand: of 1,150, of 364 and of 478.
    assert_eq!(places, [1002, 147, 39]);
}

#[test]
fn a_message_that_ends_anywhere_is_read_as_without_a_model() {
    for request in [REAL, SMALL, FORMS.as_bytes()] {
        for len in 0..=request.len() {
            is_like(&request[..len], &mut models_of(request));
        }
        let longer = [request, &[b'x'; MESSAGE_BYTES_MAX]].concat();
        for len in [request.len() + 1, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 1] {
            assert_eq!(is_like(&longer[..len], &mut models_of(request)), len <= MESSAGE_BYTES_MAX, "{len}");
        }
    }
}

/// A request like no other of the same place.
fn options(user: &str, lines: usize, padding: usize) -> Vec<u8> {
    let more = "X-A: b\r\n".repeat(lines);
    let padding = "x".repeat(padding);
    format!(
        "OPTIONS sip:{user}@example.net SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=c\r\n\
         To: <sip:a@b>\r\nCall-ID: d@e\r\nCSeq: 1 OPTIONS\r\n{more}Subject:{padding}\r\n\r\n"
    )
    .into_bytes()
}

fn is_learnt(bytes: &[u8]) -> bool {
    models_of(bytes).find(set_of(bytes), bytes).is_some()
}

#[test]
fn a_model_has_so_many_lines_and_bytes_and_no_more() {
    assert!(is_learnt(&options("a", MODEL_LINES_MAX - 6, 0)));
    assert!(!is_learnt(&options("a", MODEL_LINES_MAX - 5, 0)));
    let room = MODEL_HEAD_BYTES_MAX - options("a", 0, 0).len();
    assert!(is_learnt(&options("a", 0, room)));
    assert!(!is_learnt(&options("a", 0, room + 1)));
}

#[test]
fn what_is_no_model_is_read_anew() {
    let request = String::from_utf8(options("a", 0, 0)).expect("ASCII");
    for (old, new) in [
        // A number of a tel: URI is judged by what it says.
        ("sip:a@example.net", "tel:+441632960123"),
        ("Subject:", "Max-Forwards: 70\r\nMax-Forwards: 70"),
        ("Subject:", "Content-Length: 0\r\nl: 0"),
        // Neither a fault nor an end that others do not have.
        ("CSeq: 1", "CSeq: x"),
        ("Subject:\r\n\r\n", "Subject:\n\n"),
    ] {
        let bytes = request.replace(old, new).into_bytes();
        assert_ne!(bytes, request.as_bytes());
        assert!(!is_like(&bytes, &mut models_of(&bytes)), "{new}");
    }
}

#[test]
fn a_model_gives_way_to_the_last_of_many_that_miss_it() {
    // Of one set, which they fill, and one more.
    let requests: Vec<_> = (0..=MODELS_PER_SET).map(|lines| options("a", lines, 0)).collect();
    let (last, kept) = requests.split_last().expect("some");
    let mut models = Models::new();
    let mut like = |bytes: &[u8]| {
        let was_like = models.find(set_of(bytes), bytes).is_some();
        parse_like(bytes, &mut HeaderIndex::new(), &mut models);
        was_like
    };
    assert_eq!(kept.iter().filter(|request| like(request)).count(), 0);
    // Nothing is forgotten while it is met again.
    for _ in 0..2 {
        for _ in 1..MODEL_MISSES_MAX {
            assert!(!like(last));
        }
        assert!(kept.iter().all(|request| like(request)));
    }
    // What is not met gives way.
    let (forgotten, met) = kept.split_first().expect("some");
    for _ in 0..MODEL_MISSES_MAX {
        assert!(met.iter().all(|request| like(request)) && !like(last));
    }
    assert!(like(last) && !like(forgotten) && met.iter().all(|request| like(request)));
}

#[test]
fn there_are_so_many_models_and_no_more() {
    let requests = (0..MODELS_MAX)
        .flat_map(|len| (0..=MODELS_PER_SET).map(move |lines| options(&"a".repeat(len + 1), lines, 0)));
    let requests: Vec<_> = requests.collect();
    let mut models = Models::new();
    for request in &requests {
        parse_like(request, &mut HeaderIndex::new(), &mut models);
    }
    let kept = requests.iter().filter(|request| models.find(set_of(request), request).is_some()).count();
    assert_eq!(kept, MODELS_MAX);
}

#[test]
fn lines_that_stand_apart_are_echoed() {
    // One more than places of them are kept for.
    for vias in 1..=5 {
        let apart: String = (0..vias).map(|via| format!("X-A: b\r\nVia: SIP/2.0/UDP h{via}\r\n")).collect();
        let request = String::from_utf8(options("a", 0, 0))
            .expect("ASCII")
            .replace("From:", &(apart + "X-A: b\r\nFrom:"));
        let mut models = models_of(request.as_bytes());
        assert!(is_like(request.as_bytes(), &mut models), "{vias}");
        let mut index = HeaderIndex::new();
        let parsed = parse_like(request.as_bytes(), &mut index, &mut models);
        let Parsed::Sound(request) = &parsed else { panic!("{parsed:?}") };
        assert_eq!(request.echoed.0.is_some(), vias < 4, "{vias}");
    }
}

#[test]
fn numbers_that_are_alike_are_judged() {
    let request = String::from_utf8(options("a", 0, 0)).expect("ASCII");
    let request = request.replace("Subject:", "Max-Forwards: 070\r\nContent-Length: 40") + &"x".repeat(40);
    let mut models = models_of(request.as_bytes());
    for (old, new, fault, was_like) in [
        ("070", "255", None, true),
        ("070", "256", Some(Fault::BadMaxForwards), false),
        ("070", "0x0", Some(Fault::BadMaxForwards), false),
        ("th: 40", "th: 39", None, true),
        ("th: 40", "th: 41", Some(Fault::BodyTooShort), false),
        ("th: 40", "th: 4x", Some(Fault::BadContentLength), false),
        ("q: 1", "q: 9", None, true),
        ("q: 1", "q: x", Some(Fault::BadCseq), false),
    ] {
        let bytes = request.replace(old, new).into_bytes();
        assert_eq!(is_like(&bytes, &mut models), was_like, "{new}");
        match parse_like(&bytes, &mut HeaderIndex::new(), &mut models) {
            Parsed::Sound(_) => assert_eq!(fault, None, "{new}"),
            Parsed::Faulty(_, found) => assert_eq!(Some(found), fault, "{new}"),
            other => panic!("{new}: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn requests_that_differ_in_many_bytes_are_read_as_without_a_model(
        message in message(),
        edits in vec((any::<Index>(), prop_oneof![6 => "[a-zA-Z0-9._-]", 1 => "[ -~\r\n\t]"]), 0..12),
    ) {
        let request = message.write();
        let mut models = models_of(&request);
        let mut bytes = request.clone();
        for (at, byte) in edits {
            bytes[at.index(request.len())] = byte.as_bytes()[0];
            is_like(&bytes, &mut models);
        }
    }
}
