//! What the index of a list finds, and its bounds.

use super::*;
use crate::{
    limits::{KEYS_PER_CLAUSE_MAX, NODES_DEEP_MAX, PROBES_MAX},
    route::{Condition, NumberPattern, Place, TextPattern, Then, ValueTest},
};

const TO: Party = Party::RequestUri;

fn index(all: Vec<Vec<Condition>>) -> Option<Dispatch> {
    let route =
        |when| Route { name: "r".into(), place: Place::default(), when, set: Vec::new(), then: Then::Next };
    let routes: Vec<Route> = all.into_iter().map(route).collect();
    Dispatch::of(&List { name: "l".into(), routes: (0..routes.len()).collect() }, &routes)
}

fn number(pattern: &str) -> Condition {
    Condition::Number(TO, vec![NumberPattern::parse(pattern).expect(pattern)])
}

fn texts(patterns: &[&str], fold: bool) -> Vec<TextPattern> {
    patterns.iter().map(|pattern| TextPattern::parse(pattern, fold).expect(pattern)).collect()
}

fn param(name: &str, pattern: &str) -> Condition {
    Condition::Param(name.into(), ValueTest::Is(texts(&[pattern], true)))
}

/// Positions of the candidates of a call with these values.
fn candidates(index: &Dispatch, values: &[(Field, &[u8])]) -> Vec<u32> {
    let mut found = vec![Found::Node(0)];
    let mut positions = Vec::new();
    while let Some(next) = found.pop() {
        match next {
            Found::One(position) => positions.push(position),
            Found::Many(start, end) => positions.extend(&index.positions()[start as usize..end as usize]),
            Found::Node(node) => {
                found.push(index.always(node));
                for (field, probes) in index.questions(node) {
                    let value = values.iter().find(|(of, _)| of == field);
                    found.extend(value.into_iter().flat_map(|(_, value)| index.find(node, probes, value)));
                }
            }
        }
    }
    positions.sort_unstable();
    positions.dedup();
    positions
}

#[test]
fn a_number_finds_itself_its_beginnings_and_its_ranges() {
    let mut patterns =
        vec!["+441", "+441", "+441", "+44*", "+441*", "+4*", "+4405-+4417", "+4410-+4419", "/1/"];
    let others =
        ["+x", "+7x", "+71x", "+711x"].map(|other| [7, 8, 9].map(|n| other.replace('x', &format!("{n}*"))));
    patterns.extend(others.iter().flatten().map(String::as_str));
    let index = index(patterns.into_iter().map(|pattern| vec![number(pattern)]).collect()).expect("an index");
    for (of, expected) in [
        ("+441", &[0, 1, 2, 3, 4, 5, 7, 8][..]),
        ("+4413", &[3, 4, 5, 6, 7, 8]),
        ("+4406", &[3, 5, 6, 8]),
        ("+45", &[5, 8]),
        ("1", &[8]),
        ("", &[8]),
    ] {
        let found = candidates(&index, &[(Field::Number(TO), of.as_bytes())]);
        assert_eq!(found, expected, "{of}");
    }
    assert_eq!(candidates(&index, &[]), [8], "what no key tells is always looked at");
}

#[test]
fn a_host_finds_itself_its_beginnings_and_its_endings_in_any_case() {
    let hosts =
        ["A.example.net", "a.example.NET", "*.Example.net", "a.*", "*"].map(|host| texts(&[host], true));
    let others = (0..12).flat_map(|n| [format!("h{n}"), format!("*.h{n:010}"), format!("{n:02}*")]);
    let all = hosts.into_iter().chain(others.map(|host| texts(&[&host], true)));
    let index = index(all.map(|hosts| vec![Condition::Host(TO, hosts)]).collect()).expect("an index");
    for (of, expected) in [
        ("a.example.net", &[0, 1, 2, 3, 4][..]),
        ("b.example.net", &[2, 4]),
        ("a.h", &[3, 4]),
        ("h1", &[4, 8]),
    ] {
        assert_eq!(candidates(&index, &[(Field::Host(TO), of.as_bytes())]), expected, "{of}");
    }
}

#[test]
fn a_user_is_found_in_its_case_only() {
    let index =
        index((0..20).map(|n| vec![Condition::User(TO, texts(&[&format!("U{n}")], false))]).collect());
    let index = index.expect("an index");
    assert_eq!(candidates(&index, &[(Field::User(TO), b"U7")]), [7]);
    assert!(candidates(&index, &[(Field::User(TO), b"u7")]).is_empty());
}

