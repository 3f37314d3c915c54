//! Pure. Header names, long and compact.

/// The headers Waypost has a use for. All others are [`HeaderName::Other`] and are found by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum HeaderName {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contact,
    MaxForwards,
    ContentLength,
    ContentType,
    Require,
    ProxyRequire,
    Route,
    RecordRoute,
    PAssertedIdentity,
    Diversion,
    Other,
}

impl HeaderName {
    /// Reads a name, long or compact, in any case (RFC 3261 §7.3.1, §7.3.3).
    pub(super) fn read(name: &[u8]) -> Self {
        let Some(first) = name.first().map(u8::to_ascii_lowercase) else { return Self::Other };
        // Length and first letter leave one candidate, so a name is compared at most once.
        let (is_it, found) = match (name.len(), first) {
            (1, b'v') => (true, Self::Via),
            (1, b'f') => (true, Self::From),
            (1, b't') => (true, Self::To),
            (1, b'i') => (true, Self::CallId),
            (1, b'm') => (true, Self::Contact),
            (1, b'l') => (true, Self::ContentLength),
            (1, b'c') => (true, Self::ContentType),
            (2, b't') => (same(name, b"To"), Self::To),
            (3, b'v') => (same(name, b"Via"), Self::Via),
            (4, b'f') => (same(name, b"From"), Self::From),
            (4, b'c') => (same(name, b"CSeq"), Self::CSeq),
            (5, b'r') => (same(name, b"Route"), Self::Route),
            (7, b'r') => (same(name, b"Require"), Self::Require),
            (7, b'c') if name.contains(&b'-') => (same(name, b"Call-ID"), Self::CallId),
            (7, b'c') => (same(name, b"Contact"), Self::Contact),
            (9, b'd') => (same(name, b"Diversion"), Self::Diversion),
            (12, b'm') => (same(name, b"Max-Forwards"), Self::MaxForwards),
            (12, b'c') => (same(name, b"Content-Type"), Self::ContentType),
            (12, b'r') => (same(name, b"Record-Route"), Self::RecordRoute),
            (13, b'p') => (same(name, b"Proxy-Require"), Self::ProxyRequire),
            (14, b'c') => (same(name, b"Content-Length"), Self::ContentLength),
            (19, b'p') => (same(name, b"P-Asserted-Identity"), Self::PAssertedIdentity),
            _ => (false, Self::Other),
        };
        if is_it { found } else { Self::Other }
    }
}

/// The length is known to the compiler, so that the usual spelling is compared as one or two words.
fn same<const N: usize>(name: &[u8], long: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(name).is_ok_and(|name| name == long || name.eq_ignore_ascii_case(long))
}

/// The long form of a compact name that [`HeaderName`] does not know; any other name as it is.
pub(super) fn long_name(name: &[u8]) -> &[u8] {
    let [letter] = name else { return name };
    match letter.to_ascii_lowercase() {
        b'a' => b"Accept-Contact",      // RFC 3841 §9.2
        b'b' => b"Referred-By",         // RFC 3892 §3
        b'd' => b"Request-Disposition", // RFC 3841 §9.1
        b'e' => b"Content-Encoding",    // RFC 3261 §20.12
        b'j' => b"Reject-Contact",      // RFC 3841 §9.2
        b'k' => b"Supported",           // RFC 3261 §20.37
        b'n' => b"Identity-Info",       // RFC 4474 §9
        b'o' => b"Event",               // RFC 6665 §8.2.1
        b'r' => b"Refer-To",            // RFC 3515 §2.1
        b's' => b"Subject",             // RFC 3261 §20.36
        b'u' => b"Allow-Events",        // RFC 6665 §8.2.2
        b'x' => b"Session-Expires",     // RFC 4028 §4
        b'y' => b"Identity",            // RFC 8224 §4
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case_and_compact() {
        let names: [(&str, HeaderName); 16] = [
            ("vIA", HeaderName::Via),
            ("V", HeaderName::Via),
            ("from", HeaderName::From),
            ("TO", HeaderName::To),
            ("t", HeaderName::To),
            ("call-id", HeaderName::CallId),
            ("i", HeaderName::CallId),
            ("CSEQ", HeaderName::CSeq),
            ("Contact", HeaderName::Contact),
            ("max-forwards", HeaderName::MaxForwards),
            ("L", HeaderName::ContentLength),
            ("P-Asserted-Identity", HeaderName::PAssertedIdentity),
            ("Call_ID", HeaderName::Other),
            ("Cont-ct", HeaderName::Other),
            ("k", HeaderName::Other),
            ("", HeaderName::Other),
        ];
        for (name, expected) in names {
            assert_eq!(HeaderName::read(name.as_bytes()), expected, "{name}");
        }
    }
}
