//! The Contact of a gateway that was rendered when its table was sealed is the one that is rendered for each call.

#[path = "dispatch/calls.rs"]
mod calls;

use std::fmt::Write as _;

use calls::{Call, Played, call, play};
use proptest::{collection::vec, prelude::*, sample::select};
use waypost::{
    decide::NoTrace,
    limits::URI_BYTES_MAX,
    route::{RouteTable, file},
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

fn table(gateways: &[String], contacts: &[String], answer: &str) -> RouteTable {
    let mut text = "gateways:\n  spare: sip:spare.example.net\n".to_owned();
    for (at, gateway) in gateways.iter().enumerate() {
        writeln!(text, "  gw{at}: {gateway}").expect("a String");
    }
    // A list has a q for each Contact or for none, and gateways have none.
    let q = |at: usize| if gateways.is_empty() { format!(", q: 0.{}", 9 - at) } else { String::new() };
    let mut names: Vec<String> = (0..gateways.len()).map(|at| format!("gw{at}")).collect();
    names.extend(contacts.iter().enumerate().map(|(at, contact)| contact.replace(", q: Q", &q(at))));
    writeln!(text, "routes: [ {{ {answer} contacts: [{}] }} }} ]", names.join(", ")).expect("a String");
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: text.clone().into_bytes() };
    let draft = file::parse(&[source]).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
    draft.build_from(&|_| Err("no file".to_owned())).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}")).0
}

/// What becomes of a call with the Contacts as they were sealed, and without.
fn both(mut table: RouteTable, call: &Call) -> (Played, Played) {
    let sealed = play(&table, call, &mut NoTrace);
    table.fixed.clear();
    table.contacts_mut().for_each(|contact| contact.fixed = None);
    (sealed, play(&table, call, &mut NoTrace))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn an_answer_is_the_same_by_both_ways(
        gateways in vec(gateway(), 0..4),
        contacts in vec(contact(), 1..4),
        answer in select(vec![
            "answer: {",
            "answer: { contacts_max: 2,",
            "answer: { answer_bytes_max: 400,",
            "set: { rn: '+44' }, answer: {",
            "set: { number: '{number|strip 2}' }, answer: {",
            "set: { number: 'a{number}' }, answer: {",
        ]),
        call in call(),
    ) {
        let (sealed, rendered) = both(table(&gateways, &contacts, answer), &call);
        prop_assert_eq!(sealed, rendered);
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
        let (sealed, rendered) =
            both(table(&[format!("sip:{host}")], &[], "answer: { answer_bytes_max: 4000,"), &call);
        assert_eq!(sealed, rendered, "{number}");
        assert_eq!(sealed.answer.matches(";q=").count(), contacts, "{number}");
    }
}