#[test]
fn an_address_finds_its_networks() {
    let networks = ["192.0.2.0/24", "192.0.2.9/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "2001:db8::9/128"];
    let all: Vec<_> =
        (0..30).map(|n| vec![Condition::Source(vec![networks[n % 6].parse().expect("a network")])]).collect();
    let index = index(all).expect("an index");
    let every_sixth = |of: &[u32]| -> Vec<u32> { (0..30).filter(|n| of.contains(&(n % 6))).collect() };
    let find = |address: &[u8]| candidates(&index, &[(Field::Source, address)]);
    assert_eq!(find(&[192, 0, 2, 9]), every_sixth(&[0, 1, 2]));
    assert_eq!(find(&[192, 0, 3, 9]), every_sixth(&[2]));
    let v6 = |last| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    assert_eq!(find(&v6(9)), every_sixth(&[3, 4, 5]));
    assert_eq!(find(&v6(8)), every_sixth(&[3, 4]));
}

#[test]
fn a_route_stands_under_the_condition_that_fewest_share() {
    let all = (0..100).map(|n| vec![number("+44*"), param("tgrp", &format!("G{n}"))]).collect();
    let index = index(all).expect("an index");
    let tgrp = Field::Param("tgrp".into());
    assert_eq!(index.questions(0).map(|(field, _)| field).collect::<Vec<_>>(), [&tgrp]);
    assert_eq!(candidates(&index, &[(tgrp, b"g42")]), [42]);
    assert_eq!(index.changes(), Changes { number: false, params: true });
}

#[test]
fn a_node_has_as_many_look_ups_as_its_limit() {
    // Four routes of each length, three of the longest two: those are for every call.
    let of_len = |len: usize| {
        (0..if len > PROBES_MAX { 3 } else { 4 }).map(move |n| format!("{n}{}*", "1".repeat(len - 1)))
    };
    let all: Vec<_> = (1..=PROBES_MAX + 2).flat_map(of_len).map(|pattern| vec![number(&pattern)]).collect();
    let count = u32::try_from(all.len()).expect("few");
    let index = index(all).expect("an index");
    assert_eq!(index.questions(0).map(|(_, probes)| probes.len()).sum::<usize>(), PROBES_MAX);
    assert_eq!(candidates(&index, &[]), (count - 6..count).collect::<Vec<_>>());
}

#[test]
fn nodes_stand_behind_each_other_as_deep_as_their_limit() {
    // Each condition halves the rest.
    let bits =
        |n: usize| (0..10).map(|bit| param(&format!("p{bit}"), &format!("v{}", n >> bit & 1))).collect();
    let index = index((0..1024).map(bits).collect()).expect("an index");
    let (mut nodes, mut deep) = (vec![0], 0);
    while !nodes.is_empty() {
        deep += 1;
        let below = nodes.iter().flat_map(|&node| {
            let probes: Vec<Probe> = index.questions(node).flat_map(|(_, probes)| probes).copied().collect();
            [b"v0", b"v1"].map(|value| index.find(node, &probes, value).collect::<Vec<_>>()).concat()
        });
        nodes =
            below.filter_map(|found| if let Found::Node(node) = found { Some(node) } else { None }).collect();
    }
    assert_eq!(deep, NODES_DEEP_MAX);
}

#[test]
fn nodes_behind_nodes_take_a_bounded_number_of_keys() {
    // Half of sixteen numbers and half of sixteen hosts: each key leads to half of the routes, and all
    // of their other keys are wanted again behind each.
    let half = |n: usize| (0..8).map(move |k| (n + k) % 16);
    let rule = |n: usize| {
        let numbers = half(n).map(|k| NumberPattern::parse(&format!("1{k}")).expect("a number")).collect();
        let hosts =
            half(n * 7).map(|k| TextPattern::parse(&format!("h{k}"), true).expect("a host")).collect();
        vec![Condition::Number(TO, numbers), Condition::Host(TO, hosts)]
    };
    let all: Vec<_> = (0..400).map(rule).collect();
    let keys: usize = 2 * all
        .iter()
        .map(|when| match &when[0] {
            Condition::Number(_, numbers) => numbers.len(),
            _ => 0,
        })
        .sum::<usize>();
    let index = index(all).expect("an index");
    let held = index.positions.len() + index.keys.len();
    assert!(held > keys && held < (KEYS_PER_CLAUSE_MAX + 2) * keys, "{held} for {keys}");
}
