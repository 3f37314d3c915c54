//! Pure. Patterns of conditions: texts and numbers.
//!
//! In:    the text of a route file at load; later, bytes of a request.
//! Out:   whether they are meant.
//! Never: allocates while matching.

use regex::bytes::{Regex, RegexBuilder};

use crate::limits::{NUMBER_BYTES_MAX, REGEX_BYTES_MAX};

/// A pattern for a text: `exact`, `prefix*`, `*suffix`, `*`, or `/regex/`.
#[derive(Debug)]
pub struct TextPattern {
    pub(super) shape: TextShape,
    pub(super) fold: bool,
}

#[derive(Debug)]
pub(super) enum TextShape {
    Any,
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    Regex(Regex),
}

impl TextPattern {
    /// Reads a pattern; `fold` compares in any case (hosts, header values yes; users no).
    /// The error says what is wrong and what was expected, as a sentence without place.
    pub fn parse(text: &str, fold: bool) -> Result<Self, String> {
        if let Some(regex) = regex_between_slashes(text, fold)? {
            return Ok(Self { shape: TextShape::Regex(regex), fold });
        }
        let starts = text.starts_with('*');
        let ends = text.ends_with('*');
        let inner = text.trim_matches('*');
        let shape = match (starts, ends) {
            _ if text.is_empty() => {
                return Err("an empty pattern matches nothing; write `*` for any value".to_owned());
            }
            _ if text == "*" => TextShape::Any,
            (true, true) => return Err(star_in_the_middle(text)),
            _ if inner.contains('*') || text.matches('*').count() > 1 => {
                return Err(star_in_the_middle(text));
            }
            (true, false) => TextShape::Suffix(inner.as_bytes().into()),
            (false, true) => TextShape::Prefix(inner.as_bytes().into()),
            (false, false) => TextShape::Exact(inner.as_bytes().into()),
        };
        Ok(Self { shape, fold })
    }

    /// Whether `value` is meant.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        let same = |a: &[u8], b: &[u8]| if self.fold { a.eq_ignore_ascii_case(b) } else { a == b };
        match &self.shape {
            TextShape::Any => true,
            TextShape::Exact(text) => same(value, text),
            TextShape::Prefix(text) => value.get(..text.len()).is_some_and(|start| same(start, text)),
            TextShape::Suffix(text) => value
                .len()
                .checked_sub(text.len())
                .and_then(|at| value.get(at..))
                .is_some_and(|end| same(end, text)),
            TextShape::Regex(regex) => regex.is_match(value),
        }
    }
}

fn star_in_the_middle(text: &str) -> String {
    format!(
        "`{text}` has a `*` that is neither the only one nor at an end; \
         expected `exact`, `prefix*`, `*suffix`, `*` or `/regex/`"
    )
}

/// The expression of `/…/`; `None` when the text does not begin with a slash.
fn regex_between_slashes(text: &str, fold: bool) -> Result<Option<Regex>, String> {
    let Some(inside) = text.strip_prefix('/') else { return Ok(None) };
    let Some(expression) = inside.strip_suffix('/') else {
        return Err(format!("`{text}` begins a regular expression that has no closing `/`"));
    };
    if expression.is_empty() {
        return Err("`//` is an empty regular expression; write `*` for any value".to_owned());
    }
    RegexBuilder::new(expression)
        .case_insensitive(fold)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
        .map(Some)
        .map_err(|error| regex_message(expression, &error.to_string()))
}

/// What is wrong with a regular expression, on one line.
pub(super) fn regex_message(expression: &str, error: &str) -> String {
    if error.contains("size limit") || error.contains("exceeds") {
        return format!(
            "the regular expression `{expression}` needs more than {} kB when compiled; \
             write smaller repetitions, or put the numbers into a table",
            REGEX_BYTES_MAX / 1024
        );
    }
    // The crate draws the expression and a marker under it; the last line says what is wrong.
    let reason = error.lines().last().unwrap_or(error).trim_start_matches("error: ").trim();
    format!("`{expression}` is not a regular expression: {reason}")
}

