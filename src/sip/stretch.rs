//! Pure. Where an answer can be made longer without saying anything else.
//!
//! In:    an answer as it was written.
//! Out:   the place where spaces may be put.
//! Never: a place in an answer with a body: its end is told by a number.

/// How an answer without a body ends.
pub const NO_CONTENT: &[u8] = b"Content-Length: 0\r\n\r\n";

/// Where spaces may be put into an answer: before the value of Content-Length (RFC 3261 §25.1: `HCOLON` takes any
/// linear white space after the colon). `None` when it has a body.
#[must_use]
pub fn stretch_at(answer: &[u8]) -> Option<usize> {
    answer.ends_with(NO_CONTENT).then(|| answer.len() - b"0\r\n\r\n".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_go_before_the_value() {
        let answer = b"SIP/2.0 302 Moved Temporarily\r\nContent-Length: 0\r\n\r\n";
        let at = stretch_at(answer).unwrap();
        let stretched = [&answer[..at], b"   ", &answer[at..]].concat();
        assert!(stretched.ends_with(b"\r\nContent-Length:    0\r\n\r\n"));
        for other in [&b""[..], b"0\r\n\r\n", b"Content-Length: 10\r\n\r\n0123456789", b"l: 0\r\n\r\n"] {
            assert_eq!(stretch_at(other), None);
        }
    }
}
