//! Nothing that is secret is told: not to the log, at its most talkative, not by metrics, the API, the page, `explain`,
//! errors. One server that has every secret there is, traffic that uses each, faults of each file; then all that was
//! said is searched for each.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use sha2::{Digest as _, Sha256};

use crate::{
    caller::{Caller, invite, request, status},
    harness::{Server, eventually, waypost},
    tls::Issuer,
};

const KEY: &str = "5ec2e7a1b2c3d4e5f60718293a4b5c6d";
const HEP_KEY: &str = "hep-secret-8d1f0c2b";
const TOKEN: &str = "admin-token-9c41d7e2f0a35b68";
const NEXT_TOKEN: &str = "admin-token-of-tomorrow-77aa10";
const WRONG_TOKEN: &str = "a-token-that-somebody-tries-42";
const SOURCE_TOKEN: &str = "source-token-1b7e39d04c";
const SOURCE_QUERY: &str = "signature-in-a-url-5fd02e";
const PASSWORD: &str = "password-of-alice-3e9b";

/// Routes, as they are published.
const ROUTES: &str = "
defaults: { unknown: { policy: refuse } }
access:
  phones:
    sources: [127.0.0.0/8]
    policy: answer
    authenticate: { realm: sip.example.net, users: users.txt, algorithms: SHA-256 }
gateways: { gw: sip:gw.example.net }
routes:
  - { name: alice, when: { username: alice }, answer: { contact: gw } }
  - { name: others, answer: 404 }
";

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ha1() -> String {
    sha256(&format!("alice:sip.example.net:{PASSWORD}"))
}

/// Serves a directory to who shows the token; nothing more, when it is told so.
struct Web {
    address: SocketAddr,
    shown: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
}

impl Web {
    fn of(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let web = Self {
            address: listener.local_addr().unwrap(),
            shown: Arc::default(),
            is_broken: Arc::default(),
        };
        let (dir, shown, is_broken) = (dir.to_owned(), Arc::clone(&web.shown), Arc::clone(&web.is_broken));
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { continue };
                if head.iter().any(|line| line.ends_with(&format!("Bearer {SOURCE_TOKEN}"))) {
                    shown.store(true, Ordering::SeqCst);
                }
                let file = dir.join(path.split('?').next().unwrap().trim_start_matches('/'));
                let body = fs::read(file).ok().filter(|_| !is_broken.load(Ordering::SeqCst));
                let code = if body.is_some() { "200 OK" } else { "403 Forbidden" };
                let body = body.unwrap_or_default();
                let head =
                    format!("HTTP/1.1 {code}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        web
    }
}

/// The value of a parameter of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let rest =
        challenge.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{name} in {challenge}")).1;
    rest.split('"').next().unwrap()
}

/// The request again, with credentials by this password.
fn with_credentials(challenged: &str, call: &str, password: &str) -> String {
    let uri = "sip:+442079460123@waypost.example.net";
    let nonce = parameter(challenged, "nonce");
    let ha1 = sha256(&format!("alice:sip.example.net:{password}"));
    let response =
        sha256(&format!("{ha1}:{nonce}:00000001:c0ffee:auth:{}", sha256(&format!("INVITE:{uri}"))));
    let header = format!(
        "Authorization: Digest username=\"alice\", realm=\"sip.example.net\", nonce=\"{nonce}\", uri=\"{uri}\", \
         algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c0ffee\", response=\"{response}\"\r\n"
    );
    invite(call, uri).replacen("Content-Length:", &format!("{header}Content-Length:"), 1)
}

/// All that was said, by where.
type Heard = Arc<Mutex<BTreeMap<String, String>>>;

fn note(heard: &Heard, place: &str, said: String) {
    heard.lock().unwrap().entry(place.to_owned()).or_default().push_str(&said);
}

