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

impl HeaderName {
    /// Reads a name of `len` bytes that begins a line; `None` when there is none, or it is longer than 15.
    #[inline]
    pub(super) fn read_window(window: &[u8; 16], len: usize) -> Option<Self> {
        let name = u128::from_le_bytes(*window) & MASKS.get(len)?;
        let is = |long: &'static Spelling| name | long.any_case == long.lower;
        let either = |long: &'static Spelling, found| if is(long) { found } else { Self::Other };
        Some(match len {
            0 => return None,
            1 => Self::read(&window[..1]),
            2 => either(&TO, Self::To),
            3 => either(&VIA, Self::Via),
            4 if is(&FROM) => Self::From,
            4 => either(&CSEQ, Self::CSeq),
            5 => either(&ROUTE, Self::Route),
            7 if is(&CALL_ID) => Self::CallId,
            7 if is(&CONTACT) => Self::Contact,
            7 => either(&REQUIRE, Self::Require),
            9 => either(&DIVERSION, Self::Diversion),
            12 if is(&MAX_FORWARDS) => Self::MaxForwards,
            12 if is(&CONTENT_TYPE) => Self::ContentType,
            12 => either(&RECORD_ROUTE, Self::RecordRoute),
            13 => either(&PROXY_REQUIRE, Self::ProxyRequire),
            14 => either(&CONTENT_LENGTH, Self::ContentLength),
            _ => Self::Other,
        })
    }
}

/// The first bytes of a window, by their number.
static MASKS: [u128; 16] = {
    let mut masks = [0; 16];
    let mut len = 1;
    while len < 16 {
        masks[len] = masks[len - 1] << 8 | 0xff;
        len += 1;
    }
    masks
};

/// A name as one number: compared in any case without a loop.
struct Spelling {
    /// The bits that make letters lower case. What is no letter has none, and is compared as it is.
    any_case: u128,
    lower: u128,
}

impl Spelling {
    const fn of(name: &[u8]) -> Self {
        let mut spelling = Self { any_case: 0, lower: 0 };
        let mut at = name.len();
        while at > 0 {
            at -= 1;
            let bit = if name[at].is_ascii_alphabetic() { 0x20 } else { 0 };
            spelling.any_case = spelling.any_case << 8 | bit;
            spelling.lower = spelling.lower << 8 | name[at].to_ascii_lowercase() as u128;
        }
        spelling
    }
}

static TO: Spelling = Spelling::of(b"To");
static VIA: Spelling = Spelling::of(b"Via");
static FROM: Spelling = Spelling::of(b"From");
static CSEQ: Spelling = Spelling::of(b"CSeq");
static ROUTE: Spelling = Spelling::of(b"Route");
static CALL_ID: Spelling = Spelling::of(b"Call-ID");
static CONTACT: Spelling = Spelling::of(b"Contact");
static REQUIRE: Spelling = Spelling::of(b"Require");
static DIVERSION: Spelling = Spelling::of(b"Diversion");
static MAX_FORWARDS: Spelling = Spelling::of(b"Max-Forwards");
static CONTENT_TYPE: Spelling = Spelling::of(b"Content-Type");
static RECORD_ROUTE: Spelling = Spelling::of(b"Record-Route");
static PROXY_REQUIRE: Spelling = Spelling::of(b"Proxy-Require");
static CONTENT_LENGTH: Spelling = Spelling::of(b"Content-Length");

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
    use proptest::prelude::*;

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

    proptest! {
        /// The table that [`HeaderName::read`] is, against the numbers.
        #[test]
        fn a_name_is_the_same_by_both_ways(at in 0..NAMES.len(), upper: u16, change in 0..40_usize, to: u8) {
            let mut name = NAMES[at].as_bytes().to_vec();
            name.iter_mut().enumerate().filter(|(at, _)| upper >> (at % 16) & 1 == 1).for_each(|(_, byte)| {
                byte.make_ascii_uppercase();
            });
            if let Some(byte) = name.get_mut(change) {
                *byte = to;
            }
            let mut window = [b':'; 16];
            window.iter_mut().zip(&name).for_each(|(to, from)| *to = *from);
            let expected = (1..16).contains(&name.len()).then(|| HeaderName::read(&name));
            prop_assert_eq!(HeaderName::read_window(&window, name.len()), expected);
        }
    }

    const NAMES: [&str; 26] = [
        "via",
        "v",
        "from",
        "f",
        "to",
        "t",
        "call-id",
        "i",
        "cseq",
        "contact",
        "m",
        "max-forwards",
        "content-length",
        "l",
        "content-type",
        "c",
        "require",
        "proxy-require",
        "route",
        "record-route",
        "p-asserted-identity",
        "diversion",
        "x",
        "",
        "content-typo",
        "session-expires",
    ];
}