/// A pattern for a number: `+441632960000`, `+44*`, `+441632960000-+441632960999` (same length), or `/regex/`.
#[derive(Debug)]
pub struct NumberPattern {
    pub(super) shape: NumberShape,
}

#[derive(Debug)]
pub(super) enum NumberShape {
    Any,
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    /// Both of the same length: then the order of bytes is the order of numbers.
    Range(Box<[u8]>, Box<[u8]>),
    Regex(Regex),
}

impl NumberPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(regex) = regex_between_slashes(text, false)? {
            return Ok(Self { shape: NumberShape::Regex(regex) });
        }
        if text == "*" {
            return Ok(Self { shape: NumberShape::Any });
        }
        if text.starts_with('*') {
            return Err(format!(
                "`{text}` could mean a star code or an ending; write `/^\\{text}$/` for the code, `/{}$/` for the ending",
                text.trim_start_matches('*')
            ));
        }
        let shape = if let Some(prefix) = text.strip_suffix('*') {
            NumberShape::Prefix(number_bytes(text, prefix)?)
        } else if let Some((first, last)) = text.split_once('-') {
            range(text, first.trim(), last.trim())?
        } else {
            NumberShape::Exact(number_bytes(text, text)?)
        };
        Ok(Self { shape })
    }

    /// Whether `number` is meant.
    #[must_use]
    pub fn matches(&self, number: &[u8]) -> bool {
        if number.is_empty() || number.len() > NUMBER_BYTES_MAX {
            return false;
        }
        match &self.shape {
            NumberShape::Any => true,
            NumberShape::Exact(exact) => number == &**exact,
            NumberShape::Prefix(prefix) => number.starts_with(prefix),
            NumberShape::Range(first, last) => {
                number.len() == first.len() && number >= &**first && number <= &**last && digits_only(number)
            }
            NumberShape::Regex(regex) => regex.is_match(number),
        }
    }
}

fn range(text: &str, first: &str, last: &str) -> Result<NumberShape, String> {
    if last.contains('-') || last.is_empty() || first.is_empty() {
        return Err(format!(
            "`{text}` is neither a number nor a range; write numbers without separators, ranges as FIRST-LAST"
        ));
    }
    let (first, last) = (number_bytes(text, first)?, number_bytes(text, last)?);
    if !digits_only(&first) || !digits_only(&last) {
        return Err(format!(
            "the range `{text}` may hold digits only, with a `+` before them in both or neither"
        ));
    }
    if first.len() != last.len() || first.starts_with(b"+") != last.starts_with(b"+") {
        return Err(format!(
            "the two ends of the range `{text}` differ in length; expected numbers of the same form, \
             such as +441632960000-+441632960999"
        ));
    }
    if first > last {
        return Err(format!("the range `{text}` ends before it begins; write the lower number first"));
    }
    Ok(NumberShape::Range(first, last))
}

/// Digits with an optional leading `+`.
fn digits_only(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"+").unwrap_or(number);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// Checks the characters of a number or of its beginning; `whole` is what the message shows.
fn number_bytes(whole: &str, number: &str) -> Result<Box<[u8]>, String> {
    if let Some(fault) = number_fault(number.as_bytes()) {
        return Err(format!("`{whole}` {fault}"));
    }
    Ok(number.as_bytes().into())
}

