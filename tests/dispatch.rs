//! The index of a list changes no answer, and saves the look at routes that cannot hold.

#[path = "dispatch/calls.rs"]
mod calls;
#[path = "dispatch/lists.rs"]
mod lists;

use std::fmt::Write as _;

use calls::{Call, Played, play_with, request};
use proptest::prelude::*;
use waypost::{
    decide::{NoTrace, Settings, Trace},
    limits::CURSORS_MAX,
    route::{
        Answer, Condition, Dispatch, Down, List, NumberPattern, Party, Place, Route, RouteId, RouteTable,
        TextPattern, Then, file,
    },
};

fn play<T: Trace>(table: &RouteTable, call: &Call, trace: &mut T) -> Played {
    play_with(table, call, &Settings::default(), Down::NONE, trace)
}

/// Sees every route: then no index is asked.
#[derive(Default)]
struct EachRoute {
    looked_at: usize,
}

impl Trace for EachRoute {
    const ON: bool = true;
    fn route(&mut self, _: RouteId) {
        self.looked_at += 1;
    }
}

/// Counts the routes that are looked at by the index.
#[derive(Default)]
struct ByIndex {
    looked_at: usize,
}

impl Trace for ByIndex {
    const ON: bool = false;
    fn route(&mut self, _: RouteId) {
        self.looked_at += 1;
    }
}

fn table(text: &str) -> RouteTable {
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let draft = file::parse(&[source]).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
    let data = |_: &str| Ok(b"+4411,+4422\n+4412,+4411\n+4421,22\n4411,\n".to_vec());
    draft.build_from(&data).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}")).0
}

/// Routes looked at for a call, by the index and by the list; the answers are the same.
fn looked_at(table: &RouteTable, call: &Call) -> (usize, usize) {
    let (mut by_index, mut each) = (ByIndex::default(), EachRoute::default());
    assert_eq!(play(table, call, &mut by_index), play(table, call, &mut each));
    (by_index.looked_at, each.looked_at)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_is_answered_as_by_a_look_at_each_route(
        text in lists::routes(),
        calls in prop::collection::vec(calls::call(), 32),
    ) {
        let mut table = table(&text);
        let by_index: Vec<Played> = calls.iter().map(|call| play(&table, call, &mut NoTrace)).collect();
        let each: Vec<Played> =
            calls.iter().map(|call| play(&table, call, &mut EachRoute::default())).collect();
        table.dispatch.clear();
        let unsealed: Vec<Played> = calls.iter().map(|call| play(&table, call, &mut NoTrace)).collect();
        for (call, ((by_index, each), unsealed)) in calls.iter().zip(by_index.iter().zip(&each).zip(&unsealed)) {
            prop_assert_eq!(by_index, each, "{}\n{}", text, request(call));
            prop_assert_eq!(by_index, unsealed, "{}\n{}", text, request(call));
        }
    }
}

/// The lists of the property are worth their name: routes hold, are left out, change what the next ones see.
#[test]
fn what_is_generated_reaches_the_index() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut indexed, mut by_index, mut each, mut answered) = (0, 0, 0, 0);
    let lists = 40;
    for _ in 0..lists {
        let table = table(&lists::routes().new_tree(&mut runner).expect("routes").current());
        indexed += usize::from(table.dispatch.first().is_some_and(Option::is_some));
        for _ in 0..10 {
            let call = calls::call().new_tree(&mut runner).expect("a call").current();
            let looked = looked_at(&table, &call);
            by_index += looked.0;
            each += looked.1;
            answered += usize::from(play(&table, &call, &mut NoTrace).route.is_some());
        }
    }
    assert!(indexed > lists / 2, "{indexed} of {lists} lists have an index");
    assert!(by_index * 6 < each * 5, "{by_index} of {each} routes are looked at");
    assert!((lists * 2..lists * 10).contains(&answered), "{answered} of {} calls are answered", lists * 10);
}

/// Ten thousand rules with these conditions, and a last one for every call.
fn ten_thousand(when: impl Fn(usize) -> Vec<Condition>) -> RouteTable {
    let route = |rule: usize, when: Vec<Condition>| Route {
        name: format!("rule {rule}").into(),
        place: Place::default(),
        when,
        set: Vec::new(),
        then: Then::Answer(Box::new(Answer::refusal(&RouteTable::default()))),
    };
    let mut routes: Vec<Route> = (0..10_000).map(|rule| route(rule, when(rule))).collect();
    routes.push(route(10_000, Vec::new()));
    let list = List { name: "routes".into(), routes: (0..routes.len()).collect() };
    let mut table = RouteTable { routes, lists: vec![list], ..RouteTable::default() };
    table.seal();
    table
}

