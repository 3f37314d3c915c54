//! Pure. The value of an Authorization line (RFC 7616 §3.4), as spans of it.

/// What a client says to prove who it is. Quoted values are without their quotes, escapes still inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Credentials<'v> {
    pub username: &'v [u8],
    pub realm: &'v [u8],
    pub nonce: &'v [u8],
    pub uri: &'v [u8],
    pub response: &'v [u8],
    pub cnonce: &'v [u8],
    pub nc: &'v [u8],
    pub algorithm: Option<&'v [u8]>,
    pub qop: Option<&'v [u8]>,
}

impl<'v> Credentials<'v> {
    /// Reads a value; `None` when it is of another scheme, breaks the grammar, names something twice, or has a user name
    /// in a form that is not offered (`username*`, `userhash`).
    #[must_use]
    pub fn parse(value: &'v [u8]) -> Option<Self> {
        let (scheme, mut rest) = value.split_at_checked(b"Digest".len())?;
        if !scheme.eq_ignore_ascii_case(b"Digest") || !rest.first()?.is_ascii_whitespace() {
            return None;
        }
        let (mut it, mut seen) = (Self::default(), 0_u16);
        loop {
            let (name, value, after) = param(rest)?;
            let known: [(&[u8], &mut &'v [u8]); 7] = [
                (b"username", &mut it.username),
                (b"realm", &mut it.realm),
                (b"nonce", &mut it.nonce),
                (b"uri", &mut it.uri),
                (b"response", &mut it.response),
                (b"cnonce", &mut it.cnonce),
                (b"nc", &mut it.nc),
            ];
            let mut bit = 7;
            if let Some((index, (_, place))) =
                known.into_iter().enumerate().find(|(_, (known, _))| known.eq_ignore_ascii_case(name))
            {
                *place = value;
                bit = index;
            } else if name.eq_ignore_ascii_case(b"algorithm") {
                it.algorithm = Some(value);
                bit = 8;
            } else if name.eq_ignore_ascii_case(b"qop") {
                it.qop = Some(value);
                bit = 9;
            } else if name.eq_ignore_ascii_case(b"username*")
                || (name.eq_ignore_ascii_case(b"userhash") && value.eq_ignore_ascii_case(b"true"))
            {
                return None;
            }
            // RFC 9110 §11.2: each once. Others (`opaque`, extensions) are not looked at.
            if bit != 7 && seen & 1 << bit != 0 {
                return None;
            }
            seen |= 1 << bit;
            rest = after.trim_ascii_start();
            match rest.split_first() {
                None => return Some(it),
                Some((b',', after)) => rest = after,
                Some(_) => return None,
            }
        }
    }
}

/// `name = token` or `name = "quoted"`: name, value, and what follows.
fn param(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let equals = text.iter().position(|&byte| byte == b'=')?;
    let (name, rest) = (text.get(..equals)?.trim_ascii_end(), text.get(equals + 1..)?.trim_ascii_start());
    if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        let end = end_of_quoted(quoted)?;
        return Some((name, quoted.get(..end)?, quoted.get(end + 1..)?));
    }
    let end = rest.iter().position(|&byte| !is_token(byte)).unwrap_or(rest.len());
    (end > 0).then_some((name, rest.get(..end)?, rest.get(end..)?))
}

/// Where the quote stands that ends a quoted string.
fn end_of_quoted(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// A quoted string without its escapes.
pub fn unquoted(text: &[u8]) -> impl Iterator<Item = u8> + Clone + '_ {
    let mut is_escaped = false;
    text.iter().copied().filter(move |&byte| {
        is_escaped = byte == b'\\' && !is_escaped;
        !is_escaped
    })
}

/// RFC 7616 §3.5: `nc` is eight hexadecimal digits, from 1.
pub(super) fn is_nc(text: &[u8]) -> bool {
    text.len() == 8 && text.iter().all(u8::is_ascii_hexdigit) && text != b"00000000"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_read_in_every_legal_form() {
        let full = b"Digest username=\"a\\\"b\", realm=\"r\",nonce = \"n\" ,\r\n uri=\"sip:+44@h;x=\\\"1\\\"\", response=\"00\",\
            algorithm=SHA-256, cnonce=\"c,=\", opaque=\"\", qop=auth, nc=00000001, x-new=\"y\"";
        let expected = Credentials {
            username: b"a\\\"b",
            realm: b"r",
            nonce: b"n",
            uri: b"sip:+44@h;x=\\\"1\\\"",
            response: b"00",
            cnonce: b"c,=",
            nc: b"00000001",
            algorithm: Some(b"SHA-256"),
            qop: Some(b"auth"),
        };
        assert_eq!(Credentials::parse(full), Some(expected));
        assert_eq!(unquoted(expected.username).collect::<Vec<_>>(), b"a\"b");
        assert_eq!(unquoted(b"a\\\\\\\\b\\").collect::<Vec<_>>(), b"a\\\\b");
        let quoted = Credentials { qop: Some(b"auth"), ..Credentials::default() };
        assert_eq!(Credentials::parse(b"dIGEST qop=\"auth\""), Some(quoted));
    }

    #[test]
    fn what_breaks_the_grammar_is_nothing() {
        for value in [
            &b"Basic YTpi"[..],
            b"Digest",
            b"Digest ",
            b"Digestusername=\"a\"",
            b"Digest username",
            b"Digest username=",
            b"Digest username=\"a",
            b"Digest username=\"a\\",
            b"Digest username=\"a\" realm=\"r\"",
            b"Digest username=\"a\",",
            b"Digest =\"a\"",
            b"Digest user name=\"a\"",
            b"Digest username=\"a\", username=\"b\"",
            b"Digest qop=auth, QOP=auth",
            b"Digest username*=UTF-8''a",
            b"Digest username=\"a\", userhash=true",
        ] {
            assert_eq!(Credentials::parse(value), None, "{}", String::from_utf8_lossy(value));
        }
        assert!(Credentials::parse(b"Digest userhash=false, x=1, x=2").is_some());
    }

    #[test]
    fn a_count_has_eight_digits_and_begins_with_one() {
        let good = [&b"00000001"[..], b"ffFF0000"];
        let bad = [&b"00000000"[..], b"0000001", b"000000001", b"0000000g", b""];
        assert!(good.into_iter().all(is_nc) && !bad.into_iter().any(is_nc));
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(value in "Digest [ -~\r\n\\x80]{0,80}") {
            if let Some(it) = Credentials::parse(value.as_bytes()) {
                prop_assert!(it.username.len() <= value.len());
            }
        }
    }
}
