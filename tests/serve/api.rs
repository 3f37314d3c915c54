//! The admin API of a running server: what it shows, what it changes.

use std::{fs, path::Path};

use hickory_resolver::proto::op::ResponseCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    admin::Said,
    caller::{Caller, header, invite, request, status},
    harness::{KEY, Routes, Server, eventually, refuse_with},
    names::{Names, Reply, name_of, naptr},
    run::waypost,
};

const ROUTES: &str = "
gateways:
  lon1: sip:sbc1.lon.example.net;transport=tcp
  lon2: { uri: sip:sbc2.lon.example.net, prefix: '7' }
groups:
  london: [ lon1, { to: lon2, tier: 2, weight: 3 } ]
tables:
  ported: { file: ported.csv, match: exact, columns: [number, rn] }
routes:
  - name: ported
    when: { in: ported }
    answer: { contacts: [london] }
  - name: enum
    when: { number: '+44*' }
    enum: { apexes: [e164.example.net], not_found: next, failed: next }
  - name: nowhere
    answer: 404
";

/// A call that is explained.
pub(crate) const EXPLAINED: &str = r#"{"number":"+441632960123","domain":"waypost.example.net","source":"192.0.2.7","from":"+441632960999","transport":"udp","method":"INVITE","headers":["X-Trunk: gold"]}"#;

/// A server whose routes ask DNS, and a table of which one number is.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) routes: Routes,
    /// A name that DNS knows.
    pub(crate) known: String,
    names: Names,
    dir: TempDir,
}

impl Scene {
    /// With this besides in its configuration; `DIR` is a directory that has a token.
    pub(crate) fn of_a_server(config: &str) -> Self {
        let known = name_of("442079460123", "e164.example.net");
        let names = Names::start({
            let known = known.clone();
            move |name, _| {
                if name == known {
                    Reply::Records(vec![naptr(1, 1, "E2U+sip", "sip:alice@example.net")])
                } else {
                    Reply::Code(ResponseCode::NXDomain)
                }
            }
        });
        let routes = Routes::of(ROUTES);
        fs::write(routes.path().join("ported.csv"), "+441632960123,+4499\n").unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("token"), "the-first-token-0\n").unwrap();
        let config = config.replace("DIR", &dir.path().display().to_string());
        let server = Server::start(routes.path(), &format!("{KEY}{}{config}", names.config()));
        Self { server, routes, known, names, dir }
    }

    /// A call that ENUM answers.
    pub(crate) fn call(&self) {
        let answer = Caller::here()
            .ask(self.server.address(), &invite("one", "sip:+442079460123@waypost.example.net"));
        assert_eq!((status(&answer), header(&answer, "Contact")), (302, "<sip:alice@example.net>;q=0.99"));
    }

    fn get(&self, path: &str) -> Value {
        let said = self.server.get(&format!("/api/v1/{path}"));
        assert_eq!(said.status, 200, "{}", said.body);
        said.json()
    }

    fn post(&self, path: &str, body: &Value) -> Said {
        self.server.post(&format!("/api/v1/{path}"), body)
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }
}

