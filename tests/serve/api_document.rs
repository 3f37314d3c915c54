//! The OpenAPI document of the admin port, held against what a running server says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    admin::Said,
    api::{EXPLAINED, Scene},
    harness::eventually,
};

/// The document, and the answers seen.
struct Document {
    value: Value,
    seen: BTreeSet<(String, u16)>,
}

/// A request to one operation.
struct Request<'r> {
    id: &'r str,
    /// What stands in the path for its `{name}`.
    name: &'r str,
    query: &'r str,
    headers: &'r [(&'r str, &'r str)],
    body: &'r str,
}

const HOST: (&str, &str) = ("Host", "127.0.0.1");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const NUMBERS: (&str, &str) = ("Content-Type", "text/plain");
const OURS: (&str, &str) = ("X-Waypost", "1");

impl Document {
    fn of(scene: &Scene) -> Self {
        let value = scene.server.get("/api/v1/openapi.json").json();
        assert_eq!(value["openapi"], "3.1.0");
        Self { value, seen: BTreeSet::new() }
    }

    /// Every method of every path: its operation.
    fn operations(&self) -> Vec<(String, String, Value)> {
        let paths = self.value["paths"].as_object().unwrap();
        let methods = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().unwrap().clone().into_iter();
            let path = path.clone();
            methods
                .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
                .collect::<Vec<_>>()
        };
        paths.iter().flat_map(methods).collect()
    }

    fn send(&mut self, scene: &Scene, request: &Request<'_>) -> Said {
        let operations = self.operations();
        let found = operations.iter().find(|(.., operation)| operation["operationId"] == request.id);
        let (method, path, operation) = found.unwrap_or_else(|| panic!("no operation {}", request.id));
        let path = format!("{}{}", path.replace("{name}", request.name), request.query);
        let said = scene.server.ask(method, &path, request.headers, request.body);
        self.check(operation, request.id, &said);
        said
    }

    /// The answer is one of those described, and of its schema.
    fn check(&mut self, operation: &Value, id: &str, said: &Said) {
        let described = &operation["responses"][said.status.to_string()];
        assert!(described.is_object(), "{id}: {} is not described: {}", said.status, said.body);
        self.seen.insert((id.to_owned(), said.status));
        let content = described["content"].as_object().unwrap();
        if content.contains_key("text/html") {
            assert!(said.body.starts_with("<!doctype html>"), "{id}");
            return;
        }
        if content.contains_key("text/plain") {
            assert!(!said.body.is_empty(), "{id}");
            return;
        }
        let mut schema = content["application/json"]["schema"].clone();
        schema["components"] = self.value["components"].clone();
        strict(&mut schema);
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{id}: {error}"));
        let answer = said.json();
        let faults: Vec<_> = validator
            .iter_errors(&answer)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{id} {}: {faults:#?} in {}", said.status, said.body);
    }
}

/// A key that is not described is a fault here; to readers it is none, for keys may be added.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let is_whole = !["allOf", "anyOf", "oneOf"].iter().any(|word| map.contains_key(*word));
            if map.get("type") == Some(&json!("object")) && map.contains_key("properties") && is_whole {
                map.entry("additionalProperties").or_insert(json!(false));
            }
            map.values_mut().for_each(strict);
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

const fn get<'r>(id: &'r str, query: &'r str) -> Request<'r> {
    Request { id, name: "lon1", query, headers: &[HOST], body: "" }
}

const fn post<'r>(id: &'r str, body: &'r str) -> Request<'r> {
    Request { id, name: "lon1", query: "", headers: &[HOST, JSON], body }
}

