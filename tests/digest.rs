//! Digest authentication as a client meets it: challenged, it sends its request again with credentials.

use md5::Md5;
use sha2::{Digest, Sha256};
use waypost::{
    decide::Settings,
    engine::{Engine, Now, Outcome, Path},
    limits::{ANSWER_BYTES_ROOM, DIGEST_LIFE_S, DIGEST_STEP_S, REALM_BYTES_MAX},
    route::{RouteTable, Transport, file},
};

const NOW_S: i64 = 1_780_000_000;
const URI: &str = "sip:+44@waypost.example.net";

const ROUTES: &str = "\
defaults: { unknown: { policy: refuse } }
access:
  phones: { sources: 192.0.2.0/24, policy: answer, authenticate: { realm: REALM, users: u, algorithms: OFFER } }
routes:
  - { name: alice, when: { access: phones, username: \"al*\" }, answer: 410 }
  - { name: others, answer: 404 }
";

/// In an order that is put right.
const BOTH: &str = "[MD5, SHA-256]";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(algorithm: &str, text: &str) -> String {
    match algorithm {
        "MD5" => hex(&Md5::digest(text)),
        _ => hex(&Sha256::digest(text)),
    }
}

fn table(realm: &str, offer: &str) -> Result<RouteTable, String> {
    let users: String = [("alice", "one"), ("bob", "two")]
        .iter()
        .flat_map(|(user, password)| ["MD5", "SHA-256"].map(|of| (user, password, of)))
        .map(|(user, password, of)| {
            format!("{user}:{realm}:{of}:{}\n", hash(of, &format!("{user}:{realm}:{password}")))
        })
        .collect();
    let text = ROUTES.replace("REALM", realm).replace("OFFER", offer);
    let source = file::Source { path: "a.yaml".to_owned(), bytes: text.into_bytes() };
    let built =
        file::parse(&[source]).and_then(|draft| draft.build_from(&|_| Ok(users.clone().into_bytes())));
    built.map(|(table, _)| table).map_err(|errors| errors[0].message.clone())
}

struct Server {
    engine: Engine,
    table: RouteTable,
    unix_s: i64,
}

impl Server {
    fn new(key: [u8; 16], offer: &str) -> Self {
        let settings = Settings { key, ..Settings::default() };
        let table = table("sip.example.net", offer).expect("a table");
        Self { engine: Engine::new(settings, vec!["a".into()]), table, unix_s: NOW_S }
    }

    /// The answer to an INVITE of this call with this header line.
    fn ask(&mut self, call_id: &str, method: &str, line: &str) -> String {
        let bytes = format!(
            "{method} {URI} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:+44@h>\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 {method}\r\n{line}\r\n"
        );
        let path = Path {
            source: "192.0.2.7:5060".parse().expect("a source"),
            local: "192.0.2.1:5060".parse().expect("an address"),
            listener: 0,
            transport: Transport::Udp,
        };
        let mut out = vec![0; ANSWER_BYTES_ROOM];
        let now = Now { ms: 0, unix_s: self.unix_s };
        match self.engine.datagram(bytes.as_bytes(), path, &self.table, now, &mut out) {
            (_, Outcome::Send { reply, .. }) => String::from_utf8(out[..reply.len].to_vec()).expect("text"),
            (_, other) => panic!("{other:?}"),
        }
    }

    fn nonce(&mut self, call_id: &str) -> String {
        let answer = self.ask(call_id, "INVITE", "");
        let after = answer.split_once("nonce=\"").unwrap_or_else(|| panic!("{answer}")).1;
        after.split_once('"').expect("its end").0.to_owned()
    }
}

/// What a client knows.
#[derive(Clone, Copy)]
struct Client<'c> {
    user: &'c str,
    password: &'c str,
    algorithm: &'c str,
    uri: &'c str,
    method: &'c str,
}

const ALICE: Client<'_> =
    Client { user: "alice", password: "one", algorithm: "SHA-256", uri: URI, method: "INVITE" };

impl Client<'_> {
    fn line(&self, nonce: &str) -> String {
        let Self { user, password, algorithm, uri, method } = self;
        let ha1 = hash(algorithm, &format!("{user}:sip.example.net:{password}"));
        let ha2 = hash(algorithm, &format!("{method}:{uri}"));
        let response = hash(algorithm, &format!("{ha1}:{nonce}:00000001:0a4f113b:auth:{ha2}"));
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"sip.example.net\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={algorithm}, cnonce=\"0a4f113b\", qop=auth, nc=00000001\r\n"
        )
    }
}

