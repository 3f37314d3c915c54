//! Tables of one route each, compared; and where a report ends.

use proptest::prelude::*;

use super::{By, Cause, Comparer, Report, report::Tally};
use crate::{
    decide::{Arrival, Settings},
    limits::{DIFF_PAIRS_MAX, DIFF_SHOWN_MAX, DIFF_SKIPPED_SHOWN_MAX},
    route::{
        RouteTable, Transport,
        file::{Source, parse},
    },
};

const REQUEST: &str = "INVITE sip:+441@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
    To: <sip:+441@h>\r\nCall-ID: 1@h\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

fn table(routes: &str) -> RouteTable {
    let source = Source { path: "a.yaml".to_owned(), bytes: format!("routes: [{routes}]").into_bytes() };
    let built = parse(&[source]).and_then(|draft| draft.build_from(&|_| Ok(Vec::new())));
    built.unwrap_or_else(|errors| panic!("{routes}: {errors:?}")).0
}

fn arrival() -> Arrival<'static> {
    Arrival {
        source: "192.0.2.7:5060".parse().unwrap(),
        local: "192.0.2.1:5060".parse().unwrap(),
        listener: "core",
        transport: Transport::Udp,
        identity: None,
    }
}

fn compare(old: &RouteTable, new: &RouteTable, request: &str) -> (Cause, Report) {
    let settings = Settings::default();
    let mut comparer = Comparer::new(&settings, old, new, 0, 1);
    let cause = comparer.call(request.as_bytes(), &arrival(), "here");
    (cause, comparer.report())
}

/// The answer of a route with these Contacts, each a user and a host.
fn answer(contacts: &[&str]) -> String {
    let uris: Vec<_> = contacts.iter().map(|contact| format!("'sip:{contact}'")).collect();
    format!("{{ name: r, answer: {{ contacts: [{}] }} }}", uris.join(", "))
}

#[test]
fn contacts_differ_in_one_word() {
    for (old, new, cause) in [
        (&["a@x"][..], &["a@x"][..], Cause::Same),
        (&["a@x", "a@y"], &["a@y", "a@x"], Cause::Order),
        (&["a@x"], &["a@y", "a@x"], Cause::ContactsAdded),
        (&["a@x", "a@y", "a@z"], &["a@y", "a@x"], Cause::ContactsRemoved),
        (&["a@x", "a@y"], &["a@x", "a@z"], Cause::ContactsChanged),
        (&["a@x"], &["a@y", "a@z"], Cause::ContactsChanged),
        (&["a;rn=1@x"], &["a;rn=2@x"], Cause::Parameters),
        (&["a;rn=1@x", "a@y"], &["a@X", "a@y;user=phone"], Cause::Parameters),
        (&["a@x:5060"], &["a@x:5061"], Cause::ContactsChanged),
        (&["a@x"], &["b@x"], Cause::ContactsChanged),
        (&["a@x", "b@y"], &["b@y;p=1", "a@x;p=1"], Cause::ContactsChanged),
    ] {
        let (is, report) = compare(&table(&answer(old)), &table(&answer(new)), REQUEST);
        assert_eq!(is, cause, "{old:?} {new:?}");
        assert_eq!(report.causes.iter().filter(|(_, calls)| **calls > 0).collect::<Vec<_>>(), [(&cause, &1)]);
        assert_eq!(report.shown.len(), usize::from(cause.is_difference()));
    }
}

#[test]
fn answers_without_contacts_differ_too() {
    let not_found = "{ name: r, answer: 404 }";
    for (old, new, request, cause) in [
        (not_found, "{ name: r, answer: { code: 404, reason: Nobody } }", REQUEST, Cause::Headers),
        (not_found, "{ name: s, answer: 404 }", REQUEST, Cause::OtherRoute),
        // The default refusal.
        (not_found, "", REQUEST, Cause::OtherRoute),
        ("{ name: r, silence: true }", "{ name: s, silence: true }", REQUEST, Cause::OtherRoute),
        ("{ name: r, silence: true }", not_found, REQUEST, Cause::Silence),
        (
            "{ name: r, answer: { code: 380, service: emergency, reason_text: a } }",
            "{ name: r, answer: { code: 380, service: emergency, reason_text: b } }",
            REQUEST,
            Cause::Headers,
        ),
        // What no route is asked about.
        (not_found, "{ name: r, answer: 403 }", "nothing", Cause::Same),
        (
            not_found,
            "{ name: r, answer: 403 }",
            &REQUEST.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"),
            Cause::Same,
        ),
        (not_found, "{ name: r, answer: 403 }", &REQUEST.replace("INVITE", "ACK"), Cause::Same),
    ] {
        assert_eq!(compare(&table(old), &table(new), request).0, cause, "{old} {new}");
    }
}

