//! Pure. Header names, long and compact.

use super::lanes::{LANES, all_equal};

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
    /// Which of [`SHORT_NAMES`] begins a line, its colon at `len` right behind it.
    #[inline]
    pub(super) fn read_window(window: &[u8; LANES], len: usize) -> Option<Self> {
        // One candidate at most has this place, so that a name is compared once, without a branch for each.
        let candidate = &CANDIDATES[place_of(window[0], window[1], len)];
        all_equal(window, &candidate.mask, &candidate.any_case, &candidate.lower).then_some(candidate.name)
    }
}

/// Names by their first two bytes and their length.
static CANDIDATES: [Spelling; PLACES] = candidates();

const PLACES: usize = 64;

/// The second byte of a compact name is its colon.
#[inline]
const fn place_of(first: u8, second: u8, len: usize) -> usize {
    let start = u16::from_le_bytes([first, second]) | 0x2020;
    // A product that keeps all names apart.
    ((start as u32 + len as u32).wrapping_mul(PLACE_FACTOR) >> 26) as usize % PLACES
}

const PLACE_FACTOR: u32 = 0x91b7_584b;

const fn candidates() -> [Spelling; PLACES] {
    let mut table = [Spelling::NONE; PLACES];
    let mut at = 0;
    while at < SHORT_NAMES.len() {
        let (text, name) = SHORT_NAMES[at];
        let second = if text.len() > 1 { text[1] } else { b':' };
        let place = place_of(text[0], second, text.len());
        assert!(table[place].mask[0] == 0, "two names have one place");
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

/// A name with its colon, as sixteen bytes: compared in any case without a loop.
#[derive(Clone, Copy)]
struct Spelling {
    /// The bytes of a window that are compared.
    mask: [u8; LANES],
    /// The bits that make letters lower case. What is no letter has none, and is compared as it is.
    any_case: [u8; LANES],
    lower: [u8; LANES],
    name: HeaderName,
}

impl Spelling {
    /// Equal to nothing.
    const NONE: Self =
        Self { mask: [0; LANES], any_case: [0; LANES], lower: [1; LANES], name: HeaderName::Other };

    const fn of(text: &[u8], name: HeaderName) -> Self {
        let (mut mask, mut any_case, mut lower) = ([0; LANES], [0; LANES], [0; LANES]);
        let mut at = 0;
        while at < text.len() {
            mask[at] = 0xff;
            any_case[at] = if text[at].is_ascii_alphabetic() { 0x20 } else { 0 };
            lower[at] = text[at].to_ascii_lowercase();
            at += 1;
        }
        mask[at] = 0xff;
        lower[at] = b':';
        Self { mask, any_case, lower, name }
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
            let mut window = [b':'; LANES];
            window.iter_mut().zip(&name).for_each(|(to, from)| *to = *from);
            let known = Some(HeaderName::read(&name)).filter(|known| *known != HeaderName::Other);
            let expected = known.filter(|_| name.len() < LANES);
            prop_assert_eq!(HeaderName::read_window(&window, name.len().min(LANES)), expected);
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
