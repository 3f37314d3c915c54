//! Contacts that were rendered when their table was sealed, each by itself or the last of an answer together, are those
//! that are rendered for each call.

#[path = "dispatch/calls.rs"]
mod calls;
#[path = "dispatch/contacts.rs"]
mod contacts;

use std::{fmt::Write as _, net::SocketAddr, slice::from_ref};

use calls::{Call, Played, call, play_with, request};
use contacts::{EachStep, hosts, table_of};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use waypost::{
    decide::{NoTrace, Settings},
    limits::{ANSWER_BYTES_MIN, COLUMN_CONTACTS_MAX, URI_BYTES_MAX},
    route::{Down, Ourselves, RouteTable},
};

/// Hosts that meet each other, the Request-URI, and the address that a request came to.
const HOSTS: [&str; 10] = [
    "a.example.net",
    "A.EXAMPLE.net",
    "b.example.net",
    "192.0.2.99",
    "192.0.2.99:5060",
    "192.0.2.99:5070",
    "192.0.2.9",
    "[2001:db8::1]",
    "[2001:db8:0::1]:5060",
    "x@y.example.net",
];

fn gateway() -> impl Strategy<Value = String> {
    (
        select(vec!["sip", "sips"]),
        select(HOSTS.to_vec()),
        select(vec![
            "",
            ";transport=tcp",
            ";transport=udp",
            ";maddr=192.0.2.99",
            ";maddr=192.0.2.9;lr",
            ";x=1",
        ]),
        select(vec![
            "",
            ", prefix: '9'",
            ", prefix: '+9*'",
            ", strip: 1",
            ", strip: 3, prefix: '00'",
            ", strip: 60",
        ]),
        select(vec!["", "", ", expires: 60", ", params: { tgrp: a, trunk-context: b }"]),
    )
        .prop_map(|(scheme, host, params, number, rest)| {
            // The loader refuses what would make a user part beside the one that is there.
            let (number, rest) = if host.contains('@') { ("", "") } else { (number, rest) };
            format!("{{ uri: '{scheme}:{host}{params}'{number}{rest} }}")
        })
}

/// A Contact that a route has by itself.
fn contact() -> impl Strategy<Value = String> {
    (
        select(vec!["sip:", "sips:"]),
        select(vec![
            "",
            "{number}@",
            "+4411@",
            "00{number}@",
            "{number|digits}@",
            "{user}@",
            "a;rn=+4411@",
            "a;m-x@",
        ]),
        select(HOSTS[..9].to_vec()),
        select(vec!["", ";transport=udp", ";maddr=192.0.2.99", ";user=phone"]),
        select(vec!["", ", expires: 60"]),
    )
        .prop_map(|(scheme, user, host, params, rest)| {
            format!("{{ uri: '{scheme}{user}{host}{params}'{rest}, q: Q }}")
        })
}

/// Cells of the columns of a table: hosts that meet each other and ourselves, what can stand in a URI and what cannot.
const ROWS: &str = "\
+4411,a.example.net,one
+4412,A.EXAMPLE.net,
+4421,192.0.2.99,%41
+4422,192.0.2.99:5070,a b
+441,b.example.net;maddr=192.0.2.99,transport=tls
+442,[2001:db8::1],x;x
+44,,x
4,no host,one
2,b.example.net,x=1;maddr=192.0.2.99
*2,gw.example.net,one
";

/// A Contact with a column of that table in it.
fn contact_of_column() -> impl Strategy<Value = String> {
    (
        select(vec!["sip:", "sips:"]),
        select(vec!["", "{number}@", "+4411@", "00{number}@", "{t.word}@"]),
        select(vec![
            "{t.host}",
            "{t.host}:5060",
            "x.{t.host};transport=tcp",
            "c.example.net;{t.word}",
            "c.example.net;x={t.word}",
            "{t.host};x={t.word}",
            "{t.host|digits}",
            "{t.prefix}",
            "{host}",
        ]),
        select(vec!["", ", expires: 60"]),
    )
        .prop_map(|(scheme, user, rest, more)| format!("{{ uri: '{scheme}{user}{rest}'{more}, q: Q }}"))
}