#[test]
fn the_status_says_what_serves_and_how_the_last_reloads_went() {
    let scene = Scene::of_a_server("");
    let status = scene.get("status");
    assert_eq!(
        (&status["version"], &status["ready"], &status["missing"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!(true), &json!([]))
    );
    assert_eq!(status["listeners"][0]["address"], scene.server.address().to_string());
    let table = &status["table"];
    assert_eq!(
        (&table["generation"], &table["routes"], &table["gateways"], &table["groups"], &table["tables"]),
        (&json!(1), &json!(3), &json!(2), &json!(1), &json!(1))
    );
    assert_eq!(status["reloads"]["history"], json!([]));

    scene.routes.write(
        &ROUTES.replace("name: nowhere", "name: elsewhere").replace("number: '+44*'", "number: '+4*'"),
    );
    assert_eq!(scene.post("reload", &json!({})).status, 200);
    scene.routes.write("routes: [{ answer: { contact: nowhere } }]");
    assert_eq!(scene.post("reload", &json!({})).status, 422);
    let status = scene.get("status");
    let reloads = &status["reloads"];
    assert_eq!((&reloads["failing"], &status["table"]["generation"]), (&json!(true), &json!(2)));
    let history = reloads["history"].as_array().unwrap();
    // The newest first. The watcher may have been quicker than we were.
    let failed = history.iter().find(|past| past["result"] == "failed").unwrap();
    assert_eq!(failed["diagnostics"][0]["message"], "no gateway or group `nowhere`; none is defined");
    let loaded = history.iter().find(|past| past["result"] == "loaded").unwrap();
    assert_eq!(loaded["changes"], json!({ "added": 1, "removed": 1, "changed": 1 }));
    assert!(history.iter().position(|past| past == failed) < history.iter().position(|past| past == loaded));
}

#[test]
fn routes_tables_and_gateways_are_those_in_service() {
    let scene = Scene::of_a_server("");
    let quiet = scene.get("routes");
    let shown = |routes: &Value| -> Vec<(String, u64, bool)> {
        let of = |route: &Value| {
            let name = route["name"].as_str().unwrap().to_owned();
            (name, route["hits"].as_u64().unwrap(), route["last_hit_unix_s"].is_i64())
        };
        routes["routes"].as_array().unwrap().iter().map(of).collect()
    };
    let row = |name: &str, hits, was_hit| (name.to_owned(), hits, was_hit);
    assert_eq!(shown(&quiet), [row("ported", 0, false), row("enum", 0, false), row("nowhere", 0, false)]);
    assert_eq!(
        (&quiet["routes"][1]["file"], &quiet["routes"][1]["line"]),
        (&json!("routes.yaml"), &json!(13))
    );
    scene.call();
    eventually("the hit is seen", || shown(&scene.get("routes"))[1] == row("enum", 1, true));
    let some = scene.get("routes?name=e&from=1&limit=1");
    assert_eq!((&some["total"], shown(&some)), (&json!(3), vec![row("enum", 1, true)]));

    let tables = scene.get("tables");
    let table = &tables["tables"][0];
    assert_eq!(
        (&table["name"], &table["file"], &table["kind"], &table["entries"], &table["columns"]),
        (&json!("ported"), &json!("ported.csv"), &json!("exact"), &json!(1), &json!(["number", "rn"]))
    );
    assert!(table["bytes"].as_u64().unwrap() > 0);

    let gateways = scene.get("gateways");
    assert_eq!(
        gateways["gateways"],
        json!([
            { "name": "lon1", "uri": "sip:sbc1.lon.example.net;transport=tcp", "file": "routes.yaml", "line": 3,
              "groups": [{ "group": "london", "tier": 1, "weight": 1 }],
              "up": true, "mark": "auto", "probed": false, "last_probe": null, "changed_unix_s": null },
            { "name": "lon2", "uri": "sip:sbc2.lon.example.net", "file": "routes.yaml", "line": 4,
              "groups": [{ "group": "london", "tier": 2, "weight": 3 }],
              "up": true, "mark": "auto", "probed": false, "last_probe": null, "changed_unix_s": null },
        ])
    );
}

#[test]
fn a_call_is_explained_as_the_command_explains_it_and_not_counted() {
    let scene = Scene::of_a_server("");
    scene.call();
    let (routes, admin) = (scene.routes.path().to_str().unwrap(), scene.server.admin.to_string());
    let listen = format!("udp:{}", scene.server.address());
    for uri in ["sip:+441632960123@waypost.example.net", "+442079460123", "+442079460124", "+33"] {
        let of_command = waypost(&[
            "explain",
            uri,
            "--live",
            "--json",
            "--from",
            "192.0.2.7",
            "--at",
            "2026-12-24T10:00:00Z",
            "--routes",
            routes,
            "--admin",
            &admin,
            "--listen",
            &listen,
            "--config",
            &config_of_key(scene.dir()),
        ]);
        assert_eq!(of_command.err, "", "{uri}");
        let mut of_command: Value = serde_json::from_str(&of_command.out).unwrap();
        let asked = json!({ "uri": uri, "source": "192.0.2.7", "at": "2026-12-24T10:00:00Z" });
        let said = scene.post("explain", &asked);
        assert_eq!(said.status, 200, "{}", said.body);
        let mut of_api = said.json();
        for told in [&mut of_command, &mut of_api] {
            // What passes meanwhile, and what the two call the place.
            told["live"]["admin"].take();
            for question in told["live"]["dns"].as_array_mut().unwrap() {
                question["fresh_for_ms"].take();
            }
            told["listener"].take();
        }
        assert_eq!(of_api, of_command, "{uri}");
    }
    let answers = scene.get("routes");
    assert_eq!(answers["routes"][0]["hits"], 0, "explaining is no call");

    let raw = invite("one", "sip:+441632960123@waypost.example.net");
    let told = scene.post("explain", &json!({ "raw": raw })).json();
    assert_eq!((&told["request"], &told["verdict"]["route"]["name"]), (&json!(raw), &json!("ported")));
    let answer = Caller::here().ask(scene.server.address(), &raw);
    let of = |text: &str| header(text, "Contact").to_owned();
    assert_eq!(of(told["verdict"]["answer"].as_str().unwrap()), of(&answer));
    let nobody = scene.post("explain", &json!({ "number": "+44", "listener": "nobody" }));
    assert_eq!(nobody.status, 400);
    assert!(nobody.body.contains("there is no listener \\\"nobody\\\""), "{}", nobody.body);

    let shown = json!({ "number": "+44", "certificate": ["SBC.example.com", "example.com"] });
    let told = scene.post("explain", &shown).json();
    let names = json!(["sbc.example.com", "example.com"]);
    assert_eq!((&told["transport"], &told["certificate"]), (&json!("tls"), &names));
    let over_udp = json!({ "number": "+44", "certificate": ["example.com"], "transport": "udp" });
    let refused = scene.post("explain", &over_udp);
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("a certificate is shown over tls only"), "{}", refused.body);
}

