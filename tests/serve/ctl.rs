//! `waypost ctl` and the server it speaks to: over TCP, TLS and a Unix socket.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    harness::{KEY, Routes, Server, eventually, refuse_with},
    run::{Ran, waypost},
};

const LISTEN: &[&str] = &["udp:127.0.0.1:0"];

fn ctl(words: &str, more: &[&str]) -> Ran {
    let words: Vec<&str> = words.split(' ').collect();
    waypost(&[&["ctl"], &*words, more].concat())
}

/// A server on a Unix socket.
fn on_a_socket() -> (Server, Routes, TempDir, PathBuf) {
    let (dir, routes) = (tempfile::tempdir().unwrap(), Routes::of(&refuse_with(404)));
    let path = dir.path().join("admin.sock");
    let server = Server::start_at(&format!("unix:{}", path.display()), LISTEN, routes.path(), KEY);
    (server, routes, dir, path)
}

#[test]
fn a_server_is_steered_over_a_unix_socket() {
    let (server, routes, _dir, path) = on_a_socket();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let admin = format!("unix:{}", path.display());
    let here = ["--admin", &*admin];
    for (words, expected) in [
        ("status", "ready       yes\n"),
        ("routes", "HITS  LAST  ROUTE  LIST    PLACE\n0     -     all    routes  routes.yaml:1\n"),
        ("tables", "TABLE  KIND  ENTRIES  BYTES  FILE\n"),
        ("gateways", "GATEWAY  STATE  BY  SINCE  URI  GROUPS\n"),
        ("top --limit 3", "reckoned from one in 32\n\nMESSAGES  AT LEAST  SOURCE\n"),
        ("routes --order last", "HITS  LAST  ROUTE  LIST    PLACE\n"),
        ("explain +44", "answer 404 by all, to 127.0.0.1:5060\n\nSIP/2.0 404 Not Found\n"),
        ("explain +44 --certificate sbc.example", ", tls, certificate sbc.example), generation 1\n"),
        ("reload", "unchanged: generation 1, 1 routes, "),
        ("drain", "draining: /readyz and OPTIONS say 503\n"),
        ("status", "ready       no (the server is draining)\n"),
        ("undrain", "not draining\n"),
        ("dns lookup nobody.example AAAA", "AAAA nobody.example.: not in the cache\n"),
        ("dns flush nobody.example", "0 answers forgotten\n"),
        ("dns flush --all", "0 answers forgotten\n"),
        ("dns servers", "cache: 0 answers, 0 bytes; 0 messages wait for 0 questions\n"),
        ("log level", "info (the configuration: info)\n"),
        ("log level warn", "warn (the configuration: info)\n"),
    ] {
        let ran = ctl(words, &here);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{words}");
        assert!(ran.out.contains(expected), "{words}: {}", ran.out);
    }
    let json: Value = serde_json::from_str(&ctl("status --json", &here).out).unwrap();
    assert_eq!(json["table"]["routes"], 1);

    let calls = routes.path().join("calls.txt");
    fs::write(&calls, "+441\n+442\n").unwrap();
    routes.write(&refuse_with(486));
    let ran = ctl(&format!("diff {}", calls.display()), &here);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    assert!(
        ran.out.contains("calls:1: INVITE sip:+441@localhost: status: 404 -> 486\n")
            || ran.out.starts_with("2 calls, 0 answered differently"),
        "{}",
        ran.out
    );

    routes.write("routes: [{ answer: { contact: nowhere } }]");
    let ran = ctl("reload", &here);
    assert_eq!((ran.code, &*ran.out), (1, ""));
    assert!(ran.err.starts_with("error: ") && ran.err.contains("routes.yaml:1:"), "{}", ran.err);
    let ran = ctl("reload --json", &here);
    assert_eq!((ran.code, &*ran.err), (1, ""));
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap()["result"], "failed");
    let ran = ctl("status", &here);
    assert!(
        ran.out.contains("; the last one failed") && ran.out.contains("no gateway or group `nowhere`"),
        "{}",
        ran.out
    );

    server.signal("TERM");
    assert_eq!(server.ended().0.code(), Some(0));
    assert!(!path.exists(), "the socket goes with the server");
    let ran = ctl("status", &here);
    assert_eq!((ran.code, &*ran.out), (4, ""));
    assert!(
        ran.err.starts_with(&format!("error: no server answers at its admin port {admin} (")),
        "{}",
        ran.err
    );
}