fn table(gateways: &[String], contacts: &[String], answer: &str) -> RouteTable {
    table_with(ROWS, gateways, contacts, answer)
}

fn table_with(rows: &str, gateways: &[String], contacts: &[String], answer: &str) -> RouteTable {
    let mut text = "gateways:\n  spare: sip:spare.example.net\n".to_owned();
    if answer.contains("in: t") {
        text.push_str("tables: { t: { file: t.csv, match: prefix, columns: [prefix, host, word] } }\n");
    }
    for (at, gateway) in gateways.iter().enumerate() {
        writeln!(text, "  gw{at}: {gateway}").expect("a String");
    }
    if !gateways.is_empty() {
        text.push_str("groups: { one: [ { to: gw0 } ] }\n");
    }
    // A list has a q for each Contact or for none, and gateways have none.
    let q = |at: usize| if gateways.is_empty() { format!(", q: 0.{}", 9 - at) } else { String::new() };
    let mut names: Vec<String> = (0..gateways.len()).map(|at| format!("gw{at}")).collect();
    // A group of one gateway is that gateway.
    if gateways.len() > 1 {
        names[0] = "one".to_owned();
    }
    names.extend(contacts.iter().enumerate().map(|(at, contact)| contact.replace(", q: Q", &q(at))));
    writeln!(text, "routes: [ {{ {answer} contacts: [{}] }} }} ]", names.join(", ")).expect("a String");
    table_of(&text, rows)
}

/// What a decision knows besides the table and the call.
#[derive(Clone, Debug, Default)]
struct World {
    settings: Settings,
    down: Down,
}

fn world() -> impl Strategy<Value = World> {
    let names = subsequence(vec!["A.example.net", "b.example.net", "192.0.2.9"], 0..3);
    let listeners =
        subsequence(vec!["192.0.2.9:5060", "[::ffff:192.0.2.99]:5070", "[2001:db8::1]:5060"], 0..3);
    (names, listeners, subsequence(vec![0, 1, 2, 3], 0..3)).prop_map(|(names, listeners, down)| {
        let listeners = listeners.iter().map(|listener| listener.parse().expect("an address"));
        let ourselves = Ourselves {
            listeners: listeners.map(|own: SocketAddr| (own.ip(), own.port())).collect(),
            names: names.into_iter().map(Into::into).collect(),
        };
        World { settings: Settings { ourselves, ..Settings::default() }, down: Down::of(down) }
    })
}

/// Gateways and Contacts of an answer.
fn targets() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    (vec(gateway(), 0..4), vec(contact(), 0..4))
        .prop_filter("no target", |(gateways, contacts)| !(gateways.is_empty() && contacts.is_empty()))
}

/// What a route says of its answer, before its Contacts.
fn answer() -> impl Strategy<Value = String> {
    let bytes_max = prop_oneof![Just(None), (ANSWER_BYTES_MIN..700).prop_map(Some)];
    let settings = select(vec![
        "",
        "",
        "",
        "set: { rn: '+44' }, ",
        "set: { number: '{number|strip 2}' }, ",
        "set: { number: 'a{number}' }, ",
    ]);
    let more =
        select(vec!["", "", "contacts_max: 2, ", "expires: 30, ", "headers: { X-Number: 'n={number}' }, "]);
    (bytes_max, settings, more).prop_map(|(bytes_max, settings, more)| {
        let bytes_max = bytes_max.map_or_else(String::new, |max| format!("answer_bytes_max: {max}, "));
        format!("{settings}answer: {{ {more}{bytes_max}")
    })
}

