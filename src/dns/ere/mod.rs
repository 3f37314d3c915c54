//! Pure. POSIX extended regular expressions (ERE) of NAPTR records, matched in bounded time.
//!
//! In:    an expression from a stranger's zone; later, the number as RFC 6116 §3.1 has it (`+44…`).
//! Out:   the expression, compiled once, if it is an ERE; where it matched, by POSIX: the longest of the
//!        leftmost, whatever the order of alternatives; in that match, the groups that glibc's `regexec`
//!        would choose, since zones are written and tried with tools that call it.
//! Never: matches what only another dialect would: `\d`, look-around, lazy quantifiers and
//!        back-references are refused. Allocates for a match, or compiles for one.

use std::ops::Range;

use parse::Tree;

mod groups;
mod matching;
mod parse;

/// Groups that a replacement can name.
const GROUPS_MAX: usize = 9;

/// Where the groups of a match are in the subject.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    spans: [Range<usize>; GROUPS_MAX],
    count: usize,
}

impl Groups {
    /// The text of a group, from 1: empty when it took no part in the match, `None` when the
    /// expression has no such group.
    pub(super) fn get<'s>(&self, number: usize, subject: &'s [u8]) -> Option<&'s [u8]> {
        let index = number.checked_sub(1).filter(|_| number <= self.count)?;
        subject.get(self.spans.get(index)?.clone())
    }
}

/// An expression, compiled.
#[derive(Debug)]
pub(super) enum Ere {
    Plain(Plain),
    Tree(Tree),
}

impl Ere {
    /// Reads `ere`; `delimiter` may stand in it escaped, for itself. What is not plain takes one of
    /// `compilations`; with none left it is passed over.
    pub(super) fn read(
        ere: &[u8],
        delimiter: u8,
        ignore_case: bool,
        compilations: &mut usize,
    ) -> Option<Self> {
        if let Some(plain) = Plain::read(ere) {
            return Some(Self::Plain(plain));
        }
        *compilations = compilations.checked_sub(1)?;
        #[cfg(test)]
        COMPILED.set(COMPILED.get() + 1);
        Tree::read(ere, delimiter, ignore_case).map(Self::Tree)
    }

    /// Where the groups of the match in `subject` are.
    pub(super) fn matches(&self, subject: &[u8]) -> Option<Groups> {
        match self {
            Self::Plain(plain) => plain.matches(subject),
            Self::Tree(tree) => matching::find(tree, subject, &mut 0),
        }
    }

    /// Whether a `+` with nothing to repeat was taken for itself: `^+44`.
    pub(super) fn tolerated_plus(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.tolerated_plus,
            Self::Tree(tree) => tree.tolerated_plus,
        }
    }

    /// Memory taken, in bytes, besides its own.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.digits.len(),
            Self::Tree(tree) => tree.heap_bytes(),
        }
    }
}

#[cfg(test)]
std::thread_local! {
    /// Expressions compiled by this thread: lookups must not.
    pub(super) static COMPILED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// `^`, digits, then anything: nearly every expression in use (`^.*$`, `^(.*)$`, `^\+44(.*)$`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    plus: bool,
    tolerated_plus: bool,
    digits: Box<[u8]>,
    tail: Tail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// Whatever follows.
    Any,
    /// Whatever follows, and it is `\1`.
    Group,
    /// Nothing may follow.
    End,
}

