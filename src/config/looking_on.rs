//! Pure. Who may look on: `hep`, `log: decisions` and `top`.
//!
//! In:    what is written.
//! Out:   what it means, or its faults.
//! Never: reads the key file; that is named here and read outside.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf};

use super::{
    meaning::{Faults, one_of, path, printable},
    written::{WrittenDecisions, WrittenHep},
};
use crate::limits::{HEP_KEY_BYTES_MAX, SAMPLE_ONE_IN_MAX};

/// `hep:`. Where requests and answers are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hep {
    /// Homer, or whoever takes HEP3 over UDP.
    pub to: SocketAddr,
    /// By what number it knows us.
    pub agent_id: u32,
    /// By what name.
    pub node: Option<Box<str>>,
    /// Where the key is that it asks for; whoever reads files reads it, with [`parse_hep_key`].
    pub key_file: Option<PathBuf>,
    /// What is in it. Empty: none is sent.
    pub key: Vec<u8>,
    /// One call in so many is shown.
    pub one_in: NonZeroU32,
}

/// `log: decisions:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decisions {
    /// One call in so many is logged.
    pub one_in: NonZeroU32,
    /// How much of its numbers.
    pub numbers: Numbers,
}

/// How much of a number is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// Its first three digits, and a keyed hash by which lines of one number are found.
    #[default]
    Redacted,
    /// Its last four digits.
    LastDigits,
    /// All of it.
    Full,
}

/// The agent that Homer's own tools call themselves where nobody says otherwise.
const AGENT_ID_DEFAULT: u32 = 2001;

pub(super) fn hep(written: &WrittenHep, faults: &mut Faults<'_>) -> Option<Hep> {
    let address = written.to.parse::<SocketAddr>().ok().filter(|to| to.port() > 0).ok_or_else(|| {
        format!("found \"{}\", expected ADDRESS:PORT with an IP address, such as 192.0.2.9:9060", written.to)
    });
    let to = faults.take("hep.to", address);
    let node = written.node.as_deref().map(|node| faults.take("hep.node", printable(node)));
    let file = written.key_file.as_deref();
    let key_file = file.map(|file| faults.take("hep.key_file", path(file, "/etc/waypost/hep.key")));
    let one_in = written.sample.map_or(Some(NonZeroU32::MIN), |found| sample("hep.sample", found, faults));
    Some(Hep {
        to: to?,
        agent_id: written.agent_id.unwrap_or(AGENT_ID_DEFAULT),
        node: node.flatten(),
        key_file: key_file.flatten(),
        key: Vec::new(),
        one_in: one_in?,
    })
}

pub(super) fn decisions(written: &WrittenDecisions, faults: &mut Faults<'_>) -> Option<Decisions> {
    let known =
        [("redacted", Numbers::Redacted), ("last_digits", Numbers::LastDigits), ("full", Numbers::Full)];
    let numbers = written.numbers.as_deref().map(|text| one_of(text, &known));
    let numbers =
        numbers.and_then(|numbers| faults.take("log.decisions.numbers", numbers)).unwrap_or_default();
    // A log of decisions with nothing said about it is one of all of them.
    let found = written.sample.unwrap_or(1);
    Some(Decisions { one_in: sample("log.decisions.sample", found, faults)?, numbers })
}

/// One in so many; `None` for 0, which is none of them, and for what is no such number.
pub(super) fn sample(path: &str, found: u64, faults: &mut Faults<'_>) -> Option<NonZeroU32> {
    let taken = u32::try_from(found).ok().filter(|found| *found <= SAMPLE_ONE_IN_MAX);
    let fault = || {
        format!("found {found}, expected 0 to {SAMPLE_ONE_IN_MAX}: 1 is all, 100 one in a hundred, 0 none")
    };
    faults.take(path, taken.ok_or_else(fault)).and_then(NonZeroU32::new)
}

