//! Messages that have confused others, each a file with its answer: RFC 4475, RFC 5118, and the
//! triggers of known vulnerabilities.
//!
//! `NAME.dat` is the message, byte for byte. `NAME.expect.txt` says first why (authority, verdicts,
//! reason), then what is answered over UDP and over TCP. The verdicts in the first line are written by
//! hand and asserted; `UPDATE=1 cargo test --test torture` writes anew what follows the reason, for
//! review. The engine and the real server are held to the same bytes.

#![allow(missing_docs)]

// Of these two, tests/serve.rs needs more.
#[allow(dead_code)]
#[path = "serve/admin.rs"]
mod admin;
#[path = "torture/floods.rs"]
mod floods;
#[allow(dead_code)]
#[path = "serve/harness.rs"]
mod harness;
#[path = "torture/messages.rs"]
mod messages;
#[path = "torture/play.rs"]
mod play;
#[path = "scenarios/shown.rs"]
mod shown;
#[path = "torture/stream.rs"]
mod stream;
#[path = "torture/wire.rs"]
mod wire;

use std::{collections::BTreeSet, fs};

use messages::{CVE_ROWS, SETS, Set};
use play::Player;
use sha2::{Digest as _, Sha256};
use shown::first_difference;

const RFC_4475: Set = SETS[0];
const CVE: Set = SETS[2];

/// Lines that a reason may take, the first one with the verdicts included.
const REASON_LINES_MAX: usize = 5;

#[test]
fn every_message_gets_what_its_file_says() {
    let mut player = Player::new();
    let mut failed = Vec::new();
    for set in SETS {
        for message in set.messages() {
            let played = player.play(&message.bytes, set.source());
            let expected = format!("{}\n\n{}", message.reason(), played.text());
            if message.expect != expected {
                if std::env::var_os("UPDATE").is_some() {
                    fs::write(&message.expect_path, &expected).expect("update");
                } else {
                    failed.push(format!(
                        "{}: {}",
                        message.name,
                        first_difference(&message.expect, &expected)
                    ));
                }
            }
            let first = message.reason().lines().next().unwrap_or_default();
            if !first.starts_with(set.authority) || !first.ends_with(&played.verdict()) {
                failed.push(format!("{}: {first:?} is not the verdict {}", message.name, played.verdict()));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_expectation_has_a_reason() {
    for message in SETS.iter().flat_map(Set::messages) {
        let lines = message.reason().lines().count();
        assert!((2..=REASON_LINES_MAX).contains(&lines), "{}: {lines} lines of reason", message.name);
    }
}

#[test]
fn every_row_of_the_cve_list_has_a_message() {
    let rows: BTreeSet<usize> = CVE
        .messages()
        .iter()
        .map(|message| message.name["cve/".len()..][..2].parse().expect("a row"))
        .collect();
    assert_eq!(rows, (1..=CVE_ROWS).collect());
}

#[test]
fn the_messages_of_rfc_4475_are_those_of_its_archive() {
    // Appendix A: 50 files of 24,974 bytes. The digest is that of the archive's files in order of name;
    // it notices a text tool that thinks it knows better what a line end is.
    let bytes: Vec<u8> = RFC_4475.messages().iter().flat_map(|message| message.bytes.clone()).collect();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((bytes.len(), &digest[..]), (24_974, ARCHIVE_SHA256));
}

const ARCHIVE_SHA256: &str = "a027170f419792e5bb50fe912c83d1e456596c7e9e0ae675f34c266d4ffc9398";
