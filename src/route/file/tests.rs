//! What a route file says is what the table means; and no bytes do any harm.

use proptest::prelude::*;

use super::{Diagnostic, Source, parse, schema};
use crate::{
    limits::{NUMBER_BYTES_MAX, ROUTE_FILE_BYTES_MAX, ROUTE_FILES_MAX, USER_PARAMS_MAX},
    route::{
        AnswerTarget, Body, Condition, Member, MethodPattern, ParamValue, Party, Place, RouteTable, Setting,
        Then, Transport, ValueTest, deck, numbers::RowTarget,
    },
    sip::{Method, Scheme},
};

const RATES: &str = "prefix,to,cost\n+44,lon1,0.01\n+44,london,0.02\n";

fn load(texts: &[&str]) -> Result<(RouteTable, Vec<Diagnostic>), Vec<Diagnostic>> {
    let source = |(index, text): (usize, &&str)| Source {
        path: format!("{index}.yaml"),
        bytes: text.as_bytes().to_vec(),
    };
    let sources: Vec<Source> = texts.iter().enumerate().map(source).collect();
    parse(&sources)?.build_from(&|path| match path {
        "rates.csv" => Ok(RATES.into()),
        "ported.csv" => Ok(b"+441632960100;+441632970000\n".to_vec()),
        _ => Err("no such file".to_owned()),
    })
}

/// The table of one file that is right and gives no warning.
fn table(text: &str) -> RouteTable {
    let (table, warnings) = load(&[text]).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(warnings, [], "{text}");
    table
}

fn message(text: &str) -> String {
    match load(&[text]) {
        Ok((_, warnings)) => format!("{warnings:?}"),
        Err(errors) => errors.first().map(|error| error.message.clone()).unwrap_or_default(),
    }
}

/// The conditions of a route that refuses with 404.
fn when(text: &str) -> Vec<Condition> {
    let tables = if text.contains("ported") {
        "tables: { ported: { file: ported.csv, match: exact, columns: [number, rn], separator: ';' } }\n"
    } else {
        ""
    };
    let mut table = table(&format!("{tables}routes: [ {{ when: {text}, answer: 404 }} ]\n"));
    table.routes.remove(0).when
}

#[test]
fn nothing_given_is_the_default() {
    let (table, _) = load(&[]).expect("no files at all");
    assert_eq!((table.defaults.code, table.defaults.no_route_code, table.lists.len()), (302, 404, 1));
    let (table, _) = load(&["routes:\ngateways:\nlists:\n", "# nothing\n"]).expect("empty sections");
    assert!(table.routes.is_empty());
}

#[test]
fn defaults_of_all_files_add_up() {
    let texts = [
        "defaults: { code: 301, q: { first: 1, step: 0.05 }, contacts_max: 4 }\n",
        "defaults: { numbers: uk, answer_bytes_max: 900, no_route: 410 }\nnumbers: { uk: [ { starts: '0' } ] }\n",
    ];
    let (table, _) = load(&texts).expect("a table");
    let defaults = table.defaults;
    assert_eq!((defaults.code, defaults.no_route_code, defaults.normalisation), (301, 410, Some(0)));
    assert_eq!((defaults.q_first_milli, defaults.q_step_milli), (1000, 50));
    assert_eq!((defaults.contacts_max, defaults.answer_bytes_max), (4, 900));
}

#[test]
fn gateways_and_groups() {
    let table = table(
        "gateways:\n  lon1: sip:sbc1.example.net\n  lon2: { uri: 'sip:192.0.2.1', prefix: '7001', strip: 1, \
         params: { tgrp: uk1, Trunk-Context: example.net, npdi: true, cic: false }, expires: 60 }\n\
         groups:\n  london: [ lon1, { to: lon2, weight: 3, tier: 2 } ]\nroutes:\n  - answer: { group: london }\n",
    );
    let [lon1, lon2] = table.gateways.as_slice() else { panic!("two gateways") };
    assert_eq!((&*lon1.name, &*lon1.prefix, lon1.strip, lon1.expires_s), ("lon1", "", 0, None));
    assert_eq!(lon1.place, Place { file: "0.yaml".into(), line: 2, column: 3 });
    assert_eq!((&*lon2.prefix, lon2.strip, lon2.expires_s), ("7001", 1, Some(60)));
    let params: Vec<_> = lon2.params.iter().map(|(name, _)| &**name).collect();
    assert_eq!(params, ["tgrp", "trunk-context", "npdi", "cic"]);
    assert!(matches!(&lon2.params[0].1, ParamValue::Value(value) if value.literal() == Some(b"uk1")));
    assert!(matches!(lon2.params[2].1, ParamValue::Flag) && matches!(lon2.params[3].1, ParamValue::Remove));
    let Member { gateway, tier, weight } = table.groups[0].members[0];
    assert_eq!((gateway, tier, weight), (0, 1, 1));
    let Member { gateway, tier, weight } = table.groups[0].members[1];
    assert_eq!((gateway, tier, weight), (1, 2, 3));
}

