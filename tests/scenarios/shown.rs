//! Messages as the text files of the tests show them, and where two such texts differ.

use std::fmt::Write as _;

/// `| text` is a line with CRLF, `|= text` one without; `\xHH`, `\\` are escapes: every byte that is not
/// plain is one.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (line, end, after) = match rest.windows(2).position(|pair| pair == b"\r\n") {
            Some(at) => (&rest[..at], "|", &rest[at + 2..]),
            None => (rest, "|=", &rest[rest.len()..]),
        };
        text.push_str(end);
        if !line.is_empty() {
            text.push(' ');
        }
        for &byte in line {
            match byte {
                b'\\' => text.push_str("\\\\"),
                b' '..=b'~' => text.push(char::from(byte)),
                _ => write!(text, "\\x{byte:02x}").expect("text"),
            }
        }
        text.push('\n');
        rest = after;
    }
    text
}

/// The first line that differs.
pub(crate) fn first_difference(expected: &str, actual: &str) -> String {
    let (mut expected, mut actual) = (expected.lines(), actual.lines());
    for number in 1.. {
        match (expected.next(), actual.next()) {
            (Some(a), Some(b)) if a == b => {}
            (None, None) => break,
            (a, b) => {
                return format!(
                    "  line {number}:\n  expected {}\n  got      {}",
                    a.unwrap_or("the end"),
                    b.unwrap_or("the end")
                );
            }
        }
    }
    "  they differ in their line ends".to_owned()
}
