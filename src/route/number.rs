//! Pure. Number normalisation, named once and used again: 00 → +, national → E.164, strip, prefix, regex.
//!
//! In:    a number as a request has it.
//! Out:   the number as routes compare it.
//! Never: allocates, but for the caller's buffer to grow.

use regex_automata::{
    meta,
    util::{primitives::NonMaxUsize, syntax},
};

use super::pattern::{number_fault, regex_message};
use crate::limits::{NUMBER_BYTES_MAX, REGEX_BYTES_MAX};

/// Groups of a regular expression that `to:` can name: `$0` to `$9`.
const GROUPS: usize = 10;

/// A named list of rules; visual separators (RFC 3966 §5.1.1: `-`, `.`, `(`, `)`) are taken out first,
/// then the first rule that matches is applied; none matching leaves the number.
#[derive(Debug)]
pub struct Normalisation {
    name: Box<str>,
    rules: Vec<NumberRule>,
}

impl Normalisation {
    /// A normalisation of these rules.
    #[must_use]
    pub fn new(name: &str, rules: Vec<NumberRule>) -> Self {
        Self { name: name.into(), rules }
    }

    /// The name in the route file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends the normalised `number` to `out`.
    pub fn apply(&self, number: &[u8], out: &mut Vec<u8>) {
        let mut plain = [0u8; NUMBER_BYTES_MAX];
        let Some(plain) = without_separators(number, &mut plain) else {
            // Longer than any number: nothing will match it, and it stays as it came.
            out.extend_from_slice(number);
            return;
        };
        if !self.rules.iter().any(|rule| rule.apply(plain, out)) {
            out.extend_from_slice(plain);
        }
    }
}

fn without_separators<'b>(number: &[u8], room: &'b mut [u8; NUMBER_BYTES_MAX]) -> Option<&'b [u8]> {
    let mut len = 0;
    for &byte in number {
        if !crate::sip::is_visual_separator(byte) {
            *room.get_mut(len)? = byte;
            len += 1;
        }
    }
    room.get(..len)
}

/// One rule.
#[derive(Debug)]
pub struct NumberRule {
    step: Step,
}

#[derive(Debug)]
enum Step {
    Affix { starts: Box<[u8]>, lengths: Option<(usize, usize)>, strip: usize, prefix: Box<[u8]> },
    Regex { regex: meta::Regex, to: Vec<Piece> },
}

#[derive(Debug)]
enum Piece {
    Text(Box<[u8]>),
    Group(usize),
}

impl NumberRule {
    /// A number that begins with `starts` and is as long as `lengths` says loses `strip` characters
    /// and gets `prefix`.
    pub fn affix(
        starts: &str,
        lengths: Option<(usize, usize)>,
        strip: usize,
        prefix: &str,
    ) -> Result<Self, String> {
        for text in [starts, prefix] {
            if let Some(fault) = number_fault(text.as_bytes()).filter(|_| !text.is_empty()) {
                return Err(format!("`{text}` {fault}"));
            }
        }
        let step = Step::Affix {
            starts: starts.as_bytes().into(),
            lengths,
            strip,
            prefix: prefix.as_bytes().into(),
        };
        Ok(Self { step })
    }

    /// A number in which `regex` is found has the found part replaced by `to`, in which `$1` to `$9`
    /// (or `${1}`) are the groups, `$0` the found part and `$$` a dollar.
    pub fn regex(regex: &str, to: &str) -> Result<Self, String> {
        let compiled = meta::Builder::new()
            .configure(
                meta::Config::new()
                    .nfa_size_limit(Some(REGEX_BYTES_MAX))
                    .onepass_size_limit(Some(REGEX_BYTES_MAX))
                    .hybrid_cache_capacity(REGEX_BYTES_MAX)
                    .utf8_empty(false),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(regex)
            .map_err(|error| {
                let reason = match (error.size_limit(), error.syntax_error()) {
                    (Some(_), _) => "size limit".to_owned(),
                    (None, Some(error)) => error.to_string(),
                    (None, None) => error.to_string(),
                };
                regex_message(regex, &reason)
            })?;
        let pieces = replacement(to)?;
        let groups = compiled.captures_len();
        let highest = pieces
            .iter()
            .filter_map(|piece| if let Piece::Group(group) = piece { Some(*group) } else { None })
            .max()
            .unwrap_or(0);
        if highest >= groups {
            return Err(format!(
                "`{to}` names the group ${highest}, but `{regex}` has {}; put round brackets around the part to keep",
                match groups {
                    0 | 1 => "no group".to_owned(),
                    2 => "one group".to_owned(),
                    more => format!("{} groups", more - 1),
                }
            ));
        }
        Ok(Self { step: Step::Regex { regex: compiled, to: pieces } })
    }

    /// Whether the rule matches every number, so that none after it is tried.
    #[must_use]
    pub fn matches_all(&self) -> bool {
        matches!(&self.step, Step::Affix { starts, lengths: None, strip: 0, .. } if starts.is_empty())
    }

    fn apply(&self, number: &[u8], out: &mut Vec<u8>) -> bool {
        match &self.step {
            Step::Affix { starts, lengths, strip, prefix } => {
                let fits = lengths.is_none_or(|(least, most)| (least..=most).contains(&number.len()));
                let Some(rest) = number.get(*strip..).filter(|_| fits && number.starts_with(starts)) else {
                    return false;
                };
                out.extend_from_slice(prefix);
                out.extend_from_slice(rest);
                true
            }
            Step::Regex { regex, to } => replace(regex, to, number, out),
        }
    }
}

fn replace(regex: &meta::Regex, to: &[Piece], number: &[u8], out: &mut Vec<u8>) -> bool {
    let mut slots: [Option<NonMaxUsize>; 2 * GROUPS] = [None; 2 * GROUPS];
    if regex.search_slots(&regex_automata::Input::new(number), &mut slots).is_none() {
        return false;
    }
    let group = |index: usize| {
        let at = |slot: usize| slots.get(slot).copied().flatten().map(NonMaxUsize::get);
        at(2 * index).zip(at(2 * index + 1))
    };
    let Some((start, end)) = group(0) else { return false };
    out.extend_from_slice(number.get(..start).unwrap_or_default());
    for piece in to {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Group(index) => {
                // A group that took no part in the match is empty, as in every other tool.
                let found = group(*index).and_then(|(start, end)| number.get(start..end));
                out.extend_from_slice(found.unwrap_or_default());
            }
        }
    }
    out.extend_from_slice(number.get(end..).unwrap_or_default());
    true
}