/// Status, and whether it says `stale`.
fn said(answer: &str) -> String {
    let stale = if answer.contains("stale=true") { " stale" } else { "" };
    format!("{}{stale}", &answer["SIP/2.0 ".len()..][..3])
}

#[test]
fn right_credentials_are_let_in_and_their_user_is_known_to_routes() {
    let mut server = Server::new([7; 16], BOTH);
    let nonce = server.nonce("1");
    let bob = Client { user: "bob", password: "two", ..ALICE };
    for (client, expected) in [
        (ALICE, "410"),
        (bob, "404"),
        (Client { algorithm: "MD5", ..ALICE }, "410"),
        (Client { uri: "sip:+44@WAYPOST.example.net", ..ALICE }, "410"),
        (Client { uri: "sip:+45@waypost.example.net", ..ALICE }, "400"),
        (Client { password: "two", ..ALICE }, "401"),
        (Client { user: "carol", ..ALICE }, "401"),
        (Client { method: "MESSAGE", ..ALICE }, "401"),
    ] {
        assert_eq!(
            said(&server.ask("1", "INVITE", &client.line(&nonce))),
            expected,
            "{}",
            client.line(&nonce)
        );
    }
    let others = format!("Authorization: Digest realm=\"other\"\r\n{}", ALICE.line(&nonce));
    assert_eq!(said(&server.ask("1", "INVITE", &others)), "410", "the line for our realm counts");
    for (what, with) in [
        ("qop=auth", "qop=auth-int"),
        (", qop=auth", ""),
        ("nc=00000001", "nc=1"),
        ("SHA-256", "SHA-512-256"),
    ] {
        let line = ALICE.line(&nonce).replace(what, with);
        assert_eq!(said(&server.ask("1", "INVITE", &line)), "401", "{line}");
    }
}

#[test]
fn sha_256_is_offered_first_and_md5_where_it_is_wanted() {
    let offered = |offer: &str| {
        let answer = Server::new([7; 16], offer).ask("1", "INVITE", "");
        let lines = answer
            .lines()
            .filter(|line| line.starts_with("WWW-Authenticate: Digest realm=\"sip.example.net\""));
        let algorithm = |line: &str| line.split("algorithm=").nth(1).expect("one").to_owned();
        lines.map(algorithm).collect::<Vec<_>>()
    };
    assert_eq!(offered(BOTH), ["SHA-256, qop=\"auth\"", "MD5, qop=\"auth\""]);
    assert_eq!(offered("SHA-256"), ["SHA-256, qop=\"auth\""]);
    assert_eq!(offered("MD5"), ["MD5, qop=\"auth\""]);
    assert_eq!(table("r", "[]").unwrap_err(), "`algorithms` is an empty list; fill it, or take the key out");
    let mut server = Server::new([7; 16], "SHA-256");
    let nonce = server.nonce("1");
    let md5 = Client { algorithm: "MD5", ..ALICE };
    assert_eq!(
        said(&server.ask("1", "INVITE", &md5.line(&nonce))),
        "401",
        "what is not offered is not taken"
    );
}

#[test]
fn a_challenge_is_the_same_for_a_retransmission_and_on_every_node() {
    let first = Server::new([7; 16], BOTH).ask("1", "INVITE", "");
    let mut other = Server::new([7; 16], BOTH);
    assert_eq!(other.ask("1", "INVITE", ""), first);
    let nonce = Server::new([7; 16], BOTH).nonce("1");
    assert_eq!(said(&other.ask("1", "INVITE", &ALICE.line(&nonce))), "410", "another node takes it");
    let mut stranger = Server::new([8; 16], BOTH);
    assert_eq!(said(&stranger.ask("1", "INVITE", &ALICE.line(&nonce))), "401 stale");
}