#[test]
fn tables_are_read_with_targets_and_costs() {
    let table = table(
        "gateways: { lon1: 'sip:a.example.net', lon2: 'sip:b.example.net' }\ngroups: { london: [ lon1, lon2 ] }\n\
         tables: { rates: { file: rates.csv, match: prefix, header: true } }\n\
         routes: [ { when: { in: rates }, answer: { lcr: rates } } ]\n",
    );
    let rates = &table.tables[0];
    assert_eq!((rates.name(), rates.is_exact(), rates.len()), ("rates", false, 2));
    let mut out = Vec::new();
    let wanted = deck::Wanted { count_max: 12, ..deck::Wanted::default() };
    deck::cheapest(rates, b"+441632960000", &wanted, &|row| row.into(), &|_| false, &mut out);
    let offers: Vec<_> = out.iter().map(|offer| (offer.target, offer.cost_micro)).collect();
    assert_eq!(offers, [(RowTarget::Gateway(0), 10_000), (RowTarget::Group(0), 20_000)]);
}

#[test]
fn every_condition_has_its_key() {
    use Condition as C;
    assert!(
        matches!(&when("{ source: [192.0.2.1, '2001:db8::/32'] }")[..], [C::Source(nets)] if nets.len() == 2)
    );
    assert!(matches!(&when("{ listener: core }")[..], [C::Listener(names)] if &*names[0] == "core"));
    assert!(matches!(
        &when("{ transport: [udp, tls] }")[..],
        [C::Transport(all)] if all[..] == [Transport::Udp, Transport::Tls]
    ));
    assert!(matches!(
        &when("{ method: [INVITE, NEW] }")[..],
        [C::Method(all)] if all[..] == [MethodPattern::Known(Method::Invite), MethodPattern::Other("NEW".into())]
    ));
    assert!(matches!(&when("{ scheme: tel }")[..], [C::Scheme(all)] if all[..] == [Scheme::Tel]));
    assert!(
        matches!(&when("{ number: 112 }")[..], [C::Number(Party::RequestUri, all)] if all[0].matches(b"112"))
    );
    assert!(
        matches!(&when("{ user: [a, 0044] }")[..], [C::User(Party::RequestUri, all)] if all[1].matches(b"0044"))
    );
    assert!(
        matches!(&when("{ host: A.example }")[..], [C::Host(Party::RequestUri, all)] if all[0].matches(b"a.EXAMPLE"))
    );
    assert!(matches!(
        &when("{ from: { number: '1', user: a } }")[..],
        [C::Number(Party::From, _), C::User(Party::From, _)]
    ));
    assert!(matches!(&when("{ pai: { host: a } }")[..], [C::Host(Party::PAssertedIdentity, _)]));
    assert!(matches!(
        &when("{ params: { Tgrp: true, rn: false, cic: [1, 2*] } }")[..],
        [C::Param(a, ValueTest::Present), C::Param(_, ValueTest::Absent), C::Param(_, ValueTest::Is(two))]
            if &**a == "tgrp" && two.len() == 2
    ));
    assert!(
        matches!(&when("{ header: { X-A: '*' } }")[..], [C::Header(name, ValueTest::Is(_))] if &**name == "X-A")
    );
    assert!(
        matches!(&when("{ time: { zone: UTC, days: mon-sun } }")[..], [C::Time(always)] if always.holds(0))
    );
    assert!(matches!(&when("{ in: ported }")[..], [C::In(0, _)]));
    assert!(
        matches!(&when("{ in: [ported, { table: ported, key: '{from.number}' }] }")[..], [C::Any(two)] if two.len() == 2)
    );
    assert!(matches!(
        &when("{ var: { ported.rn: '+44*' }, in: ported }")[..],
        [C::In(..), C::Value(_, patterns)] if patterns[0].matches(b"+4416")
    ));
    assert!(matches!(&when("{ not: { number: 1, user: a } }")[..], [C::Not(both)] if both.len() == 2));
    assert!(matches!(&when("{ any: [ { number: 1 }, { user: a } ] }")[..], [C::Any(two)] if two.len() == 2));
    assert!(matches!(&when("{ all: [ { host: a* }, { host: '*b' } ] }")[..], [C::Host(..), C::Host(..)]));
    assert!(matches!(&when("{}")[..], []));
}