fn replacement(to: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut rest = to;
    while let Some((before, after)) = rest.split_once('$') {
        text.extend_from_slice(before.as_bytes());
        let (group, length) = match after.as_bytes() {
            [b'$', ..] => (None, 1),
            [digit @ b'0'..=b'9', ..] => (Some(digit - b'0'), 1),
            [b'{', digit @ b'0'..=b'9', b'}', ..] => (Some(digit - b'0'), 3),
            _ => {
                return Err(format!("`{to}` has a `$` without a group; expected $0 to $9, ${{1}} or $$"));
            }
        };
        match group {
            None => text.push(b'$'),
            Some(group) => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text).into()));
                }
                pieces.push(Piece::Group(usize::from(group)));
            }
        }
        rest = after.get(length..).unwrap_or_default();
    }
    text.extend_from_slice(rest.as_bytes());
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uk() -> Normalisation {
        Normalisation::new(
            "uk",
            vec![
                NumberRule::affix("00", None, 2, "+").expect("rule"),
                NumberRule::affix("0", None, 1, "+44").expect("rule"),
                NumberRule::regex("^([1-9][0-9]{5})$", "+441632$1").expect("rule"),
                NumberRule::affix("", Some((10, 10)), 0, "+1").expect("rule"),
            ],
        )
    }

    fn applied(normalisation: &Normalisation, number: &str) -> String {
        let mut out = b"kept ".to_vec();
        normalisation.apply(number.as_bytes(), &mut out);
        String::from_utf8(out.split_off(5)).expect("utf8")
    }

    #[test]
    fn the_first_rule_that_matches_is_applied() {
        for (number, expected) in [
            ("0044163296", "+44163296"),
            ("01632960123", "+441632960123"),
            ("960123", "+441632960123"),
            ("060123", "+4460123"),
            ("2025550100", "+12025550100"),
            ("(202)555-0100", "+12025550100"),
            ("202 5550100", "202 5550100"),
            ("202-555.0100", "+12025550100"),
            ("+441632960123", "+441632960123"),
            ("+44(1632)960123", "+441632960123"),
            ("112", "112"),
            ("0", "+44"),
            ("", ""),
        ] {
            assert_eq!(applied(&uk(), number), expected, "{number}");
        }
    }

    #[test]
    fn a_number_too_long_stays_as_it_came() {
        let longest = "0".repeat(NUMBER_BYTES_MAX);
        assert_eq!(applied(&uk(), &longest), format!("+{}", "0".repeat(NUMBER_BYTES_MAX - 2)));
        let longer = "0".repeat(NUMBER_BYTES_MAX + 1);
        assert_eq!(applied(&uk(), &longer), longer);
    }

    #[test]
    fn a_rule_that_strips_more_than_there_is_does_not_match() {
        let rules = vec![NumberRule::affix("1", None, 3, "+").expect("rule")];
        let normalisation = Normalisation::new("x", rules);
        assert_eq!(applied(&normalisation, "12"), "12");
        assert_eq!(applied(&normalisation, "123"), "+");
    }

    #[test]
    fn replacements_know_groups_and_dollars() {
        for (regex, to, number, expected) in [
            ("^9(.*)$", "+$1", "9123", "+123"),
            ("5", "x", "15253", "1x253"),
            ("^(1)?(2)", "<${1}$2>", "23", "<2>3"),
            ("^1", "$$$0", "12", "$12"),
        ] {
            let rules = vec![NumberRule::regex(regex, to).expect(regex)];
            assert_eq!(applied(&Normalisation::new("x", rules), number), expected, "{regex}");
        }
    }

    #[test]
    fn mistakes_in_rules_are_named() {
        for (regex, to, part) in [
            ("(", "", "unclosed group"),
            ("^1", "$1", "has no group"),
            ("^(1)", "$2", "has one group"),
            ("^(1)", "$x", "without a group"),
            ("^(1)", "1$", "without a group"),
            ("(a{1000}){1000}", "", "256 kB"),
        ] {
            let error = NumberRule::regex(regex, to).expect_err(regex);
            assert!(error.contains(part), "{regex}: {error}");
        }
        assert!(NumberRule::affix("0 0", None, 0, "").expect_err("separator").contains("separators"));
        assert!(NumberRule::affix("0", None, 0, "x").expect_err("letter").contains("no number has"));
    }
}
