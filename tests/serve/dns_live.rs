//! `explain --live` and `GET /dns/cache`: what a running server knows of DNS.

use std::{fs, net::TcpListener};

use hickory_resolver::proto::op::ResponseCode;
use serde_json::{Value, json};

use crate::{
    caller::{Caller, header, invite, status},
    harness::{KEY, Routes, Server},
    names::{Names, Reply, name_of, naptr},
    run::{Ran, waypost},
};

const ROUTES: &str = "
routes:
  - name: enum
    enum: { apexes: [a.example.net, b.example.net], not_found: next, failed: next }
  - name: fallback
    answer: 404
";

/// A server that has been called for +442079460123, which only the second apex knows.
struct Called {
    server: Server,
    routes: Routes,
    names: Names,
}

fn called() -> Called {
    let known = name_of("442079460123", "b.example.net");
    let names = Names::start(move |name, _| {
        if name == known {
            Reply::Records(vec![naptr(1, 1, "E2U+sip", "sip:alice@example.net")])
        } else {
            Reply::Code(ResponseCode::NXDomain)
        }
    });
    let routes = Routes::of(ROUTES);
    let server = Server::start(routes.path(), &format!("{KEY}{}", names.config()));
    let answer =
        Caller::here().ask(server.address(), &invite("one", "sip:+442079460123@waypost.example.net"));
    assert_eq!((status(&answer), header(&answer, "Contact")), (302, "<sip:alice@example.net>;q=0.99"));
    Called { server, routes, names }
}

impl Called {
    fn explain(&self, uri: &str, more: &[&str]) -> Ran {
        let (routes, admin) = (self.routes.path().to_str().unwrap(), self.server.admin.to_string());
        waypost(&[&["explain", uri, "--routes", routes, "--admin", &admin, "--live"], more].concat())
    }

    fn explain_json(&self, uri: &str) -> Value {
        let ran = self.explain(uri, &["--json"]);
        assert_eq!(ran.err, "");
        serde_json::from_str(&ran.out).unwrap()
    }
}

/// A number of milliseconds or seconds that is left of 300 s.
fn is_left(value: &Value, whole: u64) -> bool {
    value.as_u64().is_some_and(|left| left > 0 && left <= whole)
}