/// What becomes of a call with the Contacts as they were sealed together, as each was sealed, and without.
fn every_way(mut table: RouteTable, call: &Call, world: &World) -> [Played; 4] {
    let play = |table: &RouteTable| play_with(table, call, &world.settings, &world.down, &mut NoTrace);
    let together = play(&table);
    let traced = play_with(&table, call, &world.settings, &world.down, &mut EachStep);
    table.sealed.clear();
    let each = play(&table);
    table.fixed.clear();
    for contact in table.contacts_mut() {
        (contact.fixed, contact.of_column) = (None, None);
    }
    [together, each, play(&table), traced]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn an_answer_is_the_same_by_every_way(
        (gateways, contacts) in targets(),
        answer in answer(),
        call in call(),
        world in world(),
    ) {
        let text = request(&call);
        let [together, each, rendered, traced] = every_way(table(&gateways, &contacts, &answer), &call, &world);
        prop_assert_eq!(&together, &each, "{}", text);
        prop_assert_eq!(&each, &rendered, "{}", text);
        prop_assert_eq!(&rendered, &traced, "{}", text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_contact_of_a_column_is_the_same_by_every_way(
        own in vec(contact_of_column(), 1..3),
        others in vec(contact(), 0..3),
        answer in answer(),
        call in call(),
        world in world(),
    ) {
        let text = request(&call);
        let contacts = [own, others].concat();
        let table = table(&[], &contacts, &format!("when: {{ in: t }}, {answer}"));
        let [together, each, rendered, traced] = every_way(table, &call, &world);
        prop_assert_eq!(&together, &each, "{} {:?}", text, contacts);
        prop_assert_eq!(&each, &rendered, "{} {:?}", text, contacts);
        prop_assert_eq!(&rendered, &traced, "{} {:?}", text, contacts);
    }
}

/// The property is worth its name: of what is generated, lists are sealed whole, in part and not at all.
#[test]
fn what_is_generated_is_sealed_now_and_then() {
    let mut runner = TestRunner::deterministic();
    let (lists, mut whole, mut ends) = (200, 0, 0);
    for _ in 0..lists {
        let what = (targets(), answer()).new_tree(&mut runner).expect("a list");
        let ((gateways, contacts), answer) = what.current();
        match table(&gateways, &contacts, &answer).sealed.first() {
            Some(Some(sealed)) if sealed.first == 0 => whole += 1,
            Some(Some(_)) => ends += 1,
            _ => {}
        }
    }
    assert!(
        whole > lists / 20 && ends > lists / 10 && whole + ends < lists * 9 / 10,
        "{whole} and {ends} of {lists}"
    );
}

/// The same of those with a column: most of the lists that have one first end in what was sealed.
#[test]
fn what_is_generated_stands_before_a_sealed_end_now_and_then() {
    let mut runner = TestRunner::deterministic();
    let (lists, mut fronts) = (200, 0);
    for _ in 0..lists {
        let what = (contact_of_column(), vec(contact(), 1..3)).new_tree(&mut runner).expect("a list");
        let (own, others) = what.current();
        let mut table = table(&[], &[vec![own], others].concat(), "when: { in: t }, answer: {");
        let has_column = table.contacts_mut().next().is_some_and(|first| first.of_column.is_some());
        let sealed = table.sealed.first().and_then(Option::as_ref);
        fronts += usize::from(has_column && sealed.is_some_and(|sealed| sealed.has_front()));
    }
    assert!((lists / 10..lists).contains(&fronts), "{fronts} of {lists}");
}

/// The first Contact in any case, the others as far as the answer may be long: to the byte.
#[test]
fn a_sealed_list_ends_where_the_budget_does() {
    let gateways = ["a", "bb", "ccc"].map(|host| format!("sip:{host}.example.org"));
    let of_column =
        ["{t.host}", "bb.example.org", "ccc.example.org"].map(|host| format!("'sip:{{number}}@{host}'"));
    let hit = Call { number: "+44119".to_owned(), host: "c.example.org".to_owned(), ..Call::default() };
    for (gateways, contacts, when, call) in
        [(&gateways[..], &[][..], "", Call::default()), (&[], &of_column, "when: { in: t }, ", hit)]
    {
        let played = |bytes_max: usize| {
            let answer = format!("{when}answer: {{ answer_bytes_max: {bytes_max}, ");
            let ways = every_way(table(gateways, contacts, &answer), &call, &World::default());
            ways.iter().for_each(|way| assert_eq!(*way, ways[0], "{when}{bytes_max}"));
            let [together, ..] = ways;
            (together.answer.len(), together.answer.matches(";q=").count())
        };
        let (whole, count) = played(2000);
        assert_eq!((count, played(whole), played(whole - 1).1), (3, (whole, 3), 2), "{when}");
        let (two, _) = played(whole - 1);
        assert_eq!((played(two), played(two - 1).1, played(ANSWER_BYTES_MIN).1), ((two, 2), 1, 1), "{when}");
    }
}

#[test]
fn the_last_contacts_of_an_answer_are_sealed_together() {
    let names = |count: usize| (0..count).map(|at| format!("sip:gw{at}.example.net")).collect::<Vec<_>>();
    let column = "'sip:{user}@gw.example.net'".to_owned();
    let first = |gateways: &[String], contacts: &[String], answer: &str| {
        let table = table(gateways, contacts, answer);
        table.sealed.first().and_then(Option::as_ref).map(|sealed| (sealed.first, sealed.count()))
    };
    for (what, expected, found) in [
        ("all", Some((0, 3)), first(&names(3), &[], "answer: {")),
        ("as many as there may be", Some((0, 3)), first(&names(3), &[], "answer: { contacts_max: 3,")),
        ("more than there may be", None, first(&names(3), &[], "answer: { contacts_max: 2,")),
        ("the last is not known", None, first(&names(3), from_ref(&column), "answer: {")),
        (
            "behind one that is not known",
            Some((2, 1)),
            first(&names(1), &[column, "'sip:h'".to_owned()], "answer: {"),
        ),
        ("one host twice", Some((1, 1)), first(&[names(1), names(1)].concat(), &[], "answer: {")),
    ] {
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn usual_gateways_are_sealed_and_those_that_a_call_can_spoil_are_not() {
    for (gateway, is_fixed) in [
        ("sip:gw.example.net", true),
        ("sips:gw.example.net:5061;x=1", true),
        ("sip:192.0.2.1;transport=tcp;maddr=192.0.2.2", true),
        ("{ uri: 'sip:gw.example.net', prefix: '00', strip: 1, expires: 5 }", true),
        ("{ uri: 'sip:gw.example.net', prefix: '*9' }", false),
        ("{ uri: 'sip:gw.example.net', params: { tgrp: a, trunk-context: b } }", false),
        ("{ uri: 'sip:gw.example.net', resolve: true }", false),
        ("sip:me@gw.example.net", true),
        ("sip:[2001:db8::1]", false),
        ("tel:+44", false),
    ] {
        let table = table(&[gateway.to_owned()], &[], "answer: {");
        assert_eq!(table.fixed[1].is_some(), is_fixed, "{gateway}");
    }
}

#[test]
fn usual_contacts_are_sealed_and_those_with_other_values_are_not() {
    for (uri, is_fixed) in [
        ("sip:{number}@gw.example.net", true),
        ("sip:+44{number}@gw.example.net;transport=tcp", true),
        ("sip:+4411@gw.example.net", true),
        ("sip:gw.example.net", true),
        ("sip:{number|digits}@gw.example.net", false),
        ("sip:{user}@gw.example.net", false),
        ("sip:{number}@{host}", false),
        ("sip:+44;m-x@gw.example.net;user=phone", false),
        ("tel:{number}", false),
    ] {
        let mut table = table(&["sip:h".to_owned()], &[format!("'{uri}'")], "answer: {");
        let fixed: Vec<bool> = table.contacts_mut().map(|contact| contact.fixed.is_some()).collect();
        assert_eq!(fixed, [is_fixed], "{uri}");
    }
}

#[test]
fn a_number_that_makes_the_uri_too_long_is_none_by_both_ways() {
    // A template has its own limit; what is below it may still be too long with the number.
    let host = "h".repeat(URI_BYTES_MAX - "sip:+4411@".len());
    for (number, contacts) in [("+4411", 1), ("+44111", 0)] {
        let call = Call { number: number.to_owned(), ..Call::default() };
        let table = table(&[format!("sip:{host}")], &[], "answer: { answer_bytes_max: 4000,");
        let [together, each, rendered, _] = every_way(table, &call, &World::default());
        assert_eq!((&together, &each), (&rendered, &rendered), "{number}");
        assert_eq!(together.answer.matches(";q=").count(), contacts, "{number}");
    }
}

#[test]
fn contacts_of_a_column_are_sealed_for_each_of_its_values() {
    let hit = Call { number: "+44119".to_owned(), host: "c.example.org".to_owned(), ..Call::default() };
    for (uri, is_of_column) in [
        ("sip:{number}@{t.host}", true),
        ("sip:{number}@{t.host}:5061;transport=tcp", true),
        ("sip:gw.{t.host}.example.net;x={t.host}", true),
        ("sip:{number}@c.example.net;x={t.word}", true),
        ("sip:{number}@c.example.net", false),
        ("sip:{number}@{t.host};x={t.word}", false),
        ("sip:{number}@c.example.net;x={t.prefix}", false),
        ("sip:{number}@{t.host|digits}", false),
        ("sip:{number}@{t.host};x={host}", false),
        ("sip:{t.word}@{t.host}", false),
        ("tel:{number};x={t.word}", false),
    ] {
        let mut table = table(&[], &[format!("{{ uri: '{uri}', q: Q }}")], "when: { in: t }, answer: {");
        let sealed: Vec<bool> = table.contacts_mut().map(|contact| contact.of_column.is_some()).collect();
        assert_eq!(sealed, [is_of_column], "{uri}");
        let ways = every_way(table, &hit, &World::default());
        ways.iter().for_each(|way| assert_eq!(*way, ways[0], "{uri}"));
        assert!(ways[0].answer.contains("Contact: <"), "{uri}: {}", ways[0].answer);
    }
}

/// A Contact of a column goes into the answer by itself where the others were sealed: what stands twice, leads to us, or back to
/// where the call came from, is left out as ever.
#[test]
fn a_contact_of_a_column_before_a_sealed_end_is_judged_with_it() {
    let contacts =
        ["{t.host}", "a.example.net", "d.example.net"].map(|host| format!("'sip:{{number}}@{host}'"));
    let rows = "+4411,a.example.net,\n+4412,A.EXAMPLE.net,\n+441,b.example.net,\n";
    let table = || table_with(rows, &[], &contacts, "when: { in: t }, answer: {");
    assert!(table().sealed.iter().flatten().all(|sealed| sealed.has_front()), "it is sealed");
    let of_ours = Settings {
        ourselves: Ourselves { listeners: Vec::new(), names: vec!["b.example.net".into()] },
        ..Settings::default()
    };
    let world = |settings: Settings| World { settings, ..World::default() };
    for (what, number, host, world, expected) in [
        ("three", "+4419", "c.example.org", World::default(), &["b", "a", "d"][..]),
        ("the end has it", "+4411", "c.example.org", World::default(), &["a", "d"]),
        ("the end has it in other letters", "+4412", "c.example.org", World::default(), &["A", "d"]),
        ("it is the Request-URI", "+4419", "b.example.net", World::default(), &["a", "d"]),
        ("the end has the Request-URI", "+4419", "d.example.net", World::default(), &["b", "a"]),
        ("it is ours", "+4419", "c.example.org", world(of_ours), &["a", "d"]),
    ] {
        let call = Call { number: number.to_owned(), host: host.to_owned(), ..Call::default() };
        let ways = every_way(table(), &call, &world);
        ways.iter().for_each(|way| assert_eq!(*way, ways[0], "{what}"));
        assert_eq!(hosts(&ways[0]), expected, "{what}: {}", ways[0].answer);
    }
}

#[test]
fn no_more_contacts_of_columns_are_sealed_than_the_limit() {
    // As many different values as rows: an empty cell is one, too.
    let mut rows = "+44,,x\n".to_owned();
    for row in 1..COLUMN_CONTACTS_MAX {
        writeln!(rows, "+44{row:06},h{row}.example.net,{}", row % 2).expect("a String");
    }
    let sealed = |contacts: &[&str]| {
        let contacts: Vec<_> = contacts.iter().map(|uri| format!("'sip:{{number}}@{uri}'")).collect();
        let mut table = table_with(&rows, &[], &contacts, "when: { in: t }, answer: {");
        table.contacts_mut().map(|contact| contact.of_column.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(sealed(&["{t.host}"]), [true]);
    assert_eq!(sealed(&["a.{t.host}", "b.{t.host}", "c.example.net;x={t.word}"]), [true, false, false]);
    // What there is no room for leaves it to others.
    assert_eq!(
        sealed(&["c.example.net;x={t.word}", "a.{t.host}", "d.example.net;x={t.word}"]),
        [true, false, true]
    );
}
