//! Reads an answer as the strictest stranger would: every deviation from the form is a panic.

/// An answer: its status and its lines.
#[derive(Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub headers: Vec<(&'a [u8], &'a [u8])>,
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Reads a whole answer, with its Content-Length and body.
    pub fn read(bytes: &'a [u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an empty line");
        let (head, body) = (&bytes[..end + 2], &bytes[end + 4..]);
        let answer = Self { body, ..Self::read_head(head) };
        let lengths: Vec<_> = answer.values(b"Content-Length").collect();
        assert_eq!(lengths, [body.len().to_string().as_bytes()], "Content-Length");
        answer
    }

    /// Reads status line and header lines, each ended by CRLF.
    pub fn read_head(head: &'a [u8]) -> Self {
        let text = head.strip_suffix(b"\r\n").expect("the last line ends");
        let mut lines = text.split(|&byte| byte == b'\n');
        let mut line_ends = head.iter().filter(|&&byte| byte == b'\n').count();
        let mut next = || {
            let line = lines.next()?;
            line_ends -= 1;
            // The last one lost its end above.
            let line = if line_ends > 0 { line.strip_suffix(b"\r").expect("CRLF") } else { line };
            assert_no_controls(line);
            Some(line)
        };
        let status_line = next().expect("a status line");
        let (status, reason) = status_line
            .strip_prefix(b"SIP/2.0 ")
            .and_then(|rest| rest.split_at_checked(3))
            .expect("status line");
        assert!(reason.len() > 1 && reason[0] == b' ', "a space and a phrase");
        let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok()).expect("status");
        assert!((200..700).contains(&status), "no 1xx, nothing beyond: {status}");
        let headers = std::iter::from_fn(next).map(header).collect();
        Self { status, headers, body: &[] }
    }

    /// Values of the lines with this name, spelled exactly so, as we always do.
    pub fn values(&self, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(is, _)| *is == name).map(|(_, value)| *value)
    }
}

/// `Name: value`. One space, but for `Supported:` which has no value.
fn header(line: &[u8]) -> (&[u8], &[u8]) {
    let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    assert!(!name.is_empty() && name.iter().all(is_token), "a name: {:?}", String::from_utf8_lossy(line));
    (name, if value.is_empty() { value } else { value.strip_prefix(b" ").expect("a space") })
}

/// RFC 3261 §25.1: a control byte stands in a quoted pair or nowhere, and CR and LF not even there.
fn assert_no_controls(line: &[u8]) {
    let mut escaped = false;
    for &byte in line {
        let may_stand = byte == b'\t' || escaped && !matches!(byte, b'\r' | b'\n');
        assert!(may_stand || !byte.is_ascii_control(), "{byte} in {:?}", String::from_utf8_lossy(line));
        escaped = byte == b'\\' && !escaped;
    }
}
