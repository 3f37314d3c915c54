//! Route files with as many rules as are wanted, and the numbers, hosts and networks in them.

use std::fmt::Write as _;

use waypost::route::file::Source;

/// Rules of one file: more would be over the limit of values or of bytes.
const RULES_PER_FILE: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Host,
    Source,
    Grid,
    Mixed,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Number, Self::Host, Self::Source, Self::Grid, Self::Mixed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Host => "host",
            Self::Source => "source",
            Self::Grid => "grid",
            Self::Mixed => "mixed",
        }
    }
}

/// As many rules of a kind, and a last one for what none of them takes.
pub(crate) fn of(kind: Kind, count: usize) -> Vec<Source> {
    let mut files: Vec<Source> = (0..count)
        .step_by(RULES_PER_FILE)
        .map(|first| {
            let mut text = String::from("routes:\n");
            for rule in first..count.min(first + RULES_PER_FILE) {
                let when = conditions(kind, rule, count);
                writeln!(
                    text,
                    "- {{ when: {{ {when} }}, answer: {{ contact: 'sip:{{number}}@g{}.example.net' }} }}",
                    rule % 100
                )
                .expect("text");
            }
            Source { path: format!("{:02}-rules.yaml", first / RULES_PER_FILE), bytes: text.into_bytes() }
        })
        .collect();
    files.push(Source { path: "99-last.yaml".to_owned(), bytes: b"routes: [ { answer: 410 } ]\n".to_vec() });
    files
}

fn conditions(kind: Kind, rule: usize, count: usize) -> String {
    let (number, host, source) = (prefix(rule), host(rule), network(rule));
    match kind {
        Kind::Number => format!("number: '{number}*'"),
        Kind::Host => format!("host: {host}"),
        Kind::Source => format!("source: {source}"),
        Kind::Grid => {
            let side = side(count);
            format!("source: {}, number: '{}*'", network(rule / side), prefix(rule % side))
        }
        Kind::Mixed => {
            let second = if rule.is_multiple_of(10) { ", method: [INVITE, MESSAGE]" } else { "" };
            match rule % 3 {
                _ if rule % 100 == 50 => format!("header: {{ X-Rule: r{rule} }}"),
                0 => format!("number: '{number}*'{second}"),
                1 => format!("host: {host}{second}"),
                _ => format!("source: {source}{second}"),
            }
        }
    }
}

/// Customers of a grid, and destinations of each.
pub(crate) fn side(count: usize) -> usize {
    count.isqrt().max(1)
}

/// 8 to 15 digits: none begins with another, and no two are alike.
pub(crate) fn prefix(rule: usize) -> String {
    let len = rule % 8;
    // The length stands first, then the rule as often as there is room.
    format!("+1{len}{rule:06}{}", &"0000000"[..len])
}

pub(crate) fn host(rule: usize) -> String {
    format!("c{rule}.customers.example.net")
}

pub(crate) fn network(rule: usize) -> String {
    let [_, a, b, c] = (rule as u32).to_be_bytes();
    if rule.is_multiple_of(2) { format!("{}.{b}.{c}.0/24", 11 + a) } else { format!("172.{a}.{b}.{c}") }
}

/// An address in it.
pub(crate) fn address(rule: usize) -> [u8; 4] {
    let [_, a, b, c] = (rule as u32).to_be_bytes();
    if rule.is_multiple_of(2) { [11 + a, b, c, 7] } else { [172, a, b, c] }
}
