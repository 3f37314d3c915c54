//! The real binary on route files: `check`, `explain`, `schema`.

#[path = "cli/run.rs"]
mod run;

use run::{Ran, waypost};
use serde_json::Value;

const ROUTES: &str = "tests/cli/routes";

/// `explain` on [`ROUTES`], on a Thursday morning.
fn explain(args: &[&str]) -> Ran {
    let mut all = vec!["explain", "--routes", ROUTES];
    if !args.contains(&"--at") {
        all.extend(["--at", "2026-11-26T10:00:00Z"]);
    }
    all.extend(args);
    waypost(&all)
}

fn explain_json(args: &[&str]) -> Value {
    let ran = explain(&[args, &["--json"]].concat());
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The URIs of the Contacts that the answer has, in order.
fn contacts(explained: &Value) -> Vec<String> {
    let steps = explained["steps"].as_array().unwrap().iter();
    steps
        .filter(|step| step["step"] == "contact")
        .map(|step| step["uri"].as_str().unwrap().to_owned())
        .collect()
}

fn steps<'a>(explained: &'a Value, kind: &str) -> Vec<&'a Value> {
    explained["steps"].as_array().unwrap().iter().filter(|step| step["step"] == kind).collect()
}

#[test]
fn explain_takes_the_names_in_a_certificate() {
    let routes = tempfile::tempdir().unwrap();
    let text = "routes:\n  - { name: partner, when: { certificate: [a.example, '*.b.example'] }, answer: 404 }\n  - { name: rest, answer: 403 }\n";
    std::fs::write(routes.path().join("a.yaml"), text).unwrap();
    let routes = routes.path().to_str().unwrap();
    let explain = |args: &[&str]| waypost(&[&["explain", "--routes", routes, "+44"], args].concat());
    let ran = explain(&["--certificate", "other.example", "--certificate", "SBC.b.example"]);
    assert!(ran.out.contains(", tls, certificate other.example, sbc.b.example), at "), "{}", ran.out);
    assert!(ran.out.contains("Via: SIP/2.0/TLS "), "{}", ran.out);
    let condition = "name in the certificate is a.example or *.b.example";
    assert!(ran.out.contains(&format!("yes  {condition}")), "{}", ran.out);
    let ran = explain(&["--certificate", "other.example"]);
    assert!(ran.out.contains(&format!("no   {condition}: saw \"other.example\"")), "{}", ran.out);
    let ran = explain(&["--transport", "tls"]);
    assert!(ran.out.contains(&format!("no   {condition}")), "{}", ran.out);

    let named = |args: &[&str]| -> Value { serde_json::from_str(&explain(args).out).unwrap() };
    let explained = named(&["--json", "--certificate", "a.example"]);
    assert_eq!(explained["certificate"], serde_json::json!(["a.example"]));
    assert_eq!(explained["verdict"]["route"]["name"], "partner");
    assert_eq!(named(&["--json"]).get("certificate"), None);

    let ran = explain(&["--certificate", "a.example", "--transport", "udp"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("a certificate is shown over tls only, and this request comes over udp"),
        "{ran:?}"
    );
}

#[test]
fn check_says_what_there_is() {
    let ran = waypost(&["check", "--routes", ROUTES]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "routes: 7 routes in 2 files, 3 gateways, 2 tables with 4 entries; ok\n");
    let ran = waypost(&["check", "--routes", ROUTES, "--json", "--strict"]);
    assert_eq!((ran.code, ran.err.as_str(), ran.out.trim()), (0, "", "[]"));
}

#[test]
fn check_tells_every_error_with_its_place() {
    let ran = waypost(&["check", "--routes", "tests/cli/wrong"]);
    assert_eq!(ran.code, 1);
    let lines: Vec<_> = ran.err.lines().collect();
    assert!(
        lines.iter().any(|line| line.starts_with("tests/cli/wrong/10-wrong.yaml:3:5: error: ")),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| line.contains(": error: ")), "{lines:?}");
    assert!(ran.out.starts_with("routes: ") && ran.out.ends_with(", refused\n"), "{}", ran.out);

    let ran = waypost(&["check", "--routes", "tests/cli/wrong", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let found: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(found.len(), lines.len());
    for (finding, line) in found.iter().zip(lines) {
        let part = |key: &str| finding[key].as_str().map_or_else(|| finding[key].to_string(), str::to_owned);
        let [file, at, column, severity, message] =
            ["file", "line", "column", "severity", "message"].map(part);
        assert_eq!(line, format!("{file}:{at}:{column}: {severity}: {message}"));
    }
}

#[test]
fn check_with_warnings_only_is_3_and_strictly_1() {
    let ran = waypost(&["check", "--routes", "tests/cli/warned"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(!ran.err.is_empty() && ran.err.lines().all(|line| line.contains(": warning: ")), "{}", ran.err);
    assert!(
        ran.out.starts_with("routes: 2 routes in 1 file, 1 gateway, 0 tables with 0 entries; "),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with(", ok\n"), "{}", ran.out);
    let ran = waypost(&["check", "--routes", "tests/cli/warned", "--strict"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.ends_with(", refused\n"), "{}", ran.out);
}

#[test]
fn explain_shows_rule_by_rule_and_ends_with_the_answer_bytes() {
    let ran = explain(&["sip:+442079460123@example.com"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let (text, answer) = ran.out.split_once("SIP/2.0 302 ").expect("the answer");
    let mut rest = text;
    for part in [
        "INVITE sip:+442079460123@example.com\n",
        "from 127.0.0.1:5060 to 127.0.0.1:5060 (listener \"default\", udp), at 2026-11-26T10:00:00Z\n",
        "  route moved  20-routes.yaml:3:5\n",
        "    no   host matches: saw \"example.com\"\n",
        "  route office hours  20-routes.yaml:6:5\n",
        "    no   number matches: saw \"+442079460123\"\n",
        "  route gold  ",
        "  route ported numbers  ",
        "    table ported: \"+442079460123\" hits +442079460123: number=+442079460123, rn=+442079460000\n",
        "    yes  key is in table \"ported\"",
        "    set  rn = \"+442079460000\"\n",
        "  route least cost  ",
        "    table rates: \"+442079460123\" hits +4420: ",
        "    contact  q=0.990  ",
        "    contact  q=0.980  ",
        "    contact  q=0.970  ",
        "answer 302 by route least cost, ",
    ] {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} after what was found, in {text}"));
        rest = &rest[at + part.len()..];
    }
    assert!(!text.contains("route from ENUM"), "{text}");
    assert!(!ran.out.contains('\x1b'));
    assert!(
        answer.starts_with("Moved Temporarily\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKexplain"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn explain_in_json_tells_the_same() {
    let explained = explain_json(&["sip:+442079460123@example.com"]);
    assert_eq!(explained["verdict"]["kind"], "reply");
    assert_eq!(explained["verdict"]["status"], 302);
    assert_eq!(explained["verdict"]["route"]["name"], "least cost");
    assert_eq!(explained["verdict"]["route"]["file"], "20-routes.yaml");
    let hits: Vec<_> = steps(&explained, "table").into_iter().map(|step| &step["table"]).collect();
    assert!(hits.contains(&&"ported".into()) && hits.contains(&&"rates".into()), "{hits:?}");
    let contacts = contacts(&explained);
    let hosts: Vec<_> = contacts.iter().map(|uri| uri.split_once('@').unwrap().1).collect();
    assert_eq!(hosts, ["sbc1.lon.example.net;transport=tcp", "198.51.100.12:5070", "sbc1.nyc.example.net"]);
    assert!(
        contacts.iter().all(|uri| uri.contains(";rn=+442079460000") && uri.contains(";npdi")),
        "{contacts:?}"
    );
    let answer = explained["verdict"]["answer"].as_str().unwrap();
    for uri in &contacts {
        assert!(answer.contains(&format!("<{uri}>")), "{uri} in {answer}");
    }
}

#[test]
fn every_flag_reaches_the_decision() {
    let name = |args: &[&str]| explain_json(args)["verdict"]["route"]["name"].clone();
    let number = "sip:+442079460999@example.com";
    assert_eq!(name(&["sip:bob@old.example.com"]), "moved");
    assert_eq!(name(&[number]), "office hours");
    assert_eq!(name(&[number, "--at", "2026-11-26T22:00:00Z"]), "least cost");
    let gold = ["sip:+4999@example.com", "--header", "X-Trunk: gold"];
    assert_eq!(name(&[&gold[..], &["--from", "198.51.100.7"]].concat()), "gold");
    assert_eq!(name(&[&gold[..], &["--from", "203.0.113.7"]].concat()), Value::Null);
    let ran = explain(&["sip:+4999@example.com", "--caller", "+441632960666"]);
    assert_eq!(ran.code, 0, "silence is what a route said: {ran:?}");
    assert!(ran.out.ends_with("no answer: route \"black hole\" says so\n"), "{}", ran.out);
}

#[test]
fn another_call_id_is_another_call_and_the_same_one_the_same() {
    let [one, same, other] = ["a", "a", "b"].map(|id| {
        let explained = explain_json(&["+442079460123", "--call-id", id]);
        explained["verdict"]["answer"].as_str().unwrap().to_owned()
    });
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
fn a_gateway_that_is_down_is_told_and_left_out() {
    let gold = ["+442079460999", "--from", "198.51.100.7", "--header", "X-Trunk: gold", "--call-id", "a"];
    let explained =
        |down: &[&str]| explain_json(&[&gold[..], &["--at", "2026-11-29T10:00:00Z"], down].concat());
    let (one, two) =
        ("sip:+442079460999@sbc1.lon.example.net;transport=tcp", "sip:+442079460999@198.51.100.12:5070");
    assert_eq!(contacts(&explained(&[])), [one, two]);
    let lon1 = explained(&["--down", "lon1"]);
    assert_eq!(contacts(&lon1), [two]);
    assert_eq!(steps(&lon1, "down"), [&serde_json::json!({ "step": "down", "gateway": "lon1" })]);
    let both = explained(&["--down", "lon1", "--down", "lon2"]);
    assert_eq!((contacts(&both), steps(&both, "down").len()), (vec![one.to_owned(), two.to_owned()], 2));
    assert_eq!(
        steps(&both, "note"),
        [&serde_json::json!({ "step": "note", "note": "all its gateways are down: all are used" })]
    );

    let ran = explain(&[&gold[..], &["--at", "2026-11-29T10:00:00Z", "--down", "lon1"]].concat());
    assert!(
        ran.out.contains(
            "\n    down     lon1: left out\n    contact  q=0.990  sip:+442079460999@198.51.100.12:5070\n"
        ),
        "{}",
        ran.out
    );
    let deck = explain(&["+442079460123", "--down", "lon2"]);
    assert!(deck.out.contains("\n    down     lon2: left out\n"), "{}", deck.out);
    let ran = explain(&["+44", "--down", "lon9"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "error: --down: there is no gateway \"lon9\" in these routes\n")
    );
}

#[test]
fn explain_without_a_route_is_5() {
    let ran = explain(&["sip:bob@example.com"]);
    assert_eq!(ran.code, 5);
    assert!(ran.out.contains("\nanswer 404 by no route, "), "{}", ran.out);
    let ran = explain(&["sip:+4999@example.com", "--method", "ACK"]);
    assert_eq!(ran.code, 5);
    assert!(ran.out.ends_with("no answer: an ACK is never answered\n"), "{}", ran.out);
}

#[test]
fn explain_takes_a_bare_number_and_says_so() {
    let ran = explain(&["+442079460999"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.out.contains("note: a bare number; explaining a call to sip:+442079460999@localhost\n"),
        "{}",
        ran.out
    );
}

#[test]
fn explain_asks_nobody_and_says_what_would_be_asked() {
    let ran = explain(&["sip:+999123@example.com"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("  would ask: NAPTR 3.2.1.9.9.9.e164.example.net.\n"), "{}", ran.out);
    assert!(ran.out.contains("answer 503 by route from ENUM, "), "{}", ran.out);
    let explained = explain_json(&["sip:+999123@example.com"]);
    assert_eq!(explained["would_ask"][0], "NAPTR 3.2.1.9.9.9.e164.example.net.");
}

#[test]
fn explain_raw_decides_the_bytes_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("invite.sip");
    let request = "INVITE sip:+442079460999@example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKraw\r\n\
         From: <sip:a@example.com>;tag=1\r\n\
         To: <sip:+442079460999@example.com>\r\n\
         Call-ID: raw\r\n\
         CSeq: 7 INVITE\r\n\
         Max-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n";
    let path = file.to_str().unwrap();
    std::fs::write(&file, request).unwrap();
    let ran = explain(&["--raw", path]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("\r\nCall-ID: raw\r\nCSeq: 7 INVITE\r\n"), "{}", ran.out);

    // A second Call-ID: passed over before any route, for nobody has named the source.
    std::fs::write(&file, request.replace("Call-ID: raw\r\n", "Call-ID: raw\r\nCall-ID: more\r\n")).unwrap();
    let ran = explain(&["--raw", path]);
    assert_eq!(ran.code, 5);
    assert!(
        ran.out.contains("\n    note the request is at fault: Duplicate Call-ID Header Field\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("\nno answer: it is at fault, and no access list lets its source ask"),
        "{}",
        ran.out
    );

    std::fs::write(&file, "hello\nworld\n").unwrap();
    let ran = explain(&["--raw", path]);
    assert_eq!(ran.code, 5);
    assert!(ran.out.contains("note: no line of the file ends with CR LF"), "{}", ran.out);
    assert!(ran.out.ends_with("no answer: its first line is not that of a SIP message\n"), "{}", ran.out);

    let ran = explain(&["--raw", "/nowhere/invite.sip"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: --raw /nowhere/invite.sip: "), "{}", ran.err);
}

#[test]
fn explain_knows_the_listeners_by_name() {
    let listen = ["--listen", "core=udp:0.0.0.0:5090", "--listen", "edge=udp:[::]:5091"];
    let ran = explain(&[&listen[..], &["+442079460999", "--listener", "edge", "--from", "::1"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("from [::1]:5060 to [::1]:5091 (listener \"edge\", udp)"), "{}", ran.out);
    let ran = explain(&[&listen[..], &["+442079460999", "--listener", "none"]].concat());
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("expected one of: core, edge"), "{}", ran.err);
}

#[test]
fn explain_on_wrong_routes_is_1() {
    let ran = waypost(&["explain", "--routes", "tests/cli/wrong", "+44"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("10-wrong.yaml:3:5: error: "), "{}", ran.err);
}

#[test]
fn the_schema_is_one() {
    let ran = waypost(&["schema"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let schema: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"), "{schema}");
    assert!(schema["properties"]["routes"].is_object(), "{schema}");
}