impl Plain {
    fn read(ere: &[u8]) -> Option<Self> {
        let rest = ere.strip_prefix(b"^")?;
        // `^+44`, not escaped, is no ERE; zones have it, and it can only mean the plus sign.
        let tolerated_plus = rest.starts_with(b"+");
        let after_plus = rest.strip_prefix(br"\+").or_else(|| rest.strip_prefix(b"+"));
        let rest = after_plus.unwrap_or(rest);
        let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, tail) = rest.split_at_checked(end)?;
        let tail = match tail {
            b"" | b".*" | b".*$" => Tail::Any,
            b"(.*)" | b"(.*)$" => Tail::Group,
            b"$" => Tail::End,
            _ => return None,
        };
        Some(Self { plus: after_plus.is_some(), tolerated_plus, digits: digits.into(), tail })
    }

    fn matches(&self, subject: &[u8]) -> Option<Groups> {
        let rest = if self.plus { subject.strip_prefix(b"+")? } else { subject };
        let rest = rest.strip_prefix(&*self.digits)?;
        let mut groups = Groups::default();
        match (self.tail, &mut groups.spans) {
            (Tail::Any, _) => {}
            (Tail::End, _) if rest.is_empty() => {}
            (Tail::End, _) => return None,
            (Tail::Group, [first, ..]) => {
                *first = subject.len().checked_sub(rest.len())?..subject.len();
                groups.count = 1;
            }
        }
        Some(groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{NAPTR_NODES_MAX, NAPTR_SUBJECT_BYTES_MAX, NESTING_MAX};

    fn matches(ere: &[u8], delimiter: u8, ignore_case: bool, subject: &[u8]) -> Option<Groups> {
        Ere::read(ere, delimiter, ignore_case, &mut 1)?.matches(subject)
    }

    /// The groups of a match, or `None`.
    fn groups(ere: &str, subject: &str) -> Option<Vec<String>> {
        let groups = matches(ere.as_bytes(), b'!', false, subject.as_bytes())?;
        let text = |number| groups.get(number, subject.as_bytes());
        Some((1..=groups.count).map(|number| String::from_utf8_lossy(text(number).unwrap()).into()).collect())
    }

    fn found(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn expressions_of_real_zones() {
        for (ere, expected) in [
            ("^.*$", found(&[])),
            ("^.*", found(&[])),
            (".*", found(&[])),
            ("^(.*)$", found(&["+441632960083"])),
            (r"^\+(.*)$", found(&["441632960083"])),
            (r"^\+44(.*)$", found(&["1632960083"])),
            (r"^\+441632960083$", found(&[])),
            (r"^\+44163296008$", None),
            (r"^\+44163296008", found(&[])),
            (r"^\+1(.*)$", None),
            ("^+44(.*)$", found(&["1632960083"])),
            ("^+1(.*)$", None),
            ("(+44)(.*)$", found(&["+44", "1632960083"])),
            (r"^\+44(1632)(9600)(83)$", found(&["1632", "9600", "83"])),
            (r"(^\+44)([0-9]{4})(.{6})$", found(&["+44", "1632", "960083"])),
            (r"^\+([[:digit:]]+)$", found(&["441632960083"])),
            (r"^(\+44|\+4416)(.*)$", found(&["+44", "1632960083"])),
            (r"^\+44(20)?(.*)$", found(&["", "1632960083"])),
            (r"^\+44[^2](.*)$", found(&["632960083"])),
            ("^[+]44", found(&[])),
            (r"1632", found(&[])),
        ] {
            assert_eq!(groups(ere, "+441632960083"), expected, "{ere}");
        }
    }

    #[test]
    fn a_group_may_be_missing_or_empty() {
        let groups = matches(br"^\+(44)(20)?", b'!', false, b"+4416").unwrap();
        assert_eq!(groups.get(1, b"+4416"), Some(&b"44"[..]));
        assert_eq!(groups.get(2, b"+4416"), Some(&b""[..]));
        assert_eq!(groups.get(3, b"+4416"), None);
        assert_eq!(groups.get(0, b"+4416"), None);
    }

    #[test]
    fn other_dialects_are_refused() {
        for ere in [
            r"^\d+$",
            r"^\w",
            r"\b44",
            r"^\+44(.*)\1$",
            "^(?:44)",
            "^(?=44)",
            "^.*?$",
            "^.+?",
            "^.??",
            "^.{1}?",
            "a**",
            "^*44",
            "*",
            "?",
            "(*a)",
            "|{2}",
            "a{",
            "a{1",
            "a{,}",
            "a{x}",
            "a{1,x}",
            "a{+1}",
            "a{256}",
            "a{2,1}",
            "[",
            "[]",
            "[^]",
            "[a",
            "[[.a.]]",
            "[[=a=]]",
            "[[:nope:]]",
            "[[:alpha:",
            "[b-a]",
            "(",
            "(a",
            "a)",
            r"\",
            "é",
            "\u{1}",
            "[a-c-e]",
            "[[:digit:]-9]",
            "[[:word:]]",
        ] {
            assert_eq!(groups(ere, "+44aaa"), None, "{ere}");
        }
    }

    #[test]
    fn intervals() {
        for (ere, yes) in
            [("^\\+4{2}1", true), ("^\\+4{3}", false), ("^\\+4{1,2}1", true), ("^\\+4{2,}1", true)]
        {
            assert_eq!(groups(ere, "+441").is_some(), yes, "{ere}");
        }
        assert!(groups("^\\+4{,2}1", "+1").is_some());
        assert!(groups("^\\+(4{255}|4)1", "+41").is_some());
        assert_eq!(groups("^\\+(4{256}|4)1", "+41"), None);
    }

    /// The steps of one match.
    fn steps(ere: &str, subject: &str) -> (usize, Option<Groups>) {
        let tree = Tree::read(ere.as_bytes(), b'!', false).unwrap_or_else(|| panic!("{ere}"));
        let mut steps = 0;
        let groups = matching::find(&tree, subject.as_bytes(), &mut steps);
        (steps, groups)
    }

    #[test]
    fn hostile_expressions_are_cheap() {
        let number = "+999999999999999";
        let nested = |depth: usize, repeat: &str| format!("{}.{}", "(".repeat(depth), repeat.repeat(depth));
        let many = |part: &str| format!("^{}b$", part.repeat(248 / part.len()));
        let mut most = 0;
        for ere in [
            "((a{100}){100}){100}".to_owned(),
            "(((9{0,255}){0,255}){0,255}){0,255}".to_owned(),
            "^(a*)*(a*)*(a*)*b$".to_owned(),
            "^(9*)*(9*)*(9*)*b$".to_owned(),
            nested(NESTING_MAX, ")*"),
            nested(NESTING_MAX, "){0,9}"),
            nested(NESTING_MAX, ")+"),
            nested(NESTING_MAX, "){2,9}"),
            // Each repetition is empty first, and again where it must not be.
            format!("{}||.{}9", "(".repeat(NESTING_MAX), "){1,9}".repeat(26) + &")".repeat(NESTING_MAX - 26)),
            format!("{}9", "(||.".repeat(20) + &"){2,15}".repeat(20)),
            nested(NESTING_MAX, "){,9}"),
            many("(.*)*"),
            many(".*"),
            many("(9|9)*"),
            many("(.*){7,14}"),
            many("(.*){,15}"),
            many("(.*){15}"),
            many(".{,15}"),
            many(".?"),
            many("(|.)"),
        ] {
            let (steps, _) = steps(&ere, number);
            assert!(steps < 60_000, "{steps} {ere}");
            most = most.max(steps);
        }
        assert!(most > 30_000, "{most}: the bound of matching.rs can be lower");
        // One in use, for comparison.
        assert!(steps(r"(^\+44)([0-9]{4})(.{6})$", "+441632960083").0 < 1000);
    }

    #[test]
    fn subjects_and_expressions_have_a_size() {
        let subject = |len| "1".repeat(len);
        for (len, yes) in [(NAPTR_SUBJECT_BYTES_MAX, true), (NAPTR_SUBJECT_BYTES_MAX + 1, false)] {
            assert_eq!(groups("^(1)+$", &subject(len)).is_some(), yes, "{len}");
        }
        assert_eq!(groups("(.)", "\u{e9}"), None);
        // The dots, and the sequence.
        let dots = |count| ".".repeat(count);
        let ends = |count| groups(&dots(count), &subject(16)).is_some();
        assert!(Ere::read(dots(NAPTR_NODES_MAX - 1).as_bytes(), b'!', false, &mut 1).is_some());
        assert!(Ere::read(dots(NAPTR_NODES_MAX).as_bytes(), b'!', false, &mut 1).is_none());
        assert!(ends(16) && !ends(17));
        let optional = |count| ".?".repeat(count);
        // A large one on a long subject: passed over.
        let large = optional(NAPTR_NODES_MAX / 2 - 1);
        assert!(groups(&large, &subject(16)).is_some());
        assert!(groups(&large, &subject(17)).is_none());
        let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(groups(&nested(NESTING_MAX), "1").is_some());
        assert!(groups(&nested(NESTING_MAX + 1), "1").is_none());
    }

    #[test]
    fn trees_in_use_are_small() {
        let bytes = |ere: &str| Ere::read(ere.as_bytes(), b'!', false, &mut 1).unwrap().heap_bytes();
        for ere in [r"(^\+44)([0-9]{4})(.{6})$", r"^\+([[:digit:]]{1,15})$", r"^(\+44|\+4420)(.*)$"] {
            assert!((1..1024).contains(&bytes(ere)), "{ere} {}", bytes(ere));
        }
        assert!(bytes(&".".repeat(NAPTR_NODES_MAX - 1)) < 9 * 1024);
    }

    #[test]
    fn a_plus_without_anything_to_repeat_is_told() {
        for (ere, told) in [
            ("^+44(.*)$", true),
            ("^+44", true),
            ("(+44)(.*)$", true),
            ("^(1|+44)", true),
            (r"^\+44(.*)$", false),
            ("^[+]44", false),
            (r"^\+4+(.*)$", false),
            ("^4+$", false),
        ] {
            let read = Ere::read(ere.as_bytes(), b'!', false, &mut 1).unwrap();
            assert_eq!(read.tolerated_plus(), told, "{ere}");
        }
    }

    #[test]
    fn a_group_in_a_repetition_has_the_last_match_that_it_took_part_in() {
        let unset = &(0..0);
        for (ere, subject, spans) in [
            ("((a)|b)*", "ab", [&(1..2), &(0..1)]),
            ("(a*)*(b)", "b", [&(0..0), &(0..1)]),
            ("(a*)+(b)", "aab", [&(0..2), &(2..3)]),
            ("(a|ab)(c|bcd)", "abcd", [&(0..1), &(1..4)]),
            ("(a*){2}(b)", "aab", [&(2..2), &(2..3)]),
            ("(^|a){2}(a)", "aa", [&(0..1), &(1..2)]),
            ("(a){0}(b)", "ab", [unset, &(1..2)]),
        ] {
            let groups = matches(ere.as_bytes(), b'!', false, subject.as_bytes()).unwrap();
            assert_eq!([&groups.spans[0], &groups.spans[1]], spans, "{ere}");
        }
    }

    #[test]
    fn brackets() {
        for (ere, subject, yes) in [
            ("^[]a]$", "]", true),
            ("^[^]a]$", "b", true),
            ("^[a-]$", "-", true),
            ("^[-a]$", "-", true),
            (r"^[\]$", r"\", true),
            (r"^[\d]$", "d", true),
            (r"^[\d]$", "5", false),
            ("^[a&&b]$", "&", true),
            ("^[[]$", "[", true),
            ("^[~~^]$", "^", true),
            (r"^[\!]$", "!", true),
            (r"^[\!]$", r"\", false),
        ] {
            assert_eq!(groups(ere, subject).is_some(), yes, "{ere} on {subject}");
        }
    }

    #[test]
    fn literals_stand_for_themselves() {
        for byte in (b' '..=b'~').filter(|byte| !byte.is_ascii_alphanumeric()) {
            let (ere, subject) = ([b'^', b'\\', byte, b'$', b'|', b'x'], [byte]);
            assert!(matches(&ere, b'!', false, &subject).is_some(), "{}", char::from(byte));
            assert!(matches(&ere, b'!', false, b"5").is_none(), "{}", char::from(byte));
        }
    }

    #[test]
    fn case_matters_unless_told() {
        assert!(matches(b"(a)", b'!', false, b"A").is_none());
        assert!(matches(b"(a)", b'!', true, b"A").is_some());
    }

    #[test]
    fn the_plain_way_and_the_tree_agree() {
        for ere in
            ["^.*$", "^(.*)$", r"^\+(.*)$", r"^\+44(.*)$", r"^\+441$", r"^\+44", "^44", "^+44", "^$", "^"]
        {
            assert!(Plain::read(ere.as_bytes()).is_some(), "{ere}");
            // In a group of its own it is not plain.
            let slow = format!("({ere})");
            for subject in ["+441", "+44", "+1", "44", ""] {
                let plain = groups(ere, subject);
                let tree = groups(&slow, subject).map(|groups| groups[1..].to_vec());
                assert_eq!(plain, tree, "{ere} on {subject}");
            }
        }
    }
}