/// Questions are those of a DNS that fails, one after the other.
#[test]
fn questions_are_compared_to_the_last() {
    let lookup = |apexes: &str| table(&format!("{{ name: r, enum: {{ apexes: [{apexes}], failed: 503 }} }}"));
    let (cause, report) = compare(&lookup("a.example, b.example"), &lookup("a.example, c.example"), REQUEST);
    assert_eq!((cause, report.asking_dns), (Cause::AsksDns, 1));
    let shown = &report.shown[0];
    assert_eq!(shown.old.asks_dns, ["NAPTR 1.4.4.a.example.", "NAPTR 1.4.4.b.example."]);
    assert_eq!(shown.new.asks_dns, ["NAPTR 1.4.4.a.example.", "NAPTR 1.4.4.c.example."]);
    assert_eq!((shown.old.status, shown.new.status), (Some(503), Some(503)));
    let (cause, report) = compare(&lookup("a.example"), &lookup("a.example"), REQUEST);
    assert_eq!((cause, report.asking_dns), (Cause::Same, 1));
    let (cause, report) = compare(&lookup("a.example"), &table("{ name: r, answer: 503 }"), REQUEST);
    assert_eq!((cause, report.asking_dns), (Cause::AsksDns, 1));
}

#[test]
fn a_report_ends_at_its_limits() {
    let table = RouteTable::default();
    let mut tally = Tally::new(usize::MAX);
    for route in 0..=DIFF_PAIRS_MAX {
        tally.count(Cause::Status, (By::Route(route), By::NoRoute), false);
    }
    tally.count(Cause::Same, (By::Route(0), By::NoRoute), false);
    for line in 0..=DIFF_SKIPPED_SHOWN_MAX {
        tally.skip("why", line);
    }
    let report = tally.report(&table, &table);
    assert_eq!((report.routes.len(), report.routes_left_out), (DIFF_PAIRS_MAX, 1));
    assert_eq!((report.routes[0].calls, report.routes[0].differing), (2, 1));
    assert_eq!((report.calls, report.differing), (DIFF_PAIRS_MAX as u64 + 2, DIFF_PAIRS_MAX as u64 + 1));
    assert_eq!(report.skipped_shown.len(), DIFF_SKIPPED_SHOWN_MAX);
    assert_eq!(report.skipped, DIFF_SKIPPED_SHOWN_MAX as u64 + 1);

    let (old, new, settings) =
        (self::table(&answer(&["a@x"])), self::table(&answer(&["b@x"])), Settings::default());
    let mut comparer = Comparer::new(&settings, &old, &new, 0, usize::MAX);
    for _ in 0..=DIFF_SHOWN_MAX {
        comparer.call(REQUEST.as_bytes(), &arrival(), "here");
    }
    assert_eq!(comparer.report().shown.len(), DIFF_SHOWN_MAX);
}

/// The cause seen from the other side.
fn turned(cause: Cause) -> Cause {
    match cause {
        Cause::ContactsAdded => Cause::ContactsRemoved,
        Cause::ContactsRemoved => Cause::ContactsAdded,
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Alike: the same bytes, and nothing else. From the other side, it is the same difference.
    #[test]
    fn a_difference_has_two_sides(
        old in prop::collection::vec("[ab](;rn=[12])?@[xy](;p)?", 1..4),
        new in prop::collection::vec("[ab](;rn=[12])?@[xy](;p)?", 1..4),
    ) {
        let of = |contacts: &[String]| {
            table(&answer(&contacts.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        let (old, new) = (of(&old), of(&new));
        let (forth, report) = compare(&old, &new, REQUEST);
        let (back, _) = compare(&new, &old, REQUEST);
        prop_assert_eq!(back, turned(forth));
        prop_assert_eq!(compare(&old, &old, REQUEST).0, Cause::Same);
        let alike = report.shown.first().is_none_or(|shown| shown.old.contacts == shown.new.contacts);
        prop_assert_eq!(alike, forth == Cause::Same);
    }

    /// Whatever a list or a packet holds, it is read to its end.
    #[test]
    fn no_line_stops_the_reading(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
        csv in any::<bool>(),
    ) {
        let (old, new) = (table("{ answer: 404 }"), table("{ answer: 403 }"));
        let settings = Settings::default();
        let mut comparer = Comparer::new(&settings, &old, &new, 0, 10);
        let mut reader = super::Lines::new(if csv { super::Format::Auto } else { super::Format::Numbers });
        let mut request = String::new();
        for line in &lines {
            if let Ok(Some(call)) = reader.read(line) {
                call.request(1, arrival().source, "UDP", &mut request);
                comparer.call(request.as_bytes(), &arrival(), "here");
            }
            comparer.call(line, &arrival(), "here");
        }
        prop_assert!(comparer.report().calls >= lines.len() as u64);
    }
}
