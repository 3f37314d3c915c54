//! The limits of one decision, from both sides.

use std::fmt::Write as _;

use waypost::{
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Verdict, decide},
    dns::{Cache, DnsView},
    limits::{
        ANSWER_BYTES_ROOM, CONTACTS_MAX, HEADER_VALUE_BYTES_MAX, JUMPS_MAX, ROUTES_EXAMINED_MAX,
        SCRATCH_BYTES_MAX, URI_BYTES_MAX,
    },
    route::{Down, RouteTable, Transport, file},
};

fn table(routes: &str) -> RouteTable {
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: routes.as_bytes().to_vec() };
    let draft = file::parse(&[source]).unwrap_or_else(|errors| panic!("{errors:#?}"));
    draft.build_from(&|_| Err("no file".to_owned())).unwrap_or_else(|errors| panic!("{errors:#?}")).0
}

/// The answer to a call to `user` with one header of its own.
fn answer(table: &RouteTable, user: &str, header: &str) -> String {
    let request = format!(
        "INVITE sip:{user}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKa\r\n\
         From: <sip:b@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nX-Long: {header}\r\n\r\n"
    );
    let arrival = Arrival {
        source: "198.51.100.7:5060".parse().expect("address"),
        local: "192.0.2.1:5060".parse().expect("address"),
        listener: "default",
        transport: Transport::Udp,
        identity: None,
    };
    let (settings, cache) = (Settings::default(), Cache::new());
    let dns = DnsView::giving_up(&cache, 0);
    let context = Context {
        settings: &settings,
        table,
        dns,
        unix_s: 0,
        draining: false,
        down: Down::NONE,
        guess: None,
    };
    let mut out = vec![0; ANSWER_BYTES_ROOM];
    let verdict = decide(request.as_bytes(), &arrival, &context, &mut Scratch::new(), &mut NoTrace, &mut out);
    let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
    String::from_utf8(out[..reply.len].to_vec()).expect("text")
}

#[test]
fn a_header_value_is_as_long_as_its_limit_and_no_longer() {
    let table = table(&format!(
        "routes: [ {{ name: all, answer: {{ contact: 'sip:gw@example.net', answer_bytes_max: {ANSWER_BYTES_ROOM}, \
         headers: {{ X-Copy: '{{header.X-Long}}' }} }} }} ]"
    ));
    let longest = "x".repeat(HEADER_VALUE_BYTES_MAX);
    assert!(answer(&table, "+1", &longest).contains(&format!("X-Copy: {longest}\r\n")));
    let longer = answer(&table, "+1", &format!("{longest}x"));
    assert!(!longer.contains("X-Copy") && longer.contains("Contact: <sip:gw@example.net>"), "{longer}");
}

#[test]
fn a_uri_is_as_long_as_its_limit_and_no_longer() {
    let table = table(
        "routes: [ { name: all, answer: { contact: 'sip:{header.X-Long}@h', answer_bytes_max: 4000 } } ]",
    );
    let longest = "x".repeat(URI_BYTES_MAX - "sip:@h".len());
    assert!(answer(&table, "+1", &longest).starts_with("SIP/2.0 302 "));
    assert!(answer(&table, "+1", &format!("{longest}x")).starts_with("SIP/2.0 480 "));
}

#[test]
fn what_a_decision_renders_fits_into_its_memory_or_is_not_offered() {
    let value = 1000;
    let settings_that_fit = SCRATCH_BYTES_MAX / value - 2;
    for (count, expected) in [(settings_that_fit, "SIP/2.0 302 "), (settings_that_fit + 3, "SIP/2.0 480 ")] {
        let mut routes = String::from("routes:\n");
        for _ in 0..count {
            routes.push_str("  - set: { var: { long: '{header.X-Long}' } }\n");
        }
        routes.push_str(
            "  - answer: { contact: 'sip:{header.X-Long}@gw.example.net', answer_bytes_max: 4000 }\n",
        );
        let answered = answer(&table(&routes), "+1", &"x".repeat(value));
        assert!(answered.starts_with(expected), "{count}: {answered}");
    }
}

#[test]
fn routes_beyond_the_limit_are_not_examined() {
    // Jumps to one list over and over: the walk is as long as their product.
    let examined = |jumps: usize, routes: usize| jumps + jumps * (routes + 1) + 1;
    let side = 440;
    assert!(examined(side, side) < ROUTES_EXAMINED_MAX && examined(side + 20, side) > ROUTES_EXAMINED_MAX);
    for (jumps, expected) in [(side, "SIP/2.0 410 "), (side + 20, "SIP/2.0 484 ")] {
        let mut text = String::from("defaults: { no_route: 484 }\nlists:\n  again:\n");
        for _ in 0..side {
            text.push_str("    - { when: { number: '999' }, answer: 404 }\n");
        }
        text.push_str("routes:\n");
        for _ in 0..jumps {
            text.push_str("  - { jump: again }\n");
        }
        text.push_str("  - { answer: 410 }\n");
        let answered = answer(&table(&text), "+1", "");
        assert!(answered.starts_with(expected), "{jumps}: {answered}");
    }
}

#[test]
fn jumps_go_as_deep_as_their_limit() {
    let deepest = JUMPS_MAX - 1;
    let mut text = String::from("lists:\n");
    for depth in 1..=deepest {
        let then = if depth == deepest { "answer: 410".to_owned() } else { format!("jump: l{}", depth + 1) };
        writeln!(text, "  l{depth}: [ {{ {then} }} ]").expect("text");
    }
    text.push_str("routes: [ { jump: l1 } ]\n");
    assert!(answer(&table(&text), "+1", "").starts_with("SIP/2.0 410 "));

    let deeper = text.replace(
        &format!("l{deepest}: [ {{ answer: 410 }} ]"),
        &format!("l{deepest}: [ {{ jump: last }} ]\n  last: [ {{ answer: 410 }} ]"),
    );
    assert_ne!(deeper, text);
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: deeper.into_bytes() };
    let refused =
        file::parse(&[source]).and_then(|draft| draft.build_from(&|_| Err("no file".to_owned())).map(|_| ()));
    let message = refused.expect_err("one jump too deep")[0].message.clone();
    assert!(message.contains(&deepest.to_string()), "{message}");
}

#[test]
fn an_answer_has_as_many_contacts_as_its_limit() {
    let mut text = String::from("routes:\n  - answer:\n      answer_bytes_max: 4000\n      contacts:\n");
    for number in 0..CONTACTS_MAX + 3 {
        writeln!(text, "        - sip:gw{number}.example.net").expect("text");
    }
    let answered = answer(&table(&text), "+1", "");
    assert_eq!(answered.matches(";q=").count(), CONTACTS_MAX);
}
