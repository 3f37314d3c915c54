//! Lists of routes with every kind of condition, setting and act. A route file is YAML, and JSON is YAML.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// A route file whose lists are long enough for an index, most of them.
pub(crate) fn routes() -> impl Strategy<Value = String> {
    // A list may jump to those after it.
    let lists = (vec(route(&["one", "two"]), 20..110), vec(route(&["two"]), 5..60), vec(route(&[]), 1..40));
    lists.prop_map(|(mut main, one, two)| {
        // What is named must be set, looked up and used somewhere.
        main.push(json!({ "when": { "host": "never", "in": "t" }, "set": { "var": { "v": "a" }, "normalise": "n" } }));
        main.push(json!({ "when": { "host": "never", "in": ["t", "p"] }, "jump": "one" }));
        main.push(json!({ "when": { "host": "never" }, "jump": "two" }));
        json!({
            "numbers": { "n": [ { "starts": "0", "strip": 1, "prefix": "+" } ] },
            "tables": {
                "t": { "file": "t.csv", "match": "exact", "columns": ["number", "rn"] },
                "p": { "file": "p.csv", "match": "prefix", "columns": ["prefix", "rn"] },
            },
            "lists": { "one": one, "two": two },
            "routes": main,
        })
        .to_string()
    })
}

fn route(jumps: &[&'static str]) -> impl Strategy<Value = Value> + use<> {
    (when(2), looked_up_first(), set(), then(jumps), 0..12_u8).prop_map(
        |(mut when, lookup, set, then, chance)| {
            // One condition, four times out of five: with more, routes hardly ever hold.
            if chance > 2 {
                when = when.into_iter().take(1).collect();
            }
            if chance == 11 {
                when = lookup;
            }
            let mut route = if chance == 0 { Map::new() } else { then };
            if !set.is_empty() {
                route.insert("set".to_owned(), set.into());
            } else if route.is_empty() {
                route.insert("set".to_owned(), json!({ "var": { "v": "b" } }));
            }
            // Routes that always hold set something; one that answers would hide the others.
            if chance != 0 {
                route.insert("when".to_owned(), when.into());
            }
            route.into()
        },
    )
}

/// A look-up that is done whether what comes after it holds or not.
fn looked_up_first() -> impl Strategy<Value = Map<String, Value>> {
    (select(vec!["t", "p"]), numbers()).prop_map(|(table, numbers)| {
        let pairs = [("in", json!(table)), ("all", json!([{ "number": numbers }]))];
        pairs.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
    })
}

fn then(jumps: &[&'static str]) -> BoxedStrategy<Map<String, Value>> {
    let act = |key: &str, value: Value| Map::from_iter([(key.to_owned(), value)]);
    let contacts = json!([
        "sip:{number}@number.example.net",
        "sip:{routing};x={param.x}@routing.example.net",
        "sip:v{var.v}@var.example.net",
        "sip:t{t.rn}@t.example.net",
        "sip:p{p.rn}@p.example.net",
    ]);
    let answer = Just(act("answer", json!({ "contacts": contacts })));
    let mut acts = vec![
        (24, Just(Map::new()).boxed()),
        (2, answer.boxed()),
        (
            2,
            select(vec![403, 404, 410, 480, 484, 486, 503, 603])
                .prop_map(move |code| act("answer", json!(code)))
                .boxed(),
        ),
        (1, Just(act("silence", json!(true))).boxed()),
        (
            2,
            select(vec![
                json!({ "table": "t", "rn": "rn" }),
                json!({ "table": "t", "rn": "rn", "format": "user", "again": true }),
            ])
            .prop_map(move |dip| act("dip", dip))
            .boxed(),
        ),
        (1, Just(act("enum", json!({ "apexes": ["e164.example.net"], "services": ["sip"] }))).boxed()),
    ];
    if !jumps.is_empty() {
        acts.push((3, select(jumps.to_vec()).prop_map(move |list| act("jump", json!(list))).boxed()));
    }
    prop::strategy::Union::new_weighted(acts).boxed()
}

fn set() -> impl Strategy<Value = Map<String, Value>> {
    let pair = |key: &str, value: Value| (key.to_owned(), value);
    let one = select(vec![
        pair("number", json!("{number|strip 1}")),
        pair("number", json!("+44{number|keep 2}")),
        pair("normalise", json!("n")),
        pair("var", json!({ "v": "{number}" })),
        pair("var", json!({ "v": "one" })),
        pair("tgrp", json!("Two")),
        pair("rn", json!("+4422")),
        pair("rn", json!("{t.rn}")),
        pair("params", json!({ "x": "ab" })),
        pair("params", json!({ "x": false })),
    ]);
    vec(one, 0..3).prop_map(|pairs| {
        let mut set: Map<String, Value> = pairs.into_iter().collect();
        if set.contains_key("rn") {
            set.insert("npdi".to_owned(), json!(true));
        }
        if set.contains_key("tgrp") {
            set.insert("trunk-context".to_owned(), json!("example.net"));
        }
        set
    })
}

/// Conditions that must all hold, nested as deep as this.
fn when(depth: u32) -> BoxedStrategy<Map<String, Value>> {
    let key = |key: &'static str, values: BoxedStrategy<Value>| {
        values.prop_map(move |value| (key.to_owned(), value)).boxed()
    };
    let some = |values: &[&'static str]| some(select(values.to_vec()).boxed());
    let mut one = vec![
        (
            8,
            key(
                "source",
                some(&[
                    "192.0.2.0/24",
                    "192.0.2.1",
                    "192.0.2.128/25",
                    "10.0.0.0/8",
                    "10.1.0.0/16",
                    "0.0.0.0/0",
                    "2001:db8::/32",
                    "2001:db8::7",
                ]),
            ),
        ),
        (1, key("listener", some(&["core", "edge"]))),
        (1, key("transport", some(&["udp", "tcp"]))),
        (1, key("certificate", some(&["a.example.net", "*.example.net", "*.example.org", "*"]))),
        (1, key("method", some(&["INVITE", "MESSAGE", "JUMP"]))),
        (1, key("scheme", some(&["sip", "tel"]))),
        (16, key("number", numbers())),
        (2, key("routing", numbers())),
        (2, key("user", texts())),
        (10, key("host", hosts())),
        (
            2,
            key(
                "params",
                select(vec![
                    json!({ "x": "ab" }),
                    json!({ "x": ["a*", "*B"] }),
                    json!({ "x": true }),
                    json!({ "x": false }),
                    json!({ "tgrp": "one" }),
                    json!({ "tgrp": "TWO" }),
                    json!({ "rn": "+4422" }),
                    json!({ "rn": false }),
                ])
                .boxed(),
            ),
        ),
        (
            1,
            key(
                "from",
                prop_oneof![
                    numbers().prop_map(|numbers| json!({ "number": numbers })),
                    texts().prop_map(|users| json!({ "user": users })),
                ]
                .boxed(),
            ),
        ),
        (
            1,
            key(
                "pai",
                prop_oneof![
                    numbers().prop_map(|numbers| json!({ "number": numbers })),
                    hosts().prop_map(|hosts| json!({ "host": hosts })),
                ]
                .boxed(),
            ),
        ),
        (
            1,
            key(
                "header",
                select(vec![json!({ "X-A": "one" }), json!({ "X-A": true }), json!({ "X-A": false })])
                    .boxed(),
            ),
        ),
        (1, key("time", select(vec![json!({ "zone": "UTC", "hours": "08:00-18:00" })]).boxed())),
        (
            2,
            key(
                "in",
                select(vec![
                    json!("t"),
                    json!("p"),
                    json!(["t", "p"]),
                    json!({ "table": "t", "key": "{from.number}" }),
                    json!({ "table": "p", "key": "{routing}" }),
                ])
                .boxed(),
            ),
        ),
        (
            1,
            key(
                "var",
                select(vec![
                    json!({ "var.v": "+44*" }),
                    json!({ "var.v": "one" }),
                    json!({ "t.rn": "+4422" }),
                ])
                .boxed(),
            ),
        ),
    ];
    if depth > 0 {
        let inner = || when(depth - 1);
        one.push((1, key("not", inner().prop_map(Value::from).boxed())));
        one.push((3, key("any", vec(inner().prop_map(Value::from), 1..4).prop_map(Value::from).boxed())));
        one.push((1, key("all", vec(inner().prop_map(Value::from), 1..3).prop_map(Value::from).boxed())));
    }
    vec(prop::strategy::Union::new_weighted(one), 1..4).prop_map(|pairs| pairs.into_iter().collect()).boxed()
}

/// One value, or several.
fn some(values: BoxedStrategy<&'static str>) -> BoxedStrategy<Value> {
    vec(values, 1..4)
        .prop_map(|values| if let [value] = values[..] { json!(value) } else { json!(values) })
        .boxed()
}

fn numbers() -> BoxedStrategy<Value> {
    let pattern = select(vec![
        "+4411",
        "+4412",
        "+4421",
        "+4422",
        "44",
        "4411",
        "1",
        "2",
        "12",
        "+44*",
        "+441*",
        "+442*",
        "+4*",
        "4*",
        "1*",
        "2*",
        "*",
        "+4411-+4412",
        "+4411-+4421",
        "+4419-+4422",
        "11-21",
        "100-222",
        "/^.442/",
        "/1$/",
    ]);
    some(pattern.boxed())
}

fn texts() -> BoxedStrategy<Value> {
    some(
        select(vec!["alice", "Alice", "+44*", "+441*", "*11", "*2", "*", "/^[a-z]+$/", "+4411", "A*"])
            .boxed(),
    )
}

fn hosts() -> BoxedStrategy<Value> {
    let pattern = select(vec![
        "a.example.net",
        "B.example.net",
        "*.example.net",
        "*.EXAMPLE.org",
        "192.0.2.*",
        "a*",
        "*",
        "/^b/",
        "[2001:db8::1]",
    ]);
    some(pattern.boxed())
}