#[test]
fn settings_are_made_in_the_promised_order() {
    let table = table(
        "numbers: { uk: [ { starts: '0' } ] }\nroutes:\n  - set: { trunk-context: example.net, tgrp: uk1, params: { isub: '1' }, \
         npdi: true, cic: false, rn: '{var.b}', normalise: uk, number: '{number|strip 1}', var: { b: x, a: '{var.b}' } }\n",
    );
    let shown: Vec<String> = table.routes[0]
        .set
        .iter()
        .map(|setting| match setting {
            Setting::Var(name, _) => format!("var {name}"),
            Setting::Number(_) => "number".to_owned(),
            Setting::Normalise(id) => format!("normalise {id}"),
            Setting::Param(name, ParamValue::Value(_)) => format!("{name}=…"),
            Setting::Param(name, ParamValue::Flag) => name.to_string(),
            Setting::Param(name, ParamValue::Remove) => format!("-{name}"),
        })
        .collect();
    let expected = [
        "var b",
        "var a",
        "number",
        "normalise 0",
        "rn=…",
        "npdi",
        "-cic",
        "tgrp=…",
        "trunk-context=…",
        "isub=…",
    ];
    assert_eq!(shown, expected);
    assert!(matches!(table.routes[0].then, Then::Next));
}

#[test]
fn answers_have_every_kind_of_target_in_order() {
    let table = table(
        "gateways: { lon1: 'sip:a.example.net', lon2: 'sip:b.example.net' }\ngroups: { london: [ lon1, lon2 ] }\n\
         tables: { rates: { file: rates.csv, match: prefix, header: true } }\nroutes:\n  - answer:\n      code: 300\n      \
         reason: Pick one\n      contacts: [ { lcr: { table: rates, key: '{from.number}' } }, london, lon2, { gateway: lon1 }, { group: london }, \
         'sip:{user}@c.example.net', '{uri}', 'urn:service:sos', { locate: '{host}' } ]\n      expires: 30\n      contacts_max: 3\n      \
         answer_bytes_max: 800\n      empty: next\n      headers: { Diversion: '<{from.uri}>', Reason: 'SIP;cause=302' }\n",
    );
    let Then::Answer(answer) = &table.routes[0].then else { panic!("an answer") };
    use AnswerTarget as T;
    assert!(matches!(
        answer.targets.as_slice(),
        [
            T::LeastCost(_),
            T::Group(0),
            T::Gateway(1),
            T::Gateway(0),
            T::Group(0),
            T::Uri(_),
            T::Uri(_),
            T::Uri(_),
            T::Locate(_)
        ]
    ));
    assert_eq!((answer.code, answer.reason.as_deref(), answer.empty), (300, Some("Pick one"), None));
    assert_eq!((answer.contacts_max, answer.answer_bytes_max, answer.expires_s), (3, 800, Some(30)));
    assert_eq!(answer.headers.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["Diversion", "Reason"]);
}

#[test]
fn answers_take_the_defaults_of_all_files_whichever_comes_first() {
    let texts = [
        "routes: [ { answer: { contact: 'sip:a@b.example' } } ]\n",
        "defaults: { code: 301, contacts_max: 2 }\n",
    ];
    let (table, _) = load(&texts).expect("a table");
    let Then::Answer(answer) = &table.routes[0].then else { panic!("an answer") };
    assert_eq!((answer.code, answer.contacts_max, answer.empty), (301, 2, Some(480)));
}