/// Every page that can be read, and a few that change something or cannot.
fn ask_everything(server: &Server, heard: &Heard, token: &str) {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let mut found = 0;
    for path in [
        "/",
        "/page/main.js",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/v1/openapi.json",
        "/api/v1/status",
        "/api/v1/routes",
        "/api/v1/tables",
        "/api/v1/gateways",
        "/api/v1/dns",
        "/api/v1/top",
        "/api/v1/reloads",
        "/api/v1/rates",
        "/api/v1/log",
        "/nowhere",
    ] {
        let said = server.ask("GET", path, &headers, "");
        found += usize::from(said.status == 200);
        note(heard, &format!("GET {path}"), format!("{}{}", said.status, said.body));
    }
    assert!(found >= 11, "{found} of the pages are there");
    for (path, body) in [
        ("/api/v1/explain", r#"{"call": "+442079460123"}"#),
        ("/api/v1/explain", r#"{"call": 5}"#),
        ("/api/v1/diff", r#"{"calls": ["+442079460123"]}"#),
        ("/api/v1/reload", ""),
        ("/api/v1/gateways/none/down", ""),
        ("/api/v1/dns/cache/flush", "{}"),
    ] {
        let said = server.ask("POST", path, &headers, body);
        note(heard, &format!("POST {path}"), format!("{}{}", said.status, said.body));
    }
}

fn run(heard: &Heard, place: &str, args: &[&str]) {
    let out = waypost().args(args).stdout(std::process::Stdio::piped()).output().unwrap();
    note(heard, place, String::from_utf8_lossy(&out.stdout).into_owned());
    note(heard, place, String::from_utf8_lossy(&out.stderr).into_owned());
}

fn everything_that_is_said(format: &str) -> (Heard, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let d = dir.path().display();
    let issuer = Issuer::new();
    let (certificate, private) = issuer.issue("waypost.example.net");
    let users = format!("alice:sip.example.net:SHA-256:{}\n", ha1());
    fs::create_dir(path("given")).unwrap();
    for (name, text) in [
        ("given/a.yaml", ROUTES),
        ("given/users.txt", &users),
        ("key", KEY),
        ("hep.key", HEP_KEY),
        ("token", TOKEN),
        ("source.token", SOURCE_TOKEN),
        ("cert.pem", &certificate),
        ("key.pem", &private),
    ] {
        fs::write(path(name), text).unwrap();
    }
    let heard = Heard::default();
    let given = path("given").display().to_string();
    let www = path("www").display().to_string();
    run(&heard, "publish", &["publish", &given, "--to", &www]);
    let web = Web::of(&path("www"));
    let config = format!(
        "key_file: {d}/key\nstop: {{lame_duck_s: 0}}\nstate: {d}/state\n\
         admin: {{address: \"127.0.0.1:0\", token_file: {d}/token}}\n\
         tls: {{certificate: {d}/cert.pem, key: {d}/key.pem}}\n\
         hep: {{to: \"127.0.0.1:9\", key_file: {d}/hep.key}}\n\
         source: {{url: \"http://{}/manifest.json?sig={SOURCE_QUERY}\", token_file: {d}/source.token, every_s: 1}}\n\
         log: {{level: trace, format: {format}, decisions: {{sample: 1, numbers: full}}}}\ntop: {{sample: 1}}\n",
        web.address
    );
    let routes = path("routes");
    let mut server = Server::start_on(&["udp:127.0.0.1:0", "tls:127.0.0.1:0"], &routes, &config);
    assert!(web.shown.load(Ordering::SeqCst), "the source was shown its token");

    // Calls: challenged, wrong, right, broken.
    let caller = Caller::here();
    for (call, password, expected) in [("right", PASSWORD, 302), ("wrong", "another", 401)] {
        let challenge = caller.ask(server.address(), &invite(call, "sip:+442079460123@waypost.example.net"));
        assert_eq!(status(&challenge), 401, "{challenge}");
        let answer = caller.ask(server.address(), &with_credentials(&challenge, call, password));
        assert_eq!(status(&answer), expected, "{answer}");
        note(&heard, "answers", challenge + &answer);
    }
    caller.send(server.address(), "INVITE sip:a SIP/2.0\r\nAuthorization: Digest \r\n\r\n");
    note(
        &heard,
        "answers",
        caller.ask(server.address(), &request("OPTIONS", "o", "sip:waypost.example.net")),
    );

    ask_everything(&server, &heard, TOKEN);
    let wrong =
        server.ask("GET", "/api/v1/status", &[("Authorization", &format!("Bearer {WRONG_TOKEN}"))], "");
    assert_eq!(wrong.status, 401);
    note(&heard, "a wrong token", wrong.body);
    let file = server.config_file().display().to_string();
    let admin = server.admin.to_string();
    let routes = routes.display().to_string();
    run(&heard, "check", &["check", "--config", &file, "--routes", &routes]);
    run(&heard, "explain", &["explain", "--config", &file, "--routes", &routes, "+442079460123"]);
    run(&heard, "ctl", &["ctl", "--config", &file, "--admin", &admin, "status"]);
    run(&heard, "diff", &["diff", &routes, &given, "--calls", "+442079460123"]);

    // A new token, and then faults of every file, one after the other.
    fs::write(path("token"), NEXT_TOKEN).unwrap();
    assert_eq!(
        server
            .ask("POST", "/api/v1/reload", &[("Authorization", &format!("Bearer {NEXT_TOKEN}"))], "")
            .status,
        401
    );
    eventually("the new token holds", || {
        server.ask("GET", "/api/v1/status", &[("Authorization", &format!("Bearer {NEXT_TOKEN}"))], "").status
            == 200
    });
    for (name, broken) in [
        ("token", format!("{NEXT_TOKEN}\n{TOKEN} and more")),
        ("key.pem", private.replacen("BEGIN", "BEGUN", 1)),
        ("key.pem", private.lines().take(2).collect::<Vec<_>>().join("\n")),
        ("source.token", format!("{SOURCE_TOKEN}\n{SOURCE_TOKEN}")),
        ("given/users.txt", format!("alice:sip.example.net:SHA-256:{}:{PASSWORD}\n", ha1())),
        ("given/users.txt", format!("alice:{PASSWORD}\n{}\n", ha1())),
        ("key", format!("{KEY}0")),
        ("hep.key", format!("{HEP_KEY}\n{}", "x".repeat(5000))),
    ] {
        let whole = fs::read(path(name)).unwrap();
        fs::write(path(name), broken).unwrap();
        ask_everything(&server, &heard, NEXT_TOKEN);
        run(&heard, "check of a fault", &["check", "--config", &file, "--routes", &given]);
        run(
            &heard,
            "serve with a fault",
            &["serve", "--config", &file, "--routes", &given, "--listen", "nonsense"],
        );
        run(&heard, "publish of a fault", &["publish", &given, "--to", &www]);
        fs::write(path(name), whole).unwrap();
    }
    web.is_broken.store(true, Ordering::SeqCst);
    server.line_with("403");
    server.replace();
    ask_everything(&server, &heard, NEXT_TOKEN);
    let log = server.log();
    assert!(log.iter().any(|line| line.contains("TRACE") || line.contains("DEBUG")), "it is talkative");
    note(&heard, "log", log.join("\n"));
    let mut secrets = [KEY, HEP_KEY, TOKEN, NEXT_TOKEN, WRONG_TOKEN, SOURCE_TOKEN, SOURCE_QUERY, PASSWORD]
        .map(str::to_owned)
        .to_vec();
    secrets.push(ha1());
    // Each line of the private key but those that say what it is; and the keys as Rust prints bytes.
    secrets.extend(
        private.lines().filter(|line| !line.starts_with("---") && line.len() > 20).map(str::to_owned),
    );
    let bytes: Vec<u8> = u128::from_str_radix(KEY, 16).unwrap().to_be_bytes().to_vec();
    secrets.push(format!("{bytes:?}").trim_matches(['[', ']']).to_owned());
    secrets.push(format!("{:?}", HEP_KEY.as_bytes()).trim_matches(['[', ']']).to_owned());
    (heard, secrets)
}

#[test]
fn no_secret_is_told_anywhere() {
    for format in ["human", "json"] {
        let (heard, secrets) = everything_that_is_said(format);
        assert!(secrets.len() >= 11, "{}", secrets.len());
        let heard = heard.lock().unwrap();
        assert!(heard.len() >= 25, "{:?}", heard.keys());
        // What is no secret is found: the search is not in vain.
        assert!(heard["explain"].contains("sip.example.net") && heard["log"].contains("302"));
        for (place, said) in heard.iter() {
            for secret in &secrets {
                let at = said.find(secret.as_str());
                let context = at.map(|at| {
                    said[..at]
                        .chars()
                        .rev()
                        .take(200)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .rev()
                        .collect::<String>()
                });
                assert_eq!(at, None, "{place} ({format}) tells {secret}, after: {context:?}");
            }
        }
    }
}
