//! Pure. POSIX extended regular expressions (ERE) of NAPTR records, matched in linear time.
//!
//! In:    an expression from a stranger's zone; later, the number as RFC 6116 §3.1 has it (`+44…`).
//! Out:   the expression, compiled once, if it is an ERE; where its groups matched.
//! Never: matches what only another dialect would: `\d`, look-around, lazy quantifiers are refused.
//!        Keeps memory of a match, or compiles for one.
//!
//! Alternatives match first, not longest: `(44|4420)` finds `44`. POSIX differs only where nothing
//! after the group decides.

use std::ops::Range;

use regex_automata::{
    Input,
    nfa::thompson::{self, pikevm::PikeVM},
    util::syntax,
};

use crate::limits::{NAPTR_REGEX_BYTES_MAX, NAPTR_REPEAT_MAX};

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
    Regex(PikeVM),
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
        PikeVM::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false).case_insensitive(ignore_case))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(NAPTR_REGEX_BYTES_MAX)))
            .build(&translate(ere, delimiter)?)
            .ok()
            .map(Self::Regex)
    }

    /// Where the groups of the first match in `subject` are.
    pub(super) fn matches(&self, subject: &[u8]) -> Option<Groups> {
        let regex = match self {
            Self::Plain(plain) => return plain.matches(subject),
            Self::Regex(regex) => regex,
        };
        let mut slots = [None; 2 * (GROUPS_MAX + 1)];
        let pattern = regex.search_slots(&mut regex.create_cache(), &Input::new(subject), &mut slots)?;
        let count = regex.get_nfa().group_info().group_len(pattern).saturating_sub(1);
        let mut groups = Groups { count, ..Groups::default() };
        for (span, ends) in groups.spans.iter_mut().zip(slots.chunks_exact(2).skip(1)) {
            if let [Some(start), Some(end)] = ends {
                *span = start.get()..end.get();
            }
        }
        Some(groups)
    }

    /// Memory taken, in bytes, besides its own.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.digits.len(),
            Self::Regex(regex) => regex.get_nfa().memory_usage(),
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
        Some(Self { plus: after_plus.is_some(), digits: digits.into(), tail })
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

/// What stands before the byte being read: whether it can be repeated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Atom,
    Repetition,
}

/// Writes an ERE in the syntax of the regex crate; `None` when it is none.
fn translate(ere: &[u8], delimiter: u8) -> Option<String> {
    let mut out = String::with_capacity(ere.len() * 2);
    let mut before = Before::Nothing;
    let mut rest = ere;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        before = match byte {
            b'\\' => {
                let (&escaped, after) = rest.split_first()?;
                rest = after;
                // In POSIX `\d` and the like are undefined, and `\1` is no ERE: a zone that has them
                // means another dialect.
                if escaped.is_ascii_alphanumeric() && escaped != delimiter {
                    return None;
                }
                literal(escaped, &mut out)?;
                Before::Atom
            }
            b'[' => {
                rest = bracket(rest, delimiter, &mut out)?;
                Before::Atom
            }
            b'.' | b')' => {
                out.push(char::from(byte));
                Before::Atom
            }
            b'(' | b'|' | b'^' | b'$' => {
                out.push(char::from(byte));
                Before::Nothing
            }
            // `^+44`: see `Plain`.
            b'+' if before == Before::Nothing => {
                literal(byte, &mut out)?;
                Before::Atom
            }
            // A repetition of a repetition is undefined; `*?` is another dialect's lazy one.
            b'*' | b'+' | b'?' | b'{' if before != Before::Atom => return None,
            b'*' | b'+' | b'?' => {
                out.push(char::from(byte));
                Before::Repetition
            }
            b'{' => {
                rest = interval(rest, &mut out)?;
                Before::Repetition
            }
            _ => {
                literal(byte, &mut out)?;
                Before::Atom
            }
        };
    }
    Some(out)
}

/// One character that stands for itself.
fn literal(byte: u8, out: &mut String) -> Option<()> {
    if !(byte.is_ascii_graphic() || byte == b' ') {
        return None;
    }
    if br"\.+*?()|[]{}^$#&-~".contains(&byte) {
        out.push('\\');
    }
    out.push(char::from(byte));
    Some(())
}