#[test]
fn own_q_values_and_emergencies() {
    let table = table(
        "routes:\n  - when: { number: 1 }\n    answer: { contacts: [ { uri: 'sip:a@b.example', q: 1, expires: 5 }, { uri: 'sip:c@b.example', q: 0.125 } ] }\n\
         \x20 - answer: { code: 380, service: emergency, reason_text: Call 112 }\n",
    );
    let Then::Answer(answer) = &table.routes[0].then else { panic!("an answer") };
    let contacts: Vec<_> = answer
        .targets
        .iter()
        .map(|target| match target {
            AnswerTarget::Uri(contact) => (contact.q_milli, contact.expires_s),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(contacts, [(Some(1000), Some(5)), (Some(125), None)]);
    let Then::Answer(answer) = &table.routes[1].then else { panic!("an answer") };
    assert!(matches!(&answer.body, Body::Emergency { reason } if &**reason == "Call 112"));
    assert!(answer.targets.is_empty());
}

#[test]
fn enum_routes_jumps_and_silence() {
    let table = table(
        "lists: { night: [ { when: { number: 3 }, silence: true } ] }\nroutes:\n  - enum: { apexes: [E164.example.net, e164.arpa.], \
         services: [E2U+SIP, 'pstn:sip'], within: 0.25s, not_found: 404, code: 300 }\n  - { jump: night }\n",
    );
    let Then::Enum(lookup) = &table.routes[0].then else { panic!("a lookup") };
    let services: Vec<Box<str>> = vec!["sip".into(), "pstn:sip".into()];
    let apexes: Vec<_> = lookup.plan.apexes.iter().map(|apex| (&*apex.name, &apex.services)).collect();
    assert_eq!(apexes, [("e164.example.net.", &services), ("e164.arpa.", &services)]);
    assert_eq!(
        (lookup.plan.within_ms, lookup.not_found.nxdomain, lookup.failed.timeout),
        (250, Some(404), None)
    );
    assert_eq!((lookup.answer.code, lookup.answer.empty), (300, Some(480)));
    assert!(matches!(table.routes[1].then, Then::Jump(1)));
    assert!(matches!(table.routes[2].then, Then::Silence));
    let lists: Vec<_> = table.lists.iter().map(|list| (&*list.name, list.routes.clone())).collect();
    assert_eq!(lists, [("routes", vec![0, 1]), ("night", vec![2])]);
}

#[test]
fn routes_of_all_files_follow_one_another_under_stable_names() {
    let texts = [
        "lists: { l: [ { when: { user: b }, answer: 404 } ] }\nroutes: [ { name: first, jump: l } ]\n",
        "routes:\n  - { when: { user: a }, answer: 404 }\n  - answer: 404\n",
    ];
    let (table, _) = load(&texts).expect("a table");
    let names: Vec<&str> = table.routes.iter().map(|route| &*route.name).collect();
    assert_eq!(names, ["first", "1#1", "1#2", "0/l#1"]);
    assert_eq!(table.routes[2].place, Place { file: "1.yaml".into(), line: 3, column: 5 });
}

#[test]
fn numbers_are_normalised_by_the_rules_of_the_file() {
    let table = table(
        "defaults: { numbers: uk }\nnumbers:\n  uk: [ { starts: '00', strip: 2, prefix: + }, { length: 6-7, prefix: '+441632' }, \
         { regex: '^0(.+)$', to: '+44$1' } ]\nroutes: [ { answer: 404 } ]\n",
    );
    for (number, expected) in
        [("0044163", "+44163"), ("960000", "+441632960000"), ("01632960000", "+441632960000")]
    {
        let mut out = Vec::new();
        table.normalisations[0].apply(number.as_bytes(), &mut out);
        // The second rule counts characters, so 0044163 is taken by the first.
        assert_eq!(String::from_utf8_lossy(&out), expected, "{number}");
    }
}

#[test]
fn limits_are_reached_and_not_passed() {
    let sources = |count: usize| {
        let source = |index| Source { path: format!("{index}.yaml"), bytes: b"routes: []\n".to_vec() };
        (0..count).map(source).collect::<Vec<_>>()
    };
    assert!(parse(&sources(ROUTE_FILES_MAX)).is_ok());
    assert!(parse(&sources(ROUTE_FILES_MAX + 1)).expect_err("files")[0].message.contains("one too many"));
    let padded = |bytes: usize| {
        let mut file = b"routes: []\n#".to_vec();
        file.resize(bytes, b' ');
        vec![Source { path: "a.yaml".to_owned(), bytes: file }]
    };
    assert!(parse(&padded(ROUTE_FILE_BYTES_MAX)).is_ok());
    assert!(
        parse(&padded(ROUTE_FILE_BYTES_MAX + 1)).expect_err("bytes")[0].message.contains("bytes; expected")
    );
    let set = |key: &str, count: usize| {
        let names: Vec<String> = (0..count).map(|index| format!("v{index}: x")).collect();
        format!("routes: [ {{ set: {{ {key}: {{ {} }} }} }} ]\n", names.join(", "))
    };
    for key in ["var", "params"] {
        assert!(load(&[&set(key, USER_PARAMS_MAX)]).is_ok());
        assert!(message(&set(key, USER_PARAMS_MAX + 1)).contains("more than 32"));
    }
    let strip = |count: usize| format!("gateways: {{ a: {{ uri: 'sip:b.example', strip: {count} }} }}\n");
    assert!(!message(&strip(NUMBER_BYTES_MAX)).contains("expected 0 to"));
    assert!(message(&strip(NUMBER_BYTES_MAX + 1)).contains("expected 0 to 64"));
}

#[test]
fn rows_of_a_table_are_found_by_the_line_they_are_on() {
    let text = "tables: { t: { file: t.csv, match: exact, columns: [number] } }\nroutes: [ { when: { in: t }, answer: 404 } ]\n";
    for end in ["\n", "\r\n"] {
        for (lines, wrong) in [
            (&["x"][..], 1),
            (&["1", "x"], 2),
            (&["", "x"], 2),
            (&["# a", "x"], 2),
            (&["1", "", "# a \"", "", "#", "2", "# b", "x"], 8),
            (&["\u{feff}# a", "1", "#1", "# b", "x", "# c"], 5),
        ] {
            let source = Source { path: "a.yaml".to_owned(), bytes: text.into() };
            let draft = parse(&[source]).expect("a file");
            let errors = draft.build_from(&|_| Ok(lines.join(end).into())).expect_err("`x` is no number");
            let places: Vec<_> = errors.iter().map(|error| (&*error.file, error.line)).collect();
            assert_eq!(places, [("t.csv", wrong)], "{lines:?} {end:?}");
        }
    }
}

#[test]
fn the_schema_describes_every_key() {
    fn walk(schema: &serde_json::Value, path: &str, bare: &mut Vec<String>) {
        for (key, value) in schema.get("properties").and_then(|it| it.as_object()).into_iter().flatten() {
            if value.get("description").is_none() {
                bare.push(format!("{path}.{key}"));
            }
        }
        match schema {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| walk(value, &format!("{path}.{key}"), bare))
            }
            serde_json::Value::Array(items) => items.iter().for_each(|value| walk(value, path, bare)),
            _ => {}
        }
    }
    let schema = schema();
    let mut bare = Vec::new();
    walk(&schema, "", &mut bare);
    assert_eq!(bare, [""; 0]);
    let sections = schema["properties"].as_object().expect("sections").keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        sections,
        ["access", "defaults", "gateways", "groups", "lists", "numbers", "routes", "tables"]
    );
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn a_long_file_of_wrong_names_ends_soon() {
    let gateways: String =
        (0..500).map(|index| format!("  gateway-number-{index}: sip:a.example.net\n")).collect();
    let routes = "  - answer: { contacts: [ gateway-nubmer-x ] }\n".repeat(20_000);
    let errors = load(&[&format!("gateways:\n{gateways}routes:\n{routes}")]).expect_err("wrong names");
    assert_eq!(errors.last().map(|error| error.message.as_str()), Some("and 19950 more errors"));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&[Source { path: "a.yaml".to_owned(), bytes }]);
    }
}
