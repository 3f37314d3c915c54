//! Who may ask: lists at listeners, their counters, their limits, and what the real program says of them.

#[path = "cli/run.rs"]
mod run;

use std::{fs, net::SocketAddr};

use proptest::prelude::*;
use run::waypost;
use waypost::{
    access::{AccessLists, Standing},
    control::loader::{Load, Loader},
    decide::{Settings, Silence},
    engine::{Engine, Now, Outcome, Path},
    limits::{ACCESS_ENTRIES_MAX, ACCESS_FILE_BYTES_MAX, ACCESS_LISTS_MAX, ANSWER_BYTES_ROOM},
    route::{RouteTable, Transport, file},
};

const LISTS: &str = "\
defaults: { unknown: { policy: refuse } }
access:
  scanners: { sources: 192.0.2.66, policy: silence }
  office: { sources: 10.0.0.0/8, listener: lan, policy: answer }
  peers: { sources: 192.0.2.0/24, listener: [wan, lan], policy: answer }
routes: [ { name: all, answer: 410 } ]
";

/// The table of one file whose data files all have these bytes, or what is wrong.
fn load(text: &str, data: &[u8]) -> Result<RouteTable, String> {
    let source = file::Source { path: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let table = file::parse(&[source]).and_then(|draft| draft.build_from(&|_| Ok(data.to_vec())));
    table.map(|(table, _)| table).map_err(|errors| {
        errors.iter().map(|it| format!("{}:{}:{}: {}\n", it.file, it.line, it.column, it.message)).collect()
    })
}

fn table(text: &str) -> RouteTable {
    load(text, b"").unwrap_or_else(|errors| panic!("{errors}"))
}

fn invite() -> Vec<u8> {
    "INVITE sip:+44@h SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:a@h>;tag=1\nTo: <sip:+44@h>\n\
     Call-ID: 1\nCSeq: 1 INVITE\n\n"
        .replace('\n', "\r\n")
        .into_bytes()
}

/// What becomes of a message: its status, or why there is none.
fn play(table: &RouteTable, bytes: &[u8], source: &str, listener: usize) -> String {
    let mut engine = Engine::new(Settings::default(), vec!["wan".into(), "lan".into(), "dmz".into()]);
    let path = Path {
        source: SocketAddr::new(source.parse().expect("a source"), 5060),
        local: "192.0.2.1:5060".parse().expect("an address"),
        listener,
        transport: Transport::Udp,
    };
    let mut out = vec![0; ANSWER_BYTES_ROOM];
    match engine.datagram(bytes, path, table, Now { ms: 0, unix_s: 0 }, &mut out) {
        (_, Outcome::Send { reply, .. }) => {
            assert_eq!(reply.to.ip(), path.source.ip(), "answers go to the source of the packet");
            format!("{} {}", reply.status, reply.access.map_or("-", |id| table.access.name(id)))
        }
        (method, Outcome::Silence(Silence::Access(id))) => {
            assert_eq!(method, None, "it was not read");
            format!("silence {}", table.access.name(id))
        }
        (_, other) => format!("{other:?}"),
    }
}

#[test]
fn a_list_counts_at_its_listeners() {
    let table = table(LISTS);
    let (wan, lan, dmz) = (0, 1, 2);
    for (source, listener, expected) in [
        ("10.1.2.3", lan, "410 office"),
        ("10.1.2.3", wan, "403 unknown"),
        ("192.0.2.1", wan, "410 peers"),
        ("192.0.2.1", lan, "410 peers"),
        ("192.0.2.1", dmz, "403 unknown"),
        ("192.0.2.66", wan, "silence scanners"),
        ("192.0.2.66", dmz, "silence scanners"),
        ("198.51.100.1", wan, "403 unknown"),
    ] {
        assert_eq!(play(&table, &invite(), source, listener), expected, "{source} at {listener}");
    }
}

#[test]
fn a_blocked_source_is_passed_over_before_its_message_is_read() {
    let table = table(LISTS);
    for bytes in [&b"\x00garbage"[..], b"", b"SIP/2.0 200 OK\r\n\r\n", &invite()] {
        assert_eq!(play(&table, bytes, "192.0.2.66", 0), "silence scanners");
    }
}

#[test]
fn without_lists_all_is_as_it_was() {
    let table = table("routes: [ { name: all, answer: 410 } ]");
    assert_eq!(table.access.standing([192, 0, 2, 66].into(), "wan"), Standing::OPEN);
    assert_eq!(play(&table, &invite(), "192.0.2.66", 0), "410 -");
}

proptest! {
    /// No answers to answers: two servers that answer each other's answers would never stop.
    #[test]
    fn a_response_is_never_answered(
        status in 0..1000_u16, rest in "[ -~]{0,40}", source in any::<[u8; 4]>(), listener in 0..3_usize,
    ) {
        let invite = String::from_utf8(invite()).expect("text");
        let lines = invite.split_once("\r\n").expect("lines").1;
        let bytes = format!("SIP/2.0 {status:03} {rest}\r\n{lines}");
        let source = std::net::Ipv4Addr::from(source).to_string();
        for table in [table(LISTS), table("routes: [ { name: all, answer: 410 } ]")] {
            let said = play(&table, bytes.as_bytes(), &source, listener);
            prop_assert!(said == "Silence(Unanswerable(Response))" || said == "silence scanners", "{}", said);
        }
    }
}

#[test]
fn lists_in_all() {
    let text = |count| {
        let list = |index| format!("  l{index}: {{ sources: 10.0.{index}.0/24, policy: answer }}\n");
        let lists: String = (0..count).map(list).collect();
        format!(
            "defaults: {{ unknown: {{ policy: refuse }} }}\naccess:\n{lists}routes: [ {{ answer: 410 }} ]\n"
        )
    };
    let most = table(&text(ACCESS_LISTS_MAX));
    assert_eq!(play(&most, &invite(), &format!("10.0.{}.1", ACCESS_LISTS_MAX - 1), 0), "410 l63");
    assert_eq!(
        load(&text(ACCESS_LISTS_MAX + 1), b"").unwrap_err(),
        "a.yaml:67:3: 65 access lists in all; expected at most 64\n"
    );
}

#[test]
fn entries_of_all_lists() {
    let text = |more: &str| {
        format!(
            "defaults: {{ unknown: {{ policy: refuse }} }}\naccess:\n  a: {{ file: a.txt, policy: answer }}\n\
             \x20 b: {{ sources: [{more}], policy: answer }}\nroutes: [ {{ answer: 410 }} ]\n"
        )
    };
    let file = |count: usize| {
        let line =
            |index| format!("{}\n", std::net::Ipv4Addr::from(u32::try_from(2 * index).expect("an address")));
        (0..count).map(line).collect::<String>().into_bytes()
    };
    let full = load(&text("2001:db8::1"), &file(ACCESS_ENTRIES_MAX - 1)).expect("as many as allowed");
    assert_eq!(full.access.lists.iter().map(|list| list.entries).sum::<usize>(), ACCESS_ENTRIES_MAX);
    assert_eq!(
        load(&text("'::1', '::2'"), &file(ACCESS_ENTRIES_MAX - 1)).unwrap_err(),
        "a.yaml:4:17: 2 entries; expected at most 1 here\n"
    );
    assert_eq!(
        load(&text("'::1'"), &file(ACCESS_ENTRIES_MAX + 1)).unwrap_err(),
        format!(
            "a.txt:{0}:1: one entry too many; expected at most {1} here\n",
            ACCESS_ENTRIES_MAX + 1,
            ACCESS_ENTRIES_MAX
        )
    );
}

/// A routes directory with one list in a file.
fn directory(networks: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let routes = "defaults: { unknown: { policy: refuse } }\naccess: { peers: { file: data/peers.txt, policy: answer } }\n\
                  gateways: { gw: 'sip:gw.example.net' }\nroutes: [ { name: all, answer: { contact: gw } } ]\n";
    fs::create_dir(dir.path().join("data")).expect("a folder");
    fs::write(dir.path().join("a.yaml"), routes).expect("routes");
    fs::write(dir.path().join("data/peers.txt"), networks).expect("a list");
    dir
}

#[test]
fn a_list_is_swapped_with_the_routes() {
    let dir = directory(b"192.0.2.0/24\n");
    let loader = Loader::new(dir.path());
    let lists = |loaded: Result<Load, _>| match loaded {
        Ok(Load::New(loaded)) => Ok((loaded.table.access, loaded.hash)),
        Ok(Load::Same) => Err("the same".to_owned()),
        Err::<_, waypost::control::loader::LoadError>(error) => Err(error.to_string()),
    };
    let known = |lists: &AccessLists, source: [u8; 4]| lists.standing(source.into(), "x").known;
    let (first, hash) = lists(loader.load(None)).expect("a table");
    assert!(known(&first, [192, 0, 2, 1]) && !known(&first, [198, 51, 100, 1]));
    assert_eq!(lists(loader.load(Some(&hash))).unwrap_err(), "the same");

    fs::write(dir.path().join("data/peers.txt"), "198.51.100.0/24\n").expect("a list");
    assert!(loader.is_stale(), "the file of a list is watched");
    let (second, changed) = lists(loader.load(Some(&hash))).expect("another table");
    assert!(!known(&second, [192, 0, 2, 1]) && known(&second, [198, 51, 100, 1]));
    assert_ne!(hash, changed);

    fs::write(dir.path().join("data/peers.txt"), "198.51.100.0/24\n 198.51.100.0/8\n").expect("a list");
    let error = lists(loader.load(Some(&changed))).unwrap_err();
    assert!(
        error.contains("data/peers.txt:2:2: error: `198.51.100.0/8` has bits behind its length"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let dir = directory(b"");
    let path = dir.path().join("data/peers.txt");
    fs::File::create(&path).expect("a list").set_len(ACCESS_FILE_BYTES_MAX as u64 + 1).expect("a length");
    let error = Loader::new(dir.path()).load(None).expect_err("too long").to_string();
    let expected = format!(
        "a.yaml:2:26: error: cannot read `data/peers.txt`: is longer than {ACCESS_FILE_BYTES_MAX} bytes"
    );
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn explain_tells_which_list_decided() {
    let dir = directory(b"192.0.2.0/24\n");
    let explain = |source: &str, more: &[&str]| {
        let routes = dir.path().display().to_string();
        let args = ["explain", "--routes", &routes, "--from", source, "+442079460123"];
        let ran = waypost(&[&args, more].concat());
        assert_eq!(ran.err, "");
        (ran.code, ran.out)
    };
    let (code, page) = explain("192.0.2.7", &[]);
    assert!(page.contains("\naccess list \"peers\": the source may ask\n"), "{page}");
    assert_eq!(code, 0);
    let (code, page) = explain("198.51.100.7", &[]);
    assert!(page.contains("\naccess in no list: the source is refused, and is not known\n"), "{page}");
    assert!(page.contains("SIP/2.0 403 Forbidden\r\n"), "{page}");
    assert_eq!(code, 5, "no route answered");
    let (_, told) = explain("192.0.2.7", &["--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let step = serde_json::json!({ "step": "access", "list": "peers", "policy": "answer", "known": true });
    assert_eq!(told["steps"][0], step);
}