#[test]
fn wrong_words_are_wrong_usage() {
    for (words, expected) in [
        ("log level loud", "invalid value"),
        ("status --admin off", "`admin` is off in this configuration"),
        ("status --token-file /nowhere/token", "token file /nowhere/token"),
        ("diff /nowhere/calls", "/nowhere/calls: No such file"),
        ("status --ca /nowhere/ca.pem", "/nowhere/ca.pem"),
    ] {
        let ran = ctl(words, &[]);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{words}: {}", ran.err);
        assert!(ran.err.contains(expected), "{words}: {}", ran.err);
    }
}

/// Who issues certificates.
struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes a certificate for this name, its key, and that of the issuer.
    fn issue(&self, name: &str, dir: &TempDir) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let write = |file: &str, text: &str| {
            let new = dir.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(new, dir.path().join(file)).unwrap();
        };
        write("cert.pem", &params.signed_by(&key, &self.0).unwrap().pem());
        write("key.pem", &key.serialize_pem());
        write("ca.pem", &self.0.pem());
    }
}

#[test]
fn an_exposed_port_speaks_tls_and_wants_its_token() {
    let (dir, issuer, routes) = (tempfile::tempdir().unwrap(), Issuer::new(), Routes::of(&refuse_with(404)));
    issuer.issue("127.0.0.1", &dir);
    let d = dir.path().display().to_string();
    let (token, wrong) = (format!("{d}/token"), format!("{d}/wrong"));
    fs::write(&token, "the-first-token-0\n").unwrap();
    fs::write(&wrong, "another-token-of-16\n").unwrap();
    let admin = format!(
        "admin: {{address: \"0.0.0.0:0\", token_file: {token}, tls: {{certificate: {d}/cert.pem, key: {d}/key.pem}}}}\n"
    );
    let server = Server::start_at("0.0.0.0:0", LISTEN, routes.path(), &format!("{KEY}{admin}"));
    let place = format!("127.0.0.1:{}", server.admin.port());
    let (here, ca) = (["--admin", &*place, "--token-file", &*token], format!("{d}/ca.pem"));
    let ran = ctl("status", &[&here[..], &["--ca", &ca]].concat());
    assert_eq!((ran.code, &*ran.err), (0, ""));
    assert!(ran.out.contains("ready       yes"), "{}", ran.out);

    let ran = ctl("status", &["--admin", &place, "--ca", &ca]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("this port wants its token"), "{}", ran.err);
    let ran = ctl("status", &["--admin", &place, "--ca", &ca, "--token-file", &wrong]);
    assert_eq!((ran.code, &*ran.err), (1, "error: this is not the token of this port\n"));
    // Without TLS there is nobody, and a certificate of somebody else's is no certificate.
    assert_eq!(ctl("status", &here).code, 4);
    let (strange, elsewhere) = (Issuer::new(), tempfile::tempdir().unwrap());
    strange.issue("127.0.0.1", &elsewhere);
    let ran =
        ctl("status", &[&here[..], &["--ca", elsewhere.path().join("ca.pem").to_str().unwrap()]].concat());
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("invalid peer certificate"), "{}", ran.err);

    // Renewed while it serves, for another name.
    issuer.issue("waypost.example.net", &dir);
    let named = [&here[..], &["--ca", &ca, "--tls-name", "waypost.example.net"]].concat();
    eventually("the new certificate serves", || ctl("status", &named).code == 0);
    assert_eq!(ctl("status", &[&here[..], &["--ca", &ca]].concat()).code, 4, "the old name is gone");
}