/// Why these bytes are not a number as routes and tables write it; the sentence lacks its subject.
pub(super) fn number_fault(number: &[u8]) -> Option<&'static str> {
    let rest = number.strip_prefix(b"+").unwrap_or(number);
    if number.is_empty() {
        return Some("is empty; expected digits, such as +441632960000");
    }
    if number.len() > NUMBER_BYTES_MAX {
        return Some("is longer than 64 characters, and no number is");
    }
    if rest.iter().any(|&byte| byte == b' ' || crate::sip::is_visual_separator(byte)) {
        return Some("holds separators; write digits only, such as +441632960000");
    }
    if rest.contains(&b'+') {
        return Some("has a `+` that is not at the beginning");
    }
    // RFC 3966 §3: phonedigit-hex adds A to D, `*` and `#` to the digits.
    let known = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'A'..=b'D');
    if !rest.iter().all(known) {
        return Some(
            "holds a character no number has; expected digits, an optional leading `+`, `*`, `#`, A to D",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pattern: &str, fold: bool, value: &str) -> bool {
        TextPattern::parse(pattern, fold).expect(pattern).matches(value.as_bytes())
    }

    fn number(pattern: &str, value: &str) -> bool {
        NumberPattern::parse(pattern).expect(pattern).matches(value.as_bytes())
    }

    #[test]
    fn texts_match_whole_at_an_end_or_by_regex() {
        for (pattern, fold, yes, no) in [
            ("example.net", true, "EXAMPLE.net", "example.net."),
            ("alice", false, "alice", "Alice"),
            ("sip*", false, "sip", "si"),
            ("*.example.net", true, "A.EXAMPLE.NET", "example.net"),
            ("*.example.net", true, ".example.net", "x.example.net.evil"),
            ("/^a[0-9]+$/", false, "a12", "A12"),
            ("/^a[0-9]+$/", true, "A12", "a"),
            ("/b/", false, "abc", "ac"),
        ] {
            assert!(text(pattern, fold, yes), "{pattern} {yes}");
            assert!(!text(pattern, fold, no), "{pattern} {no}");
        }
        assert!(text("*", false, ""));
        assert!(text("*", false, "anything"));
    }

    #[test]
    fn bytes_that_are_not_utf8_match_too() {
        let pattern = TextPattern::parse("/^.$/", false).expect("pattern");
        assert!(pattern.matches(b"\xff"));
        assert!(!pattern.matches(b"\xff\xff"));
    }

    #[test]
    fn numbers_match_exactly_by_prefix_range_or_regex() {
        for (pattern, yes, no) in [
            ("+441632960000", "+441632960000", "441632960000"),
            ("+44*", "+44", "+4"),
            ("+44*", "+441632960000", "+33123"),
            ("112", "112", "1120"),
            ("+*", "+1", "1"),
            ("+441632960000-+441632960999", "+441632960000", "+441632961000"),
            ("+441632960000-+441632960999", "+441632960999", "+441632959999"),
            ("100-199", "150", "1500"),
            ("100-199", "199", "1*9"),
            ("/^\\*98$/", "*98", "*9"),
            ("123#", "123#", "123"),
        ] {
            assert!(number(pattern, yes), "{pattern} {yes}");
            assert!(!number(pattern, no), "{pattern} {no}");
        }
        assert!(!number("*", ""), "no number is not any number");
    }

    #[test]
    fn the_longest_number_matches_and_one_digit_more_does_not() {
        assert!(number("1*", &"1".repeat(NUMBER_BYTES_MAX)));
        assert!(!number("1*", &"1".repeat(NUMBER_BYTES_MAX + 1)));
        assert!(NumberPattern::parse(&"1".repeat(NUMBER_BYTES_MAX)).is_ok());
        assert!(NumberPattern::parse(&"1".repeat(NUMBER_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn mistakes_in_patterns_are_named() {
        for (pattern, part) in [
            ("", "empty pattern"),
            ("a*b", "neither the only one"),
            ("*a*", "neither the only one"),
            ("**", "neither the only one"),
            ("/a", "no closing"),
            ("/", "no closing"),
            ("//", "empty regular expression"),
            ("/(/", "unclosed group"),
            ("/(a{1000}){1000}/", "256 kB"),
        ] {
            let error = TextPattern::parse(pattern, true).expect_err(pattern);
            assert!(error.contains(part), "{pattern}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
        for (pattern, part) in [
            ("", "empty"),
            ("*98", "star code"),
            ("+44 1632 960000", "separators"),
            ("+44-1632-960000", "neither a number nor a range"),
            ("100-1999", "differ in length"),
            ("200-100", "ends before it begins"),
            ("1*0-1*9", "digits only"),
            ("alice", "a character no number has"),
            ("44+", "not at the beginning"),
            ("-5", "neither a number nor a range"),
        ] {
            let error = NumberPattern::parse(pattern).expect_err(pattern);
            assert!(error.contains(part), "{pattern}: {error}");
        }
    }
}