fn number(pattern: String) -> Condition {
    Condition::Number(Party::RequestUri, vec![NumberPattern::parse(&pattern).expect("a pattern")])
}

fn host(pattern: String) -> Condition {
    Condition::Host(Party::RequestUri, vec![TextPattern::parse(&pattern, true).expect("a pattern")])
}

fn source(network: String) -> Condition {
    Condition::Source(vec![network.parse().expect("a network")])
}

#[test]
fn of_ten_thousand_rules_a_call_looks_at_its_own() {
    // Rule 4321 is that of the call.
    let call = Call {
        number: "+15550004321".to_owned(),
        host: "h4321.example.net".to_owned(),
        source: "10.0.16.225".parse().expect("an address"),
        ..Call::default()
    };
    let elsewhere = Call {
        number: "+7".to_owned(),
        host: "h".to_owned(),
        source: "192.0.2.1".parse().expect("an address"),
        from: "alice",
        ..Call::default()
    };
    let routing = |rule| NumberPattern::parse(&format!("+1555{rule:07}*")).expect("a pattern");
    let caller = |rule| NumberPattern::parse(&format!("+4420{rule:07}")).expect("a pattern");
    let user = |rule| TextPattern::parse(&format!("+1555{rule:07}"), false).expect("a pattern");
    type When<'w> = &'w dyn Fn(usize) -> Vec<Condition>;
    let rules: [(&str, When<'_>); 12] = [
        ("numbers", &|rule| vec![number(format!("+1555{rule:07}"))]),
        ("prefixes", &|rule| vec![number(format!("+1555{rule:07}*"))]),
        ("ranges", &|rule| vec![number(format!("+1555000{rule:04}-+1555000{rule:04}"))]),
        ("routing numbers", &|rule| vec![Condition::Routing(vec![routing(rule)])]),
        ("users", &|rule| vec![Condition::User(Party::RequestUri, vec![user(rule)])]),
        ("callers", &|rule| vec![Condition::Number(Party::From, vec![caller(rule)])]),
        ("hosts", &|rule| vec![host(format!("H{rule}.example.net"))]),
        ("domains", &|rule| vec![host(format!("*h{rule}.example.net"))]),
        ("sources", &|rule| vec![source(format!("10.0.{}.{}/32", rule / 256, rule % 256))]),
        ("networks", &|rule| vec![source(format!("10.{}.{}.0/24", rule / 256, rule % 256))]),
        ("a choice", &|rule| {
            let choices =
                vec![vec![number(format!("+1555{rule:07}"))], vec![host(format!("h{rule}.example.org"))]];
            vec![Condition::Any(choices)]
        }),
        ("a host, then a number", &|rule| {
            vec![host(format!("h{}.example.net", rule / 5 * 5 + 1)), number(format!("+1555000{rule:04}"))]
        }),
    ];
    for (what, when) in rules {
        let table = ten_thousand(when);
        let (by_index, each) = looked_at(&table, &call);
        assert_eq!(by_index, 1, "{what}: of {each} routes");
        assert_eq!(looked_at(&table, &elsewhere), (1, 10_001), "{what}: the last one only");
    }
}

/// The grid that a tier of customers and destinations makes: no condition alone tells a rule from others.
#[test]
fn rules_that_share_each_condition_are_told_by_both() {
    let table = ten_thousand(|rule| {
        vec![
            source(format!("10.0.{}.0/24", rule / 100)),
            host("*.example.net".to_owned()),
            number(format!("+1555{:03}*", rule % 100)),
        ]
    });
    let call = Call {
        number: "+15550421234".to_owned(),
        host: "a.example.net".to_owned(),
        source: "10.0.77.1".parse().expect("an address"),
        ..Call::default()
    };
    let (by_index, each) = looked_at(&table, &call);
    assert_eq!((by_index, each), (1, 7743));
}

#[test]
fn routes_without_a_key_are_looked_at_for_each_call() {
    let when =
        ["header: { X-A: a }", "not: { host: h }", "number: '/^+1/'", "in: t", "scheme: sips", "host: '*'"];
    let mut text =
        String::from("tables: { t: { file: t.csv, match: exact, columns: [number, rn] } }\nroutes:\n");
    for rule in 0..600 {
        let when = if rule % 100 == 0 {
            when[rule / 100].replace("/^+1/", "/^.7/")
        } else {
            format!("number: '1{rule}'")
        };
        writeln!(text, "- {{ when: {{ {when} }}, set: {{ var: {{ a: b }} }} }}").expect("text");
    }
    assert_eq!(looked_at(&table(&text), &Call::default()), (6, 600));
}

#[test]
fn a_number_that_a_route_sets_is_looked_up_again() {
    let mut text =
        String::from("routes:\n- { when: { number: '+44*' }, set: { number: '+1{number|digits}' } }\n");
    for rule in 0..100 {
        writeln!(
            text,
            "- {{ when: {{ number: '+14411{rule:02}' }}, answer: {} }}",
            if rule == 77 { 410 } else { 404 }
        )
        .expect("text");
    }
    let call = Call { number: "+441177".to_owned(), ..Call::default() };
    let table = table(&text);
    assert_eq!(looked_at(&table, &call), (2, 79));
    assert!(play(&table, &call, &mut NoTrace).answer.starts_with("SIP/2.0 410 "));
}

/// A look-up is done whether the rest of its route holds or not: later ones see its row.
#[test]
fn a_route_that_looks_up_is_not_left_out_for_what_comes_after() {
    let mut text = String::from(
        "tables: { t: { file: t.csv, match: exact, columns: [number, rn] } }\nroutes:\n\
         - { when: { in: t, all: [ { number: '99' } ] }, answer: 480 }\n",
    );
    for rule in 0..100 {
        writeln!(text, "- {{ when: {{ number: '1{rule}' }}, answer: 404 }}").expect("text");
    }
    text.push_str("- { answer: { contact: 'sip:{t.rn}@h.example.net' } }\n");
    let call = Call { number: "+4411".to_owned(), ..Call::default() };
    let table = table(&text);
    assert_eq!(looked_at(&table, &call), (2, 102));
    assert!(play(&table, &call, &mut NoTrace).answer.contains("<sip:+4422@h.example.net>"));
}

/// One call has more keys than there are cursors: each list of a stack of jumps has some of them.
#[test]
fn a_call_with_more_keys_than_cursors_is_answered_all_the_same() {
    let digits = CURSORS_MAX + 8;
    let number = "1".repeat(digits);
    let mut text = String::from("routes:\n");
    // Four routes for each beginning: two of them share it, so that it has a cursor of its own.
    for len in 1..=digits {
        for _ in 0..4 {
            writeln!(text, "- {{ when: {{ number: '{}*', method: MESSAGE }}, answer: 480 }}", &number[..len])
                .expect("text");
        }
    }
    text.push_str("- { answer: 410 }\n");
    let table = table(&text);
    assert!(table.dispatch[0].is_some());
    assert_eq!(looked_at(&table, &Call { number, ..Call::default() }).0, digits * 4 + 1);
    let (fewer, all) = looked_at(&table, &Call { number: "11".to_owned(), ..Call::default() });
    assert_eq!((fewer, all), (2 * 4 + 1, digits * 4 + 1));
}

#[test]
fn an_index_takes_a_bounded_part_of_memory() {
    let bytes = |when: &dyn Fn(usize) -> Vec<Condition>| {
        let table = ten_thousand(when);
        table.dispatch[0].as_ref().map_or(0, Dispatch::bytes) / 10_000
    };
    type When<'w> = &'w dyn Fn(usize) -> Vec<Condition>;
    let rules: [(&str, When<'_>, usize); 3] = [
        ("numbers", &|rule| vec![number(format!("+1555{rule:07}"))], 64),
        (
            "a grid",
            &|rule| {
                vec![number(format!("+1555{}*", rule / 100)), source(format!("10.0.0.{}/32", rule % 100))]
            },
            96,
        ),
        ("wide ranges", &|rule| vec![number(format!("+1{rule:05}11111-+9{rule:05}88888"))], 2048),
    ];
    for (what, when, most) in rules {
        let found = bytes(when);
        assert!((1..most).contains(&found), "{what}: {found} bytes a rule");
    }
}

#[test]
fn short_lists_have_no_index() {
    let text = "routes: [ { when: { number: '1' }, answer: 404 }, { when: { number: '2' }, answer: 410 } ]\n";
    assert!(table(text).dispatch.is_empty());
    assert!(Dispatch::of(&List { name: "none".into(), routes: vec![7; 100] }, &[]).is_none());
}