/// The key that Homer asks for, from the bytes of its file. The error is a sentence without place and without the key.
pub fn parse_hep_key(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let key = bytes.trim_ascii();
    if key.is_empty() || key.len() > HEP_KEY_BYTES_MAX {
        return Err(format!("it has {} bytes, expected 1 to {HEP_KEY_BYTES_MAX}", key.len()));
    }
    Ok(key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, parse};

    fn one_in(many: u32) -> NonZeroU32 {
        NonZeroU32::new(many).unwrap()
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = parse("w.yaml", text).expect_err(text);
        faults.iter().map(|d| format!("{}:{}: {}", d.line, d.column, d.message)).collect()
    }

    #[test]
    fn every_key_is_read() {
        let config = parse(
            "w",
            "hep: {to: \"[2001:db8::9]:9060\", agent_id: 7, node: lon-1, key_file: hep.key, sample: 10}\n\
             log: {decisions: {sample: 100, numbers: last_digits}}\n\
             top: {sample: 4}\n",
        )
        .unwrap();
        let hep = Hep {
            to: "[2001:db8::9]:9060".parse().unwrap(),
            agent_id: 7,
            node: Some("lon-1".into()),
            key_file: Some("hep.key".into()),
            key: Vec::new(),
            one_in: one_in(10),
        };
        assert_eq!(config.hep, Some(hep));
        assert_eq!(
            config.log.decisions,
            Some(Decisions { one_in: one_in(100), numbers: Numbers::LastDigits })
        );
        assert_eq!(config.top_one_in, Some(one_in(4)));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = parse("w", "hep: {to: \"192.0.2.9:9060\"}\nlog: {decisions: {}}\ntop: {}\n").unwrap();
        let hep = config.hep.unwrap();
        assert_eq!((hep.agent_id, hep.node, hep.key_file, hep.one_in), (2001, None, None, one_in(1)));
        let all_redacted = Decisions { one_in: one_in(1), numbers: Numbers::Redacted };
        assert_eq!(config.log.decisions, Some(all_redacted));
        assert_eq!(config.top_one_in, Config::default().top_one_in);
    }

    #[test]
    fn one_in_none_is_off() {
        let config = parse(
            "w",
            "hep: {to: \"192.0.2.9:9060\", sample: 0}\nlog: {decisions: {sample: 0}}\ntop: {sample: 0}\n",
        )
        .unwrap();
        assert_eq!((config.hep, config.log.decisions, config.top_one_in), (None, None, None));
    }

    #[test]
    fn faults_have_their_place() {
        for (text, expected) in [
            (
                "hep: {to: homer.example.net:9060}\n",
                "1:11: hep.to: found \"homer.example.net:9060\", expected ADDRESS:PORT with an IP address, such as 192.0.2.9:9060",
            ),
            (
                "hep: {to: \"192.0.2.9:9060\", node: \"a\\nb\"}\n",
                "1:35: hep.node: found \"a\\nb\", expected 1 to 128 bytes of text without control characters",
            ),
            (
                "log: {decisions: {numbers: some}}\n",
                "1:28: log.decisions.numbers: found \"some\", expected one of redacted, last_digits, full",
            ),
            (
                "top: {sample: 1000001}\n",
                "1:15: top.sample: found 1000001, expected 0 to 1000000: 1 is all, 100 one in a hundred, 0 none",
            ),
        ] {
            assert_eq!(faults(text), [expected], "{text}");
        }
        let sample = |many| parse("w", &format!("top: {{sample: {many}}}"));
        assert_eq!(sample(SAMPLE_ONE_IN_MAX).unwrap().top_one_in, Some(one_in(SAMPLE_ONE_IN_MAX)));
    }

    #[test]
    fn a_key_of_homer_has_a_length() {
        assert_eq!(parse_hep_key(b" myHep\n"), Ok(b"myHep".to_vec()));
        assert!(parse_hep_key(&[b'k'; HEP_KEY_BYTES_MAX]).is_ok());
        assert_eq!(
            parse_hep_key(&[b'k'; HEP_KEY_BYTES_MAX + 1]).unwrap_err(),
            "it has 129 bytes, expected 1 to 128"
        );
        assert_eq!(parse_hep_key(b"\n").unwrap_err(), "it has 0 bytes, expected 1 to 128");
    }
}
