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

    /// Whether the answer or the framing depends on it.
    #[inline]
    pub(super) fn is_read(self) -> bool {
        matches!(
            self,
            Self::Via
                | Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentLength
        )
    }
}

impl HeaderName {
    /// Reads a name of `len` bytes that begins a line; `None` when there is none, or it is longer than 15.
    #[inline]
    pub(super) fn read_window(window: &[u8; 16], len: usize) -> Option<Self> {
        let last = window.get(len.checked_sub(1)?)?;
        // One candidate at most has this place, so that a name is compared once, without a branch for each.
        let candidate = &CANDIDATES[place_of(window[0], *last, len)];
        Some(if candidate.is_in(window, len) { candidate.name } else { Self::Other })
    }
}

/// Names by their first byte, last byte and length.
static CANDIDATES: [Spelling; 64] = candidates();

const fn place_of(first: u8, last: u8, len: usize) -> usize {
    // A sum that no two of the names share.
    ((first | 0x20) as usize + (last | 0x20) as usize * 29 + len) % 64
}

const fn candidates() -> [Spelling; 64] {
    let mut table = [Spelling::NONE; 64];
    let mut at = 0;
    while at < SHORT_NAMES.len() {
        let (text, name) = SHORT_NAMES[at];
        let place = place_of(text[0], text[text.len() - 1], text.len());
        assert!(table[place].len == 0, "two names have one place");
        table[place] = Spelling::of(text, name);
        at += 1;
    }
    table
}

/// All names of 15 bytes and less, long and compact.
const SHORT_NAMES: [(&[u8], HeaderName); 21] = [
    (b"v", HeaderName::Via),
    (b"f", HeaderName::From),
    (b"t", HeaderName::To),
    (b"i", HeaderName::CallId),
    (b"m", HeaderName::Contact),
    (b"l", HeaderName::ContentLength),
    (b"c", HeaderName::ContentType),
    (b"To", HeaderName::To),
    (b"Via", HeaderName::Via),
    (b"From", HeaderName::From),
    (b"CSeq", HeaderName::CSeq),
    (b"Route", HeaderName::Route),
    (b"Call-ID", HeaderName::CallId),
    (b"Contact", HeaderName::Contact),
    (b"Require", HeaderName::Require),
    (b"Diversion", HeaderName::Diversion),
    (b"Max-Forwards", HeaderName::MaxForwards),
    (b"Content-Type", HeaderName::ContentType),
    (b"Record-Route", HeaderName::RecordRoute),
    (b"Proxy-Require", HeaderName::ProxyRequire),
    (b"Content-Length", HeaderName::ContentLength),
];

/// A name as one number: compared in any case without a loop.
#[derive(Clone, Copy)]
struct Spelling {
    /// The bytes of a window that are compared.
    mask: u128,
    /// The bits that make letters lower case. What is no letter has none, and is compared as it is.
    any_case: u128,
    lower: u128,
    len: usize,
    name: HeaderName,
}

impl Spelling {
    const NONE: Self = Self { mask: 0, any_case: 0, lower: 0, len: 0, name: HeaderName::Other };

    const fn of(text: &[u8], name: HeaderName) -> Self {
        let mut spelling = Self { len: text.len(), name, ..Self::NONE };
        let mut at = text.len();
        while at > 0 {
            at -= 1;
            let bit = if text[at].is_ascii_alphabetic() { 0x20 } else { 0 };
            spelling.mask = spelling.mask << 8 | 0xff;
            spelling.any_case = spelling.any_case << 8 | bit;
            spelling.lower = spelling.lower << 8 | text[at].to_ascii_lowercase() as u128;
        }
        spelling
    }

    #[inline]
    fn is_in(&self, window: &[u8; 16], len: usize) -> bool {
        let name = u128::from_le_bytes(*window) & self.mask | self.any_case;
        len == self.len && name == self.lower
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