#[test]
fn a_nonce_is_stale_after_its_life_and_in_another_call() {
    let mut server = Server::new([7; 16], BOTH);
    server.unix_s = NOW_S / DIGEST_STEP_S * DIGEST_STEP_S;
    let nonce = server.nonce("1");
    assert_eq!(said(&server.ask("2", "INVITE", &ALICE.line(&nonce))), "401 stale");
    server.unix_s += DIGEST_LIFE_S + DIGEST_STEP_S - 1;
    // Within its life it may be used again, by whoever has heard it: nobody counts.
    assert_eq!(said(&server.ask("1", "INVITE", &ALICE.line(&nonce))), "410");
    server.unix_s += 1;
    assert_eq!(said(&server.ask("1", "INVITE", &ALICE.line(&nonce))), "401 stale");
    let wrong = Client { password: "x", ..ALICE };
    assert_eq!(
        said(&server.ask("1", "INVITE", &wrong.line(&nonce))),
        "401",
        "it has not shown that it knows the secret"
    );
}

#[test]
fn lengths_of_a_realm() {
    assert!(table(&"r".repeat(REALM_BYTES_MAX), BOTH).is_ok());
    let error = table(&"r".repeat(REALM_BYTES_MAX + 1), BOTH).unwrap_err();
    assert!(
        error.ends_with(
            "is not a realm; expected 1 to 64 bytes of ASCII without quotes, backslashes and colons"
        ),
        "{error}"
    );
}

#[test]
fn a_challenge_is_written_as_rfc_7616_wants_it() {
    let mut server = Server::new([7; 16], BOTH);
    let challenges = |answer: &str| {
        let lines = answer.split("\r\n").filter_map(|line| line.strip_prefix("WWW-Authenticate: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let first = server.ask("1", "INVITE", "");
    let nonce = server.nonce("1");
    // §3.3: quoted are realm, nonce and qop; stale and algorithm are not.
    let line = |algorithm: &str, more: &str| {
        format!(
            "Digest realm=\"sip.example.net\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{more}"
        )
    };
    assert_eq!(challenges(&first), [line("SHA-256", ""), line("MD5", "")]);
    assert!(nonce.bytes().all(|byte| byte.is_ascii_hexdigit()), "{nonce}");
    // §3.3: stale only where the secret was right and the nonce was not.
    let stale = server.ask("1", "INVITE", &ALICE.line("0123"));
    assert_eq!(challenges(&stale), [line("SHA-256", ", stale=true"), line("MD5", ", stale=true")]);
    let wrong = Client { password: "x", ..ALICE };
    assert_eq!(challenges(&server.ask("1", "INVITE", &wrong.line("0123"))), challenges(&first));
}

#[test]
fn credentials_in_other_forms_are_none() {
    let mut server = Server::new([7; 16], BOTH);
    let nonce = server.nonce("1");
    let md5 = Client { algorithm: "MD5", ..ALICE }.line(&nonce);
    // RFC 7616 §3.3: without a name it is MD5.
    assert_eq!(said(&server.ask("1", "INVITE", &md5.replace(", algorithm=MD5", ""))), "410");
    let sha = ALICE.line(&nonce);
    assert_eq!(said(&server.ask("1", "INVITE", &sha)), "410");
    let anonymous = Client { user: "anonymous", password: "", ..ALICE }.line(&nonce);
    for (why, line) in [
        ("another header", sha.replace("Authorization:", "Proxy-Authorization:")),
        ("another scheme", "Authorization: Basic YWxpY2U6b25l\r\n".to_owned()),
        ("session variant", sha.replace("algorithm=SHA-256", "algorithm=SHA-256-sess")),
        ("the other hash", sha.replace("algorithm=SHA-256", "algorithm=MD5")),
        ("no name means MD5", sha.replace(", algorithm=SHA-256", "")),
        ("RFC 3261 §22.4: the URI is quoted", sha.replace(&format!("uri=\"{URI}\""), &format!("uri={URI}"))),
        ("integrity is not offered", sha.replace("qop=auth", "qop=auth-int")),
        ("no count", sha.replace(", nc=00000001", "")),
        ("no nonce of the client", sha.replace("cnonce=\"0a4f113b\", ", "")),
        ("a hashed name", sha.replace("username=", "userhash=true, username=")),
        ("nobody in particular", anonymous),
    ] {
        assert_ne!(line, sha, "{why}: nothing was changed");
        assert_eq!(said(&server.ask("1", "INVITE", &line)), "401", "{why}: {line}");
    }
}
