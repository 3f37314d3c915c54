//! Pure. Classes of bytes (RFC 3261 §25.1), white space and numbers.

use memchr::memchr_iter;

/// `token`.
pub(super) const TOKEN: u8 = 1;
/// User part of a sip: URI, escapes and parameters included.
pub(super) const USER: u8 = 1 << 1;
/// Host name or IPv4 address.
pub(super) const HOST: u8 = 1 << 2;
/// Parameters of a URI with their `;` and `=`.
pub(super) const URI_PARAMS: u8 = 1 << 3;
/// Headers of a URI with their `&` and `=`.
pub(super) const URI_HEADERS: u8 = 1 << 4;
/// What may stand in a URI of any scheme.
pub(super) const URI: u8 = 1 << 5;
/// Value of a header parameter that is not quoted.
pub(super) const VALUE: u8 = 1 << 6;
/// Display name without quotes, white space and folding included.
pub(super) const DISPLAY: u8 = 1 << 7;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = b'!';
    while byte < 0xff {
        // RFC 3261 §25.1 has only tokens here. Peers send `=` (base64) and `@` in tags and branches,
        // and UTF-8 in display names: nothing of ours depends on refusing them.
        table[byte as usize] = if byte == 0x7f {
            0
        } else if byte > 0x7f {
            VALUE | DISPLAY
        } else {
            URI | VALUE | DISPLAY
        };
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] |= TOKEN | USER | HOST | URI_PARAMS | URI_HEADERS;
        }
        byte += 1;
    }
    table[0xff] = VALUE | DISPLAY;
    table = with(table, b" \t\r\n", DISPLAY);
    table = with(table, b"-.!%*_+`'~", TOKEN);
    table = with(table, b"-_.!~*'()%", USER | URI_PARAMS | URI_HEADERS);
    // `#` is not in RFC 3261's user, but callers dial it and phones do not escape it.
    table = with(table, b"&=+$,;?/#", USER);
    table = with(table, b"-._", HOST);
    table = with(table, b"[]/:&+$;=", URI_PARAMS);
    table = with(table, b"[]/?:+$&=", URI_HEADERS);
    table = without(table, b"<>\"", URI);
    table = without(table, b"<>\",;", VALUE);
    without(table, b"<>\",;\\", DISPLAY)
}

const fn with(mut table: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] |= class;
        at += 1;
    }
    table
}

const fn without(mut table: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] &= !class;
        at += 1;
    }
    table
}

/// Whether a byte is in a class.
pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Whether all bytes are in a class.
pub(super) fn all(bytes: &[u8], class: u8) -> bool {
    bytes.iter().all(|&byte| is(byte, class))
}

/// White space as it may stand inside a value: folding is still there.
pub(super) fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Takes white space and folding off both ends.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// Takes white space and folding off the start.
pub(super) fn trim_start(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [first, after @ ..] = rest
        && is_lws(*first)
    {
        rest = after;
    }
    rest
}

/// Takes white space and folding off the end.
pub(super) fn trim_end(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [before @ .., last] = rest
        && is_lws(*last)
    {
        rest = before;
    }
    rest
}

/// `1*DIGIT` that fits.
#[inline]
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    // So many digits fit, whatever they are.
    if !(1..=9).contains(&digits.len()) {
        return long_number(digits);
    }
    let mut sum = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum = sum * 10 + u32::from(digit);
    }
    Some(sum)
}

#[cold]
fn long_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |sum, &digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { sum.checked_mul(10)?.checked_add(u32::from(digit)) }
    })
}

/// A port: 1 to 65535.
pub(super) fn port(digits: &[u8]) -> Option<u16> {
    number(digits).and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0)
}

/// Whether every `%` is followed by two hex digits.
pub(super) fn escapes_are_whole(bytes: &[u8]) -> bool {
    memchr_iter(b'%', bytes).all(|at| match bytes.get(at.saturating_add(1)..) {
        Some([high, low, ..]) => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_their_edges() {
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
        assert_eq!(number(b"4294967296"), None);
        assert_eq!(number(b"0009"), Some(9));
        for bad in [&b""[..], b"-1", b"+1", b"1 ", b"1a", b"\xb2"] {
            assert_eq!(number(bad), None);
        }
        assert_eq!((port(b"0"), port(b"1")), (None, Some(1)));
        assert_eq!((port(b"65535"), port(b"65536")), (Some(65535), None));
    }
}
