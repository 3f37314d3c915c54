//! What was looked for ahead of a decision changes no answer: whatever was looked for, and whatever became of the table and
//! the cache since.

#![allow(missing_docs)]

#[path = "../benches/stages/scene.rs"]
#[allow(dead_code)]
mod scene;

use scene::{NOW, PATH, Scene};
use waypost::{
    engine::{Engine, Outcome},
    limits::NUMBERS_AHEAD_MAX,
    route::RouteTable,
};

/// Rows of a table that is looked ahead in.
const PREFIXES: u32 = 130_000;

/// The answers to all requests. With a shift, what is looked for ahead of each batch is for those so many places further on.
fn answers(
    engine: &mut Engine,
    requests: &[Vec<u8>],
    table: &RouteTable,
    shift: Option<usize>,
) -> Vec<Vec<u8>> {
    let mut out = vec![0; 65_536];
    let answer = |(index, request): (usize, &Vec<u8>)| {
        if let Some(shift) = shift.filter(|_| index % NUMBERS_AHEAD_MAX == 0) {
            engine.look_ahead(requests.iter().cycle().skip(index + shift).map(Vec::as_slice), table);
        }
        match engine.datagram(request, PATH, table, NOW, &mut out) {
            (_, Outcome::Send { reply, .. }) => out[..reply.len].to_vec(),
            (_, outcome) => panic!("{outcome:?}"),
        }
    };
    requests.iter().enumerate().map(answer).collect()
}

#[test]
fn right_guesses_and_wrong_ones_change_no_answer() {
    for way in ["prefix", "enum", "deck", "dip", "static"] {
        let mut scene = Scene::new(way, "small", PREFIXES).expect("a scene");
        assert_eq!(scene.table.ahead.is_empty(), way != "prefix", "{way}");
        assert_eq!(scene.table.apex_ahead.is_some(), way == "enum", "{way}");
        let (engine, requests, table) = (&mut scene.engine, &scene.requests, &mut scene.table);
        table.ahead = (0..table.tables.len()).collect();
        let plain = answers(engine, requests, table, None);
        for shift in 0..NUMBERS_AHEAD_MAX {
            assert_eq!(answers(engine, requests, table, Some(shift)), plain, "{way}, {shift} off");
        }
    }
}

#[test]
fn guesses_for_another_table_change_no_answer() {
    let mut scene = Scene::new("prefix", "small", PREFIXES).expect("a scene");
    // With the same rows for these numbers, in other places.
    let other = Scene::new("prefix", "small", 2000).expect("a scene").table;
    let (engine, requests) = (&mut scene.engine, &scene.requests);
    let plain = answers(engine, requests, &other, None);
    let mut out = vec![0; 65_536];
    for (request, plain) in requests.iter().zip(&plain) {
        engine.look_ahead(std::iter::once(request.as_slice()), &scene.table);
        let (_, outcome) = engine.datagram(request, PATH, &other, NOW, &mut out);
        let Outcome::Send { reply, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(&out[..reply.len], plain);
    }
}

#[test]
fn guesses_for_what_is_no_longer_cached_ask_again() {
    let mut scene = Scene::new("enum", "small", 0).expect("a scene");
    let request = &scene.requests[0];
    scene.engine.look_ahead(scene.requests.iter().map(Vec::as_slice), &scene.table);
    drop(scene.engine.forget_all());
    let (_, outcome) = scene.engine.datagram(request, PATH, &scene.table, NOW, &mut scene.out);
    assert_eq!(outcome, Outcome::Wait);
    assert!(scene.engine.next_question(NOW).is_some());
}
