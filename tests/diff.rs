//! The real binary on two sets of routes: `diff`. UPDATE=1 writes the expected outputs and the captures.

#[path = "diff/captures.rs"]
mod captures;
#[path = "cli/run.rs"]
mod run;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use run::{Ran, waypost};
use serde_json::Value;
use waypost::{
    compare::Cause,
    limits::{DIFF_INTERFACES_MAX, DIFF_PACKET_BYTES_MAX, DIFF_SHOWN_DEFAULT, DIFF_SHOWN_MAX},
};

const OLD: &str = "tests/diff/old";
const NEW: &str = "tests/diff/new";
const NUMBERS: &str = "tests/diff/numbers.txt";

fn diff(args: &[&str]) -> Ran {
    waypost(&[&["diff", OLD, NEW, "--at", "2026-11-26T10:00:00Z"], args].concat())
}

fn diff_json(calls: &str) -> Value {
    let ran = diff(&["--calls", calls, "--json"]);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diff").join(name)
}

/// Compares with a file, or writes it.
fn expect(name: &str, is: &[u8]) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path(name), is).expect("update");
    }
    let expected = fs::read(path(name)).unwrap_or_default();
    assert!(
        expected == is,
        "tests/diff/{name} is not (UPDATE=1 writes it):\n{}",
        String::from_utf8_lossy(is)
    );
}

/// A file of bytes, for as long as the test takes.
fn temporary(bytes: &[u8]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("calls");
    fs::write(&file, bytes).expect("a file");
    let name = file.display().to_string();
    (dir, name)
}