/// A configuration with the key that the server has: it decides what is drawn.
fn config_of_key(dir: &Path) -> String {
    let file = dir.join("key.yaml");
    fs::write(&file, KEY).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_drained_server_is_sent_no_calls_until_it_is_told_otherwise() {
    let scene = Scene::of_a_server("");
    let (caller, address) = (Caller::here(), scene.server.address());
    let mut pings = 0;
    let mut ping = || {
        pings += 1;
        status(&caller.ask(address, &request("OPTIONS", &format!("ping-{pings}"), &format!("sip:{address}"))))
    };
    assert_eq!((ping(), scene.server.get("/readyz").status), (200, 200));
    assert_eq!(scene.post("drain", &json!({})).json(), json!({ "draining": true }));
    eventually("OPTIONS say 503", || ping() == 503);
    assert_eq!(scene.server.get("/readyz").status, 503);
    assert_eq!(scene.get("status")["missing"], json!(["the server is draining"]));
    scene.call();
    assert_eq!(scene.post("undrain", &json!({})).json(), json!({ "draining": false }));
    eventually("OPTIONS say 200", || ping() == 200);
    assert_eq!(scene.server.get("/readyz").status, 200);
}

#[test]
fn what_is_flushed_is_asked_for_again() {
    let scene = Scene::of_a_server("workers: 2\n");
    let asked = || scene.names.seen().iter().filter(|seen| seen.starts_with(&scene.known)).count();
    scene.call();
    let asked_once = asked();
    let forgotten = |body: Value| scene.post("dns/flush", &body).json()["forgotten"].clone();
    assert_eq!(forgotten(json!({ "name": "nobody.example" })), 0);
    assert_eq!(forgotten(json!({ "name": scene.known })), 1);
    assert_eq!(forgotten(json!({ "name": scene.known })), 0);
    scene.call();
    assert!(asked() > asked_once);
    scene.server.until("waypost_dns_cache_entries", 1.0);
    assert_eq!(scene.get("dns")["cache"]["entries"], 1);
    assert_eq!(forgotten(json!({ "all": true })), 1);
    scene.server.until("waypost_dns_cache_entries", 0.0);
    let asked_twice = asked();
    scene.call();
    assert!(asked() > asked_twice);
    let servers = scene.get("dns");
    assert_eq!(servers["servers"][0]["up"], true);
    assert!(servers["servers"][0]["rtt_us"].is_u64(), "{servers}");
}

#[test]
fn rates_are_those_of_the_seconds_gone() {
    let scene = Scene::of_a_server("");
    let sum = |key: &str| -> Option<u64> {
        let rates = scene.get("rates");
        let seconds = rates["seconds"].as_array().unwrap();
        let counts = seconds.iter().map(|second| second.pointer(key).unwrap().as_u64().unwrap());
        (!seconds.is_empty()).then(|| counts.sum())
    };
    // What comes before the first look is not in them.
    eventually("a second has gone", || sum("/requests") == Some(0));
    scene.call();
    eventually("the call is in the rates", || sum("/requests") == Some(1));
    assert_eq!((sum("/answers/3xx"), sum("/answers/4xx"), sum("/dns_waits")), (Some(1), Some(0), Some(1)));
}

#[test]
fn the_log_level_changes_while_the_server_runs() {
    let scene = Scene::of_a_server("");
    assert_eq!(scene.get("log/level"), json!({ "level": "info", "configured": "info" }));
    let said = scene.post("log/level", &json!({ "level": "debug" }));
    assert_eq!(said.json(), json!({ "level": "debug", "configured": "info" }));
    let is_told =
        || scene.server.log().iter().any(|line| line.contains("DEBUG") && line.contains("routes unchanged"));
    // The watcher looks again at what it was told of, in silence but for debug. Now and then, for what is written without
    // a pause is not read; and more than once, for the first time it may not look yet.
    let mut looks = 0;
    eventually("a debug line", || {
        if looks % 200 == 0 {
            scene.routes.write(ROUTES);
        }
        looks += 1;
        is_told()
    });
    assert_eq!(scene.post("log/level", &json!({ "level": "loud" })).status, 400);
}

#[test]
fn the_token_is_read_again_with_each_reload() {
    let scene = Scene::of_a_server("admin: {address: \"127.0.0.1:0\", token_file: DIR/token}\n");
    let ask = |token: &str| {
        let shown = format!("Bearer {token}");
        let headers = [("Host", "waypost.example"), ("Authorization", &*shown), ("X-Waypost", "1")];
        scene.server.ask("POST", "/api/v1/reload", &headers, "").status
    };
    assert_eq!((ask("the-first-token-0"), ask("the-second-token-0"), ask("")), (200, 401, 401));
    fs::write(scene.dir().join("token"), "short\n").unwrap();
    let headers = [("Host", "waypost.example"), ("Authorization", "Bearer the-first-token-0")];
    let said = scene.server.ask("POST", "/-/reload", &headers, "");
    assert_eq!(said.status, 422, "{}", said.body);
    assert!(said.body.contains("has 5 characters, expected 16 to 256"), "{}", said.body);
    fs::write(scene.dir().join("token"), "the-second-token-0\n").unwrap();
    eventually("the new token holds", || ask("the-second-token-0") == 200);
    assert_eq!(ask("the-first-token-0"), 401);
    let log = scene.server.log().join("\n");
    assert!(!log.contains("the-first-token") && !log.contains("the-second-token"), "{log}");
}

#[test]
fn beyond_loopback_and_without_a_token_only_metrics_and_probes_are_answered() {
    let routes = Routes::of(&refuse_with(404));
    let server = Server::start_at("0.0.0.0:0", &["udp:127.0.0.1:0"], routes.path(), KEY);
    for (path, status) in
        [("/metrics", 200), ("/healthz", 200), ("/readyz", 200), ("/api/v1/status", 403), ("/dns/cache", 403)]
    {
        let said = server.get(path);
        assert_eq!(said.status, status, "{path}: {}", said.body);
        if status == 403 {
            assert!(said.json()["error"].as_str().unwrap().contains("token_file: FILE"), "{}", said.body);
        }
    }
    assert_eq!(server.reload().status, 403);
    assert!(
        server
            .log()
            .iter()
            .any(|line| line.contains("has no token: beyond metrics and probes it answers nobody"))
    );
}
