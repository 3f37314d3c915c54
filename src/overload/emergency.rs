//! Deterministic. Whether a call is one for help, by a glance at its first line.
//!
//! In:    a message, the numbers that are for help.
//! Out:   yes or no.
//! Never: reads a header, undoes an escape: this is to be cheap, and what it decides is who waits, not where a call goes.

use crate::sip::is_visual_separator;

/// RFC 5031 §4.2.
const SOS: &[u8] = b"urn:service:sos";

/// Whether the Request-URI is `urn:service:sos` or one below it (RFC 5031), or has one of `numbers` as its user.
#[must_use]
pub fn is_emergency(message: &[u8], numbers: &[Box<str>]) -> bool {
    let Some(uri) = request_uri(message) else { return false };
    if let Some((start, rest)) = uri.split_at_checked(SOS.len())
        && start.eq_ignore_ascii_case(SOS)
    {
        return matches!(rest, [] | [b'.', ..]);
    }
    !numbers.is_empty()
        && user(uri).is_some_and(|user| numbers.iter().any(|it| is_number(user, it.as_bytes())))
}

/// The second word of the first line.
fn request_uri(message: &[u8]) -> Option<&[u8]> {
    let message = message.trim_ascii_start();
    let method_len = message.iter().position(|byte| *byte == b' ')?;
    let rest = message.get(method_len + 1..)?;
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\r' | b'\n'))?;
    rest.get(..end)
}

/// Who is called, without parameters and password.
fn user(uri: &[u8]) -> Option<&[u8]> {
    let colon = uri.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = uri.split_at_checked(colon + 1)?;
    let user = if scheme.eq_ignore_ascii_case(b"tel:") {
        rest
    } else if scheme.eq_ignore_ascii_case(b"sip:") || scheme.eq_ignore_ascii_case(b"sips:") {
        // Without it, what follows is a host.
        rest.get(..rest.iter().position(|byte| *byte == b'@')?)?
    } else {
        return None;
    };
    let end = user.iter().position(|byte| matches!(byte, b';' | b':' | b'?')).unwrap_or(user.len());
    user.get(..end)
}

/// RFC 3966 §5.1.1: visual separators say nothing.
fn is_number(user: &[u8], number: &[u8]) -> bool {
    let digits = user.iter().filter(|byte| !is_visual_separator(**byte));
    digits.eq(number.iter())
}