#[test]
fn every_operation_answers_as_its_document_says() {
    let scene = Scene::of_a_server("");
    scene.call();
    eventually("a second of rates", || {
        !scene.server.get("/api/v1/rates").json()["seconds"].as_array().unwrap().is_empty()
    });
    let mut document = Document::of(&scene);
    let calls = Request { headers: &[HOST, NUMBERS, OURS], ..post("diff", "+441\n+442\nnobody\n") };
    let oks = [
        get("page", ""),
        get("metrics", ""),
        get("healthz", ""),
        get("readyz", ""),
        get("openapi", ""),
        get("status", ""),
        get("rates", ""),
        get("rates", "?since=1"),
        get("routes", "?name=e&limit=3&from=1"),
        get("routes", "?order=last"),
        get("tables", ""),
        post("gatewayDown", ""),
        get("gateways", ""),
        post("gatewayUp", ""),
        post("gatewayAuto", ""),
        get("top", ""),
        get("top", "?n=3"),
        post("explain", EXPLAINED),
        post("explain", r#"{"number":"+441632960123","down":["lon1"]}"#),
        post("explain", r#"{"number":"+33"}"#),
        post("explain", r#"{"raw":"ACK sip:a@b SIP/2.0"}"#),
        calls,
        Request { headers: &[HOST, NUMBERS], ..post("diffOld", "+441\n") },
        post("reload", ""),
        Request { headers: &[HOST], ..post("reloadOld", "") },
        post("drain", ""),
        post("undrain", ""),
        get("dns", ""),
        get("dnsCache", ""),
        get("dnsCacheOld", ""),
        post("logLevelSet", ""),
        get("logLevel", ""),
        post("setLogLevel", r#"{"level":"info"}"#),
        post("dnsFlush", r#"{"name":"nobody.example"}"#),
        post("dnsFlush", r#"{"all":true}"#),
    ];
    for ok in oks.into_iter().filter(|ok| ok.id != "logLevelSet") {
        let said = document.send(&scene, &ok);
        assert_eq!(said.status, 200, "{}: {}", ok.id, said.body);
    }
    scene.call();
    let known = format!("?name={}&type=NAPTR", scene.known);
    for (query, found) in [(&*known, true), ("?name=nobody.example&type=A", false)] {
        assert_eq!(document.send(&scene, &get("dnsCache", query)).json()["found"], found);
    }

    let too_long = "x".repeat(waypost::limits::ADMIN_BODY_BYTES_MAX + 1);
    for (refused, status) in [
        (get("routes", "?limit=x"), 400),
        (get("rates", "?since=now"), 400),
        (get("top", "?n=0"), 400),
        (get("dnsCache", "?name=a&type=MX"), 400),
        (post("explain", "{}"), 400),
        (post("explain", r#"{"number":"+44","down":["nobody"]}"#), 400),
        (post("explain", &too_long), 413),
        (Request { name: "nobody", ..post("gatewayDown", "") }, 404),
        (Request { name: "%ff", ..post("gatewayUp", "") }, 400),
        (post("dnsFlush", "[]"), 400),
        (post("dnsFlush", &too_long), 413),
        (post("setLogLevel", r#"{"level":"loud"}"#), 400),
        (post("setLogLevel", &too_long), 413),
        (post("diff", "+44\n"), 415),
        (Request { query: "?limit=x", headers: &[HOST, NUMBERS, OURS], ..post("diff", "") }, 400),
        (Request { headers: &[HOST], ..post("drain", "") }, 403),
    ] {
        assert_eq!(document.send(&scene, &refused).status, status, "{} {}", refused.id, refused.query);
    }
    for (.., operation) in document.operations() {
        let id = operation["operationId"].as_str().unwrap();
        if operation["security"] != json!([]) {
            let foreign = Request { headers: &[("Host", "evil.example"), JSON], ..get(id, "") };
            assert_eq!(document.send(&scene, &foreign).status, 403, "{id}");
        }
    }
    scene.routes.write("routes: [{ answer: { contact: nowhere } }]");
    for id in ["reload", "reloadOld"] {
        assert_eq!(document.send(&scene, &post(id, "")).status, 422);
    }
    let calls = Request { headers: &[HOST, NUMBERS, OURS], ..post("diff", "+441\n") };
    assert_eq!(document.send(&scene, &calls).status, 422);
    // The history has a failure now.
    assert_eq!(document.send(&scene, &get("status", "")).status, 200);

    let unseen: Vec<_> = document
        .operations()
        .into_iter()
        .filter(|(.., operation)| {
            let id = operation["operationId"].as_str().unwrap();
            !document.seen.contains(&(id.to_owned(), 200))
        })
        .collect();
    assert!(unseen.is_empty(), "operations that were not tried: {unseen:?}");
}

#[test]
fn every_operation_but_the_page_metrics_and_probes_wants_the_token() {
    let scene = Scene::of_a_server("admin: {address: \"127.0.0.1:0\", token_file: DIR/token}\n");
    let shown = [HOST, ("Authorization", "Bearer the-first-token-0")];
    let said = scene.server.ask("GET", "/api/v1/openapi.json", &shown, "");
    let mut document = Document { value: said.json(), seen: BTreeSet::new() };
    for (.., operation) in document.operations() {
        let id = operation["operationId"].as_str().unwrap();
        let is_open = operation["security"] == json!([]);
        let expected = if is_open { 200 } else { 401 };
        assert_eq!(document.send(&scene, &get(id, "")).status, expected, "{id}");
    }
    let open: Vec<_> =
        document.seen.iter().filter(|(_, status)| *status == 200).map(|(id, _)| &**id).collect();
    assert_eq!(open, ["healthz", "metrics", "page", "readyz"]);
}

#[test]
fn the_document_names_nothing_twice_and_nothing_that_is_not_there() {
    let scene = Scene::of_a_server("");
    let document = Document::of(&scene);
    let ids: Vec<_> = document.operations().iter().map(|(.., it)| it["operationId"].to_string()).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{ids:?}");
    assert!(ids.len() >= 20);
    let text = document.value.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.value.pointer(reference).is_some(), "{reference}");
    }
    for (_, path, operation) in document.operations() {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let told: Vec<_> = parameters.filter(|it| it["in"] == "path").map(|it| &it["name"]).collect();
        let written: Vec<_> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        assert_eq!(told, written, "{path}");
    }
    // What a wrong path is answered with is the same list.
    let listed = scene.server.get("/no-such-path").body;
    for (method, path, operation) in document.operations() {
        let is_old = operation["operationId"].as_str().unwrap().ends_with("Old");
        let has_old = document.operations().iter().any(|(.., other)| {
            other["operationId"] == format!("{}Old", operation["operationId"].as_str().unwrap())
        });
        if is_old || !has_old {
            let line = listed.lines().find(|line| line.split_whitespace().take(2).eq([&*method, &*path]));
            assert!(line.is_some(), "{method} {path} in {listed}");
        }
    }
}