#[test]
fn whole_outputs_are_those_expected() {
    expect("calls.pcap", &captures::calls_pcap());
    expect("calls.pcapng", &captures::calls_pcapng());
    for (calls, output) in [
        ("numbers.txt", "numbers.out"),
        ("calls.csv", "csv.out"),
        ("calls.pcap", "pcap.out"),
        ("calls.pcapng", "pcapng.out"),
    ] {
        let ran = diff(&["--calls", &format!("tests/diff/{calls}"), "--limit", "20"]);
        assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{calls}");
        expect(output, ran.out.as_bytes());
    }
    let ran = diff(&["--calls", NUMBERS, "--calls", "tests/diff/calls.pcap", "--limit", "3", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    expect("both.json", ran.out.as_bytes());
}

#[test]
fn every_cause_is_met() {
    let json = diff_json(NUMBERS);
    let causes = json["causes"].as_object().unwrap();
    assert_eq!(causes.len(), Cause::ALL.len());
    assert!(causes.values().all(|calls| calls.as_u64().unwrap() > 0), "{causes:?}");
    let sum: u64 = causes.values().map(|calls| calls.as_u64().unwrap()).sum();
    assert_eq!(Value::from(sum), json["calls"]);
    let of_routes: u64 =
        json["routes"].as_array().unwrap().iter().map(|pair| pair["calls"].as_u64().unwrap()).sum();
    assert_eq!(of_routes, sum);
}

#[test]
fn the_same_routes_answer_alike() {
    let calls =
        ["numbers.txt", "calls.csv", "calls.pcap", "calls.pcapng"].map(|it| format!("tests/diff/{it}"));
    for dir in [OLD, NEW, "routes"] {
        let mut args = vec!["diff", dir, dir];
        calls.iter().for_each(|calls| args.extend(["--calls", calls]));
        let ran = waypost(&args);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        assert!(ran.out.contains("\n27 calls compared, none answered differently"), "{}", ran.out);
    }
}

/// A call that is shown can be explained: the same answer, by either table.
#[test]
fn explain_says_the_same_of_every_call_that_differs() {
    let json = diff_json(NUMBERS);
    let shown = json["shown"].as_array().unwrap();
    assert_eq!(shown.len(), DIFF_SHOWN_DEFAULT);
    for difference in shown {
        for (side, dir) in [("old", OLD), ("new", NEW)] {
            let (call, said) = (&difference["call"], &difference[side]);
            let text = |key: &str| call[key].as_str().unwrap();
            let ran = waypost(&[
                "explain",
                text("request_uri"),
                "--routes",
                dir,
                "--from",
                text("source"),
                "--call-id",
                text("call_id"),
                "--json",
            ]);
            let explained: Value = serde_json::from_str(&ran.out).unwrap();
            let verdict = &explained["verdict"];
            assert_eq!(verdict["status"], said["status"], "{call}");
            assert_eq!(verdict["kind"] == "silence", said["silence"].is_string(), "{call}");
            if verdict["kind"] == "reply" {
                assert_eq!(verdict["route"]["name"], said["route"], "{call}");
            }
            assert_eq!(explained["would_ask"], said["asks_dns"]);
            let answer = verdict["answer"].as_str().unwrap_or_default();
            for contact in said["contacts"].as_array().unwrap() {
                assert!(answer.contains(&format!("<{}>", contact["uri"].as_str().unwrap())), "{answer}");
            }
        }
    }
}

#[test]
fn no_more_calls_are_shown_than_asked_for() {
    let many = "+446\n".repeat(DIFF_SHOWN_MAX + 1);
    let (_dir, calls) = temporary(many.as_bytes());
    for (limit, shown) in [("0", 0), ("7", 7), (&*DIFF_SHOWN_MAX.to_string(), DIFF_SHOWN_MAX)] {
        let ran = diff(&["--calls", &calls, "--json", "--limit", limit]);
        let json: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(json["shown"].as_array().unwrap().len(), shown);
        assert_eq!(json["differing"], DIFF_SHOWN_MAX + 1);
    }
    let ran = diff(&["--calls", &calls]);
    assert!(ran.out.ends_with("\n9991 further calls differ; --limit N shows more\n"), "{}", ran.out);
}

#[test]
fn calls_come_from_stdin_too() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(["diff", OLD, NEW, "--json", "--calls", "-"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&captures::calls_pcap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut expected = diff_json("tests/diff/calls.pcap");
    for difference in expected["shown"].as_array_mut().unwrap() {
        let place = difference["call"]["place"].as_str().unwrap().replace("tests/diff/calls.pcap", "-");
        difference["call"]["place"] = place.into();
    }
    assert_eq!(json, expected);
}

#[test]
fn what_cannot_be_compared_ends_with_2() {
    let (_dir, empty) = temporary(b"# nothing\n");
    let (_dir, columns) = temporary(b"# cost\nnumber,cost\n1,2\n");
    let (_dir, junk) = temporary(b"nobody\n");
    let (_dir, no_capture) = temporary(&[0xd4, 0xc3, 0xb2, 0xa1, 1, 2, 3]);
    let mut broken = [captures::section(), captures::interface(101), captures::enhanced(0, b"abcd")].concat();
    // The block ends with another length than it began.
    broken.extend([0; 4]);
    let at = broken.len() - 8;
    broken.remove(at);
    let (_dir, broken) = temporary(&broken);
    let known = "number, uri, from, source, domain, host, method";
    for (args, error) in [
        (
            vec!["--calls", "tests/diff/none"],
            "error: tests/diff/none: No such file or directory (os error 2)\n".into(),
        ),
        (vec!["--calls", OLD], format!("error: {OLD}: Is a directory (os error 21)\n")),
        (vec!["--calls", &empty], format!("error: {empty}: no call in it\n")),
        (
            vec!["--calls", NUMBERS, "--calls", &columns],
            format!("error: {columns}: line 2: unknown column `cost`; expected some of {known}\n"),
        ),
        (
            vec!["--calls", &junk],
            format!("error: {junk}: no call in it\n  {junk}:1: \"nobody\" is neither a number nor a URI\n"),
        ),
        (vec!["--calls", &no_capture], format!("error: {no_capture}: is neither pcap nor pcapng\n")),
        (
            vec!["--calls", NUMBERS, "--format", "pcap"],
            format!("error: {NUMBERS}: is neither pcap nor pcapng\n"),
        ),
        (vec!["--calls", &broken], format!("error: {broken}: what follows packet 0 is no packet\n")),
    ] {
        let ran = diff(&args);
        assert_eq!((ran.code, ran.out.as_str(), ran.err), (2, "", error), "{args:?}");
    }
    for dirs in [["tests/diff/wrong", NEW], [OLD, "tests/diff/wrong"]] {
        let ran = waypost(&["diff", dirs[0], dirs[1], "--calls", NUMBERS]);
        let error = "tests/diff/wrong/10.yaml:2:26: error: no gateway or group `nowhere`; none is defined\n";
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (2, "", error));
    }
    assert_eq!(waypost(&["diff", OLD, NEW]).code, 2, "no calls");
}

/// Byte order, resolution and end of a capture: what is whole counts.
#[test]
fn captures_of_other_makers_are_read() {
    let invite = captures::ipv4(&captures::request("INVITE", "+446"));
    let little = captures::pcap(101, &[(invite.clone(), 0)]);
    let mut nanoseconds = little.clone();
    nanoseconds[..4].copy_from_slice(&[0x4d, 0x3c, 0xb2, 0xa1]);
    let len = u32::try_from(invite.len()).unwrap();
    let mut big = vec![0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 101];
    [1, 0, len, len].iter().for_each(|word| big.extend(word.to_be_bytes()));
    big.extend(&invite);
    let cut = [&little[..], &little[24..60]].concat();
    for (name, capture, skipped) in
        [("little", little, 0), ("ns", nanoseconds, 0), ("big", big, 0), ("cut", cut, 1)]
    {
        let (_dir, file) = temporary(&capture);
        let json = diff_json(&file);
        assert_eq!((&json["calls"], &json["differing"]), (&1.into(), &1.into()), "{name}");
        assert_eq!(json["skipped"], skipped, "{name}: {json}");
        assert_eq!(json["shown"][0]["call"]["source"], "198.51.100.7:5062", "{name}");
    }
}

#[test]
fn blocks_and_interfaces_have_their_limits() {
    let invite = captures::ipv4(&captures::request("INVITE", "+446"));
    let capture = |of: u32, last: Vec<u8>| {
        let interfaces = captures::interface(101).repeat(DIFF_INTERFACES_MAX + 1);
        [captures::section(), interfaces, captures::enhanced(of, &invite), last].concat()
    };
    let last = u32::try_from(DIFF_INTERFACES_MAX).unwrap() - 1;
    let long = |bytes: usize| captures::block(0x0bad, &vec![0; bytes - 12]);
    let (_dir, within) = temporary(&capture(last, long(DIFF_PACKET_BYTES_MAX / 2)));
    assert_eq!(diff_json(&within)["calls"], 1);
    let (_dir, beyond) = temporary(&capture(last + 1, vec![]));
    let ran = diff(&["--calls", &beyond]);
    let error = format!("error: {beyond}: no call in it\n  1 packet of an interface that is not described\n");
    assert_eq!((ran.code, ran.err), (2, error));
    let (_dir, beyond) = temporary(&capture(last, long(DIFF_PACKET_BYTES_MAX + 4)));
    let ran = diff(&["--calls", &beyond]);
    let error =
        format!("error: {beyond}: what follows packet 1 is longer than {DIFF_PACKET_BYTES_MAX} bytes\n");
    assert_eq!((ran.code, ran.err), (2, error));
}