#[test]
fn explain_live_decides_as_the_server_does() {
    let called = called();
    let seen = called.names.seen();
    let ran = called.explain("sip:+442079460123@waypost.example.net", &["--at", "2026-01-01T00:00:00Z"]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    let [first, second] = ["a", "b"].map(|apex| name_of("442079460123", &format!("{apex}.example.net")));
    let admin = called.server.admin;
    // The seconds that are left are not known here.
    let lines: Vec<_> = ran
        .out
        .split("\nSIP/2.0 ")
        .next()
        .unwrap()
        .lines()
        .map(|line| match line.split_once(", fresh for ") {
            Some((head, left)) => {
                let left: u64 = left.strip_suffix(" s").unwrap().parse().unwrap();
                assert!((1..=300).contains(&left), "{line}");
                format!("{head}, fresh")
            }
            None => line.to_owned(),
        })
        .collect();
    assert_eq!(
        lines.join("\n"),
        format!(
            r#"INVITE sip:+442079460123@waypost.example.net
from 127.0.0.1:5060 to 127.0.0.1:5060 (listener "default", udp), at 2026-01-01T00:00:00Z
live: DNS as the cache of the server at {admin} has it; its routes are generation 1

list routes
  route enum  routes.yaml:3:5
    yes  no condition
    =>   asks ENUM under a.example.net., b.example.net.
    contact  q=0.990  sip:alice@example.net

DNS as the server knows it (what is not in its cache counts above as not answered)
  NAPTR {first}: no such name (NXDOMAIN), ttl 0 s, fresh
  NAPTR {second}: 1 record, ttl 300 s, fresh

answer 302 by route enum, {} bytes to 127.0.0.1:5060"#,
            ran.out.split("answer 302 by route enum, ").nth(1).unwrap().split(' ').next().unwrap()
        )
    );
    assert!(ran.out.contains("\r\nContact: <sip:alice@example.net>;q=0.99\r\n"), "{}", ran.out);
    assert_eq!(called.names.seen(), seen, "nobody asked DNS");

    let told = called.explain_json("sip:+442079460123@waypost.example.net");
    let live = &told["live"];
    assert_eq!(
        (&live["admin"], &live["generation"], &live["same_routes"], &told["would_ask"]),
        (&json!(admin.to_string()), &json!(1), &json!(true), &json!([]))
    );
    assert_eq!(live["routes_hash"], told["routes_hash"]);
    assert_eq!(live["dns"][0]["question"], format!("NAPTR {first}"));
    assert_eq!(live["dns"][0]["answer"], json!({ "result": "nxdomain", "ttl_s": 0 }));
    assert_eq!(live["dns"][1]["answer"]["records"][0]["regexp"], "!^.*$!sip:alice@example.net!");
    assert!(is_left(&live["dns"][1]["fresh_for_ms"], 300_000), "{live}");
}

#[test]
fn what_the_cache_does_not_have_is_said_and_counts_as_not_answered() {
    let called = called();
    let seen = called.names.seen();
    let ran = called.explain("+442079460199", &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for apex in ["a", "b"] {
        let name = name_of("442079460199", &format!("{apex}.example.net"));
        let line = format!("\n  NAPTR {name}: not in the cache: the server would ask\n");
        assert!(ran.out.contains(&line), "{}", ran.out);
    }
    assert!(ran.out.contains("\n    note ENUM did not answer in time\n"), "{}", ran.out);
    assert!(ran.out.contains("answer 404 by route fallback"), "{}", ran.out);
    let told = called.explain_json("+442079460199");
    assert_eq!(told["live"]["dns"][0]["found"], false);
    assert_eq!(told["would_ask"].as_array().unwrap().len(), 2);
    assert_eq!(called.names.seen(), seen, "nobody asked DNS");
    // Without --live, as ever.
    let routes = called.routes.path().to_str().unwrap();
    let ran = waypost(&["explain", "+442079460123", "--routes", routes]);
    assert!(!ran.out.contains("live") && ran.out.contains("  would ask: NAPTR "), "{}", ran.out);
}

#[test]
fn other_routes_than_those_of_the_server_are_warned_of() {
    let called = called();
    let other = Routes::of(&ROUTES.replace("404", "480"));
    let (routes, admin) = (other.path().to_str().unwrap(), format!("http://{}/", called.server.admin));
    let ran = waypost(&["explain", "+442079460123", "--routes", routes, "--admin", &admin, "--live"]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    assert!(ran.out.contains("\nwarning: the server has other routes than these (hash "), "{}", ran.out);
    assert!(ran.out.contains("contact  q=0.990  sip:alice@example.net"), "{}", ran.out);
}

#[test]
fn a_server_that_is_not_there_is_4_and_an_admin_port_that_is_off_2() {
    let routes = Routes::of(ROUTES);
    let routes = routes.path().to_str().unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ran = waypost(&["explain", "+44", "--routes", routes, "--admin", &admin, "--live"]);
    assert_eq!((ran.code, &*ran.out), (4, ""));
    let expected = format!("error: no server answers at its admin port {admin} (");
    assert!(ran.err.starts_with(&expected) && ran.err.contains("--admin ADDR:PORT"), "{}", ran.err);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("w.yaml");
    fs::write(&config, "admin: off\n").unwrap();
    let config = config.to_str().unwrap();
    let ran = waypost(&["explain", "+44", "--routes", routes, "--config", config, "--live"]);
    assert_eq!((ran.code, &*ran.out), (2, ""));
    assert!(ran.err.contains("`admin` is off in this configuration"), "{}", ran.err);
}

#[test]
fn the_admin_port_shows_the_cache() {
    let called = called();
    let get = |path: &str| {
        let said = called.server.get(path);
        (said.status, said.json())
    };
    let (status, routes) = get("/dns/cache");
    assert_eq!((status, &routes["generation"]), (200, &json!(1)));
    assert_eq!((&routes["gateways_down"], routes.as_object().unwrap().len()), (&json!([]), 3));

    let name = name_of("442079460123", "b.example.net");
    for query in [
        format!("name={name}&type=NAPTR"),
        format!("type=naptr&name={}", name.to_uppercase()),
        format!("name={name}&type=NAPTR&apex=b.example.net"),
    ] {
        let (status, mut kept) = get(&format!("/dns/cache?{query}"));
        assert!(is_left(&kept["fresh_for_ms"], 300_000), "{kept}");
        kept["fresh_for_ms"] = 1.into();
        let record = json!({
            "order": 1, "preference": 1, "flags": "u", "services": "E2U+sip",
            "regexp": "!^.*$!sip:alice@example.net!", "replacement": ".",
        });
        let expected = json!({
            "generation": 1, "routes_hash": routes["routes_hash"], "name": name, "type": "NAPTR", "found": true,
            "upstream": { "apex": "b.example.net", "servers": [] }, "fresh_for_ms": 1,
            "answer": { "result": "found", "ttl_s": 300, "records": [record] },
        });
        assert_eq!((status, kept), (200, expected), "{query}");
    }
    for query in [
        format!("name={name}&type=A"),
        "name=x.b.example.net&type=NAPTR".to_owned(),
        format!("name={name}&type=NAPTR&apex=a.example.net"),
        format!("name={name}&type=NAPTR&server=192.0.2.1:53"),
    ] {
        let (status, kept) = get(&format!("/dns/cache?{query}"));
        assert_eq!((status, &kept["found"], &kept["answer"]), (200, &json!(false), &Value::Null), "{query}");
    }
    for (query, expected) in [
        ("name=a.b", "there is no type; expected /dns/cache?name=NAME&type=NAPTR, SRV, A or AAAA"),
        ("name=a.b&type=MX", "type: found \"MX\"; expected "),
        ("x=y", "there is no parameter \"x\"; expected "),
    ] {
        let (status, said) = get(&format!("/dns/cache?{query}"));
        assert_eq!(status, 400);
        assert!(said["error"].as_str().unwrap().starts_with(expected), "{said}");
    }
}