/// `{n}`, `{n,}`, `{n,m}` and the common `{,m}`, after the brace; what follows it.
fn interval<'e>(rest: &'e [u8], out: &mut String) -> Option<&'e [u8]> {
    let end = rest.iter().position(|byte| *byte == b'}')?;
    let (inside, after) = rest.split_at_checked(end)?;
    let mut bounds = inside.splitn(2, |byte| *byte == b',');
    let bound = |text: &[u8]| {
        let number = std::str::from_utf8(text).ok()?.parse::<u32>().ok()?;
        (text.iter().all(u8::is_ascii_digit) && number <= NAPTR_REPEAT_MAX).then_some(number)
    };
    let (least, most) = (bounds.next()?, bounds.next());
    let least = match (least, most) {
        (b"", Some(most)) if !most.is_empty() => 0,
        (least, _) => bound(least)?,
    };
    match most {
        None => out.push_str(&format!("{{{least}}}")),
        Some(b"") => out.push_str(&format!("{{{least},}}")),
        Some(most) => out.push_str(&format!("{{{least},{}}}", bound(most)?)),
    }
    after.get(1..)
}

/// A bracket expression, after its `[`; what follows it. A backslash in it stands for itself, unless
/// it escapes the delimiter.
fn bracket<'e>(mut rest: &'e [u8], delimiter: u8, out: &mut String) -> Option<&'e [u8]> {
    out.push('[');
    if let Some(after) = rest.strip_prefix(b"^") {
        out.push('^');
        rest = after;
    }
    for index in 0_usize.. {
        match rest {
            [b']', after @ ..] if index > 0 => {
                out.push(']');
                return Some(after);
            }
            [b'[', b':', after @ ..] => {
                let end = after.windows(2).position(|two| two == b":]")?;
                let name = std::str::from_utf8(after.get(..end)?).ok()?;
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
                    return None;
                }
                out.push_str(&format!("[:{name}:]"));
                rest = after.get(end.checked_add(2)?..)?;
            }
            // Collating elements mean something only in a locale.
            [b'[', b'.' | b'=', ..] => return None,
            [b'\\', escaped, after @ ..] if *escaped == delimiter => {
                literal(*escaped, out)?;
                rest = after;
            }
            [from, b'-', to, after @ ..] if *to != b']' => {
                if matches!(to, b'[' | b'\\') || from > to {
                    return None;
                }
                literal(*from, out)?;
                out.push('-');
                literal(*to, out)?;
                rest = after;
            }
            [byte, after @ ..] => {
                literal(*byte, out)?;
                rest = after;
            }
            [] => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (r"^(\+44|\+4420)(.*)$", found(&["+44", "1632960083"])),
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
            "(((a{100}){100}){100})",
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
    }

    #[test]
    fn compiled_expressions_have_a_size_and_those_in_use_are_far_below_it() {
        let bytes = |ere: &str| Some(Ere::read(ere.as_bytes(), b'!', false, &mut 1)?.heap_bytes());
        for ere in [r"(^\+44)([0-9]{4})(.{6})$", r"^\+([[:digit:]]{1,15})$", r"^(\+44|\+4420)(.*)$"] {
            let bytes = bytes(ere).unwrap();
            assert!(bytes < 4 * 1024, "{ere} {bytes}");
        }
        let largest = (1..=255).filter_map(|count| bytes(&format!("(.{{{count}}})"))).max();
        let largest = largest.expect("some are small");
        // 16 kB, and the head, about 1 kB, which the crate does not count for it.
        assert!((8 * 1024..18 * 1024).contains(&largest), "{largest}");
        assert_eq!(bytes("(.{255}.{255})"), None);
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
    fn the_plain_way_and_the_regex_agree() {
        for ere in
            ["^.*$", "^(.*)$", r"^\+(.*)$", r"^\+44(.*)$", r"^\+441$", r"^\+44", "^44", "^+44", "^$", "^"]
        {
            assert!(Plain::read(ere.as_bytes()).is_some(), "{ere}");
            // In a group of its own it is not plain.
            let slow = format!("({})|x{{255}}", ere);
            for subject in ["+441", "+44", "+1", "44", ""] {
                let plain = groups(ere, subject);
                let regex = groups(&slow, subject).map(|groups| groups[1..].to_vec());
                assert_eq!(plain, regex, "{ere} on {subject}");
            }
        }
    }
}
