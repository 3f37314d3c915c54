//! Pure. Views of sip:, sips: and tel: URIs (RFC 3261 §19.1, RFC 3966).

use memchr::memchr;

use super::{
    class::{URI, URI_HEADERS, URI_PARAMS, USER, all, escapes_are_whole, is, port},
    escape::{decoded, differ_at_once, same_name},
    lanes::{NOTABLE_MAX, notable},
    scan::Scan,
};
use crate::limits::URI_PARAMS_MAX;

mod outline;

pub use outline::UriOutline;

// What is read at a glance cannot have too many parameters.
const _: () = assert!(NOTABLE_MAX <= URI_PARAMS_MAX);

/// Scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
    #[default]
    Other,
}

/// A URI, split into its parts; each part is as written, still escaped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// The scheme as written, without the colon.
    pub scheme_name: &'a [u8],
    /// Before `@`, without password, user parameters (`;rn=…`) included. For tel: the number with
    /// its parameters. `None` when there is no `@`.
    pub user: Option<&'a [u8]>,
    /// After the first `:` of the userinfo.
    pub password: Option<&'a [u8]>,
    /// Host name, IPv4 address, or IPv6 reference with its brackets. Empty for tel: and others.
    pub host: &'a [u8],
    /// Port, when given.
    pub port: Option<u16>,
    /// Parameters after the host, from the first `;`; empty for none. Empty for tel:.
    pub params: &'a [u8],
    /// Headers after `?`, without the `?`.
    pub headers: &'a [u8],
    /// What follows the scheme, when it is [`Scheme::Other`].
    pub opaque: &'a [u8],
    /// What was seen when it was read.
    seen: Seen,
}

/// What need not be looked for.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// There are no parameters in the user part.
    no_user_params: bool,
    /// There is one parameter in each part at most.
    no_second_param: bool,
    /// Nothing is escaped.
    no_escapes: bool,
}

/// It says how a URI was read, not what it is: of two equal ones one may have been read at a glance.
impl PartialEq for Seen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Seen {}

impl<'a> Uri<'a> {
    /// Reads a URI; `None` when it breaks the grammar of its scheme.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if let [b's' | b'S', b'i' | b'I', b'p' | b'P', b':', rest @ ..] = bytes {
            let uri = Self { scheme: Scheme::Sip, scheme_name: bytes.get(..3)?, ..Self::default() };
            return uri.read_usual_sip(rest).or_else(|| uri.read_sip(rest));
        }
        let colon = memchr(b':', bytes)?;
        let name = bytes.get(..colon)?;
        let rest = bytes.get(colon.checked_add(1)?..)?;
        let scheme = match name.len() {
            3 if name.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
            4 if name.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
            3 if name.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
            _ => Scheme::Other,
        };
        let uri = Self { scheme, scheme_name: name, ..Self::default() };
        match scheme {
            Scheme::Other => uri.read_other(rest),
            Scheme::Tel => uri.read_tel(rest),
            Scheme::Sip | Scheme::Sips => uri.read_sip(rest),
        }
    }

    fn read_other(mut self, rest: &'a [u8]) -> Option<Self> {
        let (first, after) = self.scheme_name.split_first()?;
        let in_scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        self.opaque = rest;
        (first.is_ascii_alphabetic() && after.iter().all(in_scheme) && !rest.is_empty() && all(rest, URI))
            .then_some(self)
    }

    fn read_tel(mut self, rest: &'a [u8]) -> Option<Self> {
        let (number, params) = rest.split_at_checked(memchr(b';', rest).unwrap_or(rest.len()))?;
        // RFC 3966 §3. A local number without phone-context is let through: gateways send it.
        let digits = number.strip_prefix(b"+");
        let is_digit = |b: &u8| match digits {
            Some(_) => b.is_ascii_digit(),
            None => b.is_ascii_hexdigit() || matches!(b, b'*' | b'#'),
        };
        let digits = digits.unwrap_or(number);
        let sound = digits.iter().any(is_digit)
            && digits.iter().all(|b| is_digit(b) || is_visual_separator(*b))
            && all(params, URI_PARAMS)
            && few_params(params, b';')
            && escapes_are_whole(params);
        self.user = Some(rest);
        sound.then_some(self)
    }

    fn read_sip(mut self, rest: &'a [u8]) -> Option<Self> {
        // RFC 3261 §25.1: an `@` that is not escaped stands once at most, and ends the userinfo.
        let after_user = match memchr(b'@', rest) {
            None => rest,
            Some(at) => {
                self.read_userinfo(rest.get(..at)?)?;
                rest.get(at.checked_add(1)?..)?
            }
        };
        let mut scan = Scan::new(after_user);
        self.host = scan.host()?;
        if scan.eat(b':') {
            self.port = Some(port(scan.take_while(|byte| byte.is_ascii_digit()))?);
        }
        if scan.peek() == Some(b';') {
            self.params = scan.take(URI_PARAMS);
        }
        if scan.eat(b'?') {
            self.headers = scan.take(URI_HEADERS);
        }
        let sound = scan.peek().is_none()
            && few_params(self.params, b';')
            && few_params(self.headers, b'&')
            && escapes_are_whole(rest);
        sound.then_some(self)
    }

    /// Reads what most URIs are: short, with a user, without password, escapes, headers and IPv6. `None`
    /// says nothing of others.
    fn read_usual_sip(mut self, rest: &'a [u8]) -> Option<Self> {
        let mut notable = notable(rest)?;
        let mut next = || {
            let at = notable.trailing_zeros() as usize;
            notable &= notable.wrapping_sub(1);
            rest.get(at).map(|byte| (at, *byte))
        };
        let mut user_params = 0_u32;
        let user_end = loop {
            match next()? {
                (at, b'@') => break at,
                (_, b'%') => return None,
                (_, byte) if !is(byte, USER) => return None,
                (_, byte) => user_params += u32::from(byte == b';'),
            }
        };
        let (user, host) = (rest.get(..user_end)?, user_end + 1);
        let after_host = next();
        let host_end = after_host.map_or(rest.len(), |(at, _)| at);
        (self.user, self.host) = (Some(user), rest.get(host..host_end)?);
        let params = match after_host {
            Some((at, b':')) => {
                let after_port = next();
                let end = after_port.map_or(rest.len(), |(at, _)| at);
                self.port = Some(port(rest.get(at + 1..end)?)?);
                after_port
            }
            other => other,
        };
        let mut own_params = 0_u32;
        if let Some((at, byte)) = params {
            if byte != b';' {
                return None;
            }
            own_params = 1;
            while let Some((_, byte)) = next() {
                if byte == b'%' || !is(byte, URI_PARAMS) {
                    return None;
                }
                own_params += u32::from(byte == b';');
            }
            self.params = rest.get(at..)?;
        }
        self.seen = Seen {
            no_user_params: user_params == 0,
            no_second_param: user_params < 2 && own_params < 2,
            no_escapes: true,
        };
        (!user.is_empty() && !self.host.is_empty()).then_some(self)
    }

    fn read_userinfo(&mut self, userinfo: &'a [u8]) -> Option<()> {
        let mut scan = Scan::new(userinfo);
        let user = scan.take(USER);
        if scan.eat(b':') {
            self.password = Some(scan.take(USER));
        }
        self.user = Some(user);
        (!user.is_empty() && scan.peek().is_none() && few_params(user, b';')).then_some(())
    }

    /// The user without its parameters: `+4420…` of `+4420…;rn=…`. Empty when there is no user.
    #[must_use]
    pub fn user_name(&self) -> &'a [u8] {
        let user = self.user.unwrap_or_default();
        if self.seen.no_user_params {
            return user;
        }
        memchr(b';', user).and_then(|end| user.get(..end)).unwrap_or(user)
    }

    /// A parameter of the user part (RFC 4694, 4904), any case: `Some(None)` when it has no value.
    #[must_use]
    pub fn user_param(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        if self.seen.no_user_params {
            return None;
        }
        find(self.user_params(), name)
    }

    /// A parameter after the host, any case.
    #[must_use]
    #[inline]
    pub fn param(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        if self.params.is_empty() { None } else { self.find_param(name) }
    }

    fn find_param(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        let only = match self.params {
            [b';', pair @ ..] if self.seen.no_second_param => Some(pair),
            _ => None,
        };
        if only.is_some_and(|pair| differ_at_once(pair, name)) {
            return None;
        }
        if self.seen.no_escapes && name.iter().all(|&byte| byte != b'%') {
            return only.map_or_else(|| find_plain(self.params, name), |pair| value_of(pair, name));
        }
        find(pairs(self.params, b';'), name)
    }

    /// Whether a name stands twice among the parameters of one part, which RFC 3261 §19.1.1 and RFC 3966
    /// §4 forbid: one reader would see the first value and another the last.
    #[must_use]
    pub fn has_double_param(&self) -> bool {
        if self.seen.no_second_param {
            return false;
        }
        has_double(|| self.user_params()) || has_double(|| pairs(self.params, b';'))
    }

    /// Whether it is a telephone number with a parameter that must be understood, and is not: RFC 3966
    /// §5.4 has their names begin with `m-`, and none has ever been registered.
    #[must_use]
    pub fn has_mandatory_param(&self) -> bool {
        if self.seen.no_user_params {
            return false;
        }
        let is_mandatory = |name: &[u8]| {
            let mut start = decoded(name).map(|byte| byte.to_ascii_lowercase());
            (start.next(), start.next()) == (Some(b'm'), Some(b'-'))
        };
        self.user_params().any(|(name, _)| is_mandatory(name))
            && (self.scheme == Scheme::Tel
                || self.param(b"user").flatten().is_some_and(|user| same_name(user, b"phone")))
    }

    /// Whether it is a tel: URI of a local number that does not say where (RFC 3966 §5.1.5).
    #[must_use]
    pub fn lacks_phone_context(&self) -> bool {
        self.scheme == Scheme::Tel
            && !self.user_name().starts_with(b"+")
            && self.user_param(b"phone-context").is_none()
    }

    /// Parameters of the user part, in order.
    pub fn user_params(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let user = self.user.unwrap_or_default();
        pairs(user.get(self.user_name().len()..).unwrap_or_default(), b';')
    }
}

/// RFC 3966 §3 `visual-separator`: means nothing (§5.1.1).
#[must_use]
pub fn is_visual_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// Name and value of each `name=value` between separators; empty ones are passed over.
pub(super) fn pairs(list: &[u8], separator: u8) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    list.split(move |&byte| byte == separator).filter(|pair| !pair.is_empty()).map(|pair| {
        match memchr(b'=', pair).and_then(|at| Some((pair.get(..at)?, pair.get(at.checked_add(1)?..)?))) {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        }
    })
}

/// Whether a name stands twice. Names are compared by digest first: a stranger may send long ones
/// that differ in their last byte only.
fn has_double<'a, P: Iterator<Item = (&'a [u8], Option<&'a [u8]>)>>(params: impl Fn() -> P) -> bool {
    if params().nth(1).is_none() {
        return false;
    }
    let mut digests = [0_u64; URI_PARAMS_MAX];
    params().zip(0..URI_PARAMS_MAX).any(|((name, _), before)| {
        let digest = digest(name);
        let mut earlier = params().zip(&digests).take(before);
        let found = earlier.any(|((other, _), seen)| *seen == digest && same_name(other, name));
        if let Some(place) = digests.get_mut(before) {
            *place = digest;
        }
        found
    })
}

/// FNV-1a of what [`same_name`] compares.
fn digest(name: &[u8]) -> u64 {
    decoded(name).fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

fn find<'a>(
    mut pairs: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    name: &[u8],
) -> Option<Option<&'a [u8]>> {
    pairs.find(|(other, _)| same_name(other, name)).map(|(_, value)| value)
}

/// [`find`] in a list without escapes.
fn find_plain<'a>(list: &'a [u8], name: &[u8]) -> Option<Option<&'a [u8]>> {
    list.split(|&byte| byte == b';').filter(|pair| !pair.is_empty()).find_map(|pair| value_of(pair, name))
}

/// The value of a parameter without escapes, when it has this name.
fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<Option<&'a [u8]>> {
    if differ_at_once(pair, name) {
        return None;
    }
    match pair.split_at_checked(name.len())? {
        (start, _) if !start.eq_ignore_ascii_case(name) => None,
        (_, []) => Some(None),
        (_, [b'=', value @ ..]) => Some(Some(value)),
        _ => None,
    }
}

/// Comparing URIs takes time in the product of their parameters, so their number has a bound.
fn few_params(list: &[u8], separator: u8) -> bool {
    list.len() <= URI_PARAMS_MAX
        || memchr::memchr_iter(separator, list).take(URI_PARAMS_MAX + 1).count() <= URI_PARAMS_MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<Uri<'_>> {
        Uri::parse(text.as_bytes())
    }

    #[test]
    fn sip_uris() {
        let uri = parse("SIPS:a;rn=+1;npdi:p@[2001:db8::1]:5061;lr;Transport=TCP?a=b&c=d").expect("legal");
        assert_eq!(uri.scheme, Scheme::Sips);
        assert_eq!(uri.scheme_name, b"SIPS");
        assert_eq!(uri.user, Some(&b"a;rn=+1;npdi"[..]));
        assert_eq!(uri.user_name(), b"a");
        assert_eq!(uri.user_param(b"RN"), Some(Some(&b"+1"[..])));
        assert_eq!(uri.user_param(b"npdi"), Some(None));
        assert_eq!(uri.user_param(b"cic"), None);
        assert_eq!(uri.user_params().count(), 2);
        assert_eq!(uri.password, Some(&b"p"[..]));
        assert_eq!(uri.host, b"[2001:db8::1]");
        assert_eq!(uri.port, Some(5061));
        assert_eq!(uri.params, b";lr;Transport=TCP");
        assert_eq!(uri.param(b"transport"), Some(Some(&b"TCP"[..])));
        assert_eq!(uri.param(b"LR"), Some(None));
        assert_eq!(uri.param(b"tra"), None);
        assert_eq!(uri.headers, b"a=b&c=d");
    }

    #[test]
    fn parameters_are_found_however_their_name_is_written() {
        let uri = parse("sip:a;%72N=+1;np%64i@h;tr%61nsport=tcp;%6c%72").expect("legal");
        assert_eq!(uri.user_param(b"rn"), Some(Some(&b"+1"[..])));
        assert_eq!(uri.user_param(b"npdi"), Some(None));
        assert_eq!(uri.param(b"transport"), Some(Some(&b"tcp"[..])));
        assert_eq!(uri.param(b"lr"), Some(None));
        assert_eq!(uri.param(b"rn"), None);
    }

    #[test]
    fn parameters_stand_once_in_each_part() {
        let long = "x".repeat(300);
        let many: String = (0..URI_PARAMS_MAX - 1).map(|n| format!(";p{n}={n}")).collect();
        let table = [
            ("sip:a;rn=+1;rn=+666@h".to_owned(), true),
            ("sip:a;rn=+1;npdi;RN=+1@h".to_owned(), true),
            ("sip:a;rn=+1;%72n=+666@h".to_owned(), true),
            ("sip:a;%52%4E=+1;r%6e@h".to_owned(), true),
            ("sip:h;lr;lr".to_owned(), true),
            ("sip:h;transport=udp;x;Tr%61nsport=tcp".to_owned(), true),
            ("sips:a;x=1@h;y;y=1".to_owned(), true),
            ("tel:+1;rn=+1;%72n=+2".to_owned(), true),
            ("tel:+1;ext=1;EXT=1".to_owned(), true),
            (format!("sip:a;{long}1;{long}1@h"), true),
            (format!("sip:h{many};P62=x"), true),
            (format!("sip:h{many};p=x"), false),
            (format!("sip:a;{long}1;{long}2@h"), false),
            ("sip:a;rn=+1;npdi@h;rn=+1;npdi".to_owned(), false),
            ("sip:a;rn=;rna=;r=;n=@h".to_owned(), false),
            ("sip:a;rn=rn;npdi=rn@h;user=phone?rn=1&rn=2".to_owned(), false),
            ("sip:a:p;rn=1;rn=2@h".to_owned(), false),
            ("sip:user;par=u%40example.net@example.com".to_owned(), false),
            ("tel:+1;rn=+1;npdi".to_owned(), false),
            ("urn:a;b;b".to_owned(), false),
        ];
        for (text, repeats) in table {
            let uri = parse(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(uri.has_double_param(), repeats, "{text}");
        }
    }

    #[test]
    fn mandatory_parameters_are_those_of_telephone_numbers() {
        let table = [
            ("tel:+1;m-x=1", true),
            ("tel:+1;a;M-X", true),
            ("tel:+1;%6D%2dx", true),
            ("sip:+1;m-x@h;user=phone", true),
            ("sip:+1;m-x@h;User=PHONE", true),
            ("sip:+1;m-x@h", false),
            ("sip:+1@h;m-x;user=phone", false),
            ("tel:+1;m=1;mx-y;x-m-", false),
            ("urn:a;m-x", false),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).map(|uri| uri.has_mandatory_param()), Some(expected), "{text}");
        }
    }

    #[test]
    fn local_numbers_need_a_context() {
        let table = [
            ("tel:7042", true),
            ("tel:7042;ext=1", true),
            ("tel:7042;Phone-Context=example.net", false),
            ("tel:+7042", false),
            ("sip:7042@h;user=phone", false),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).map(|uri| uri.lacks_phone_context()), Some(expected), "{text}");
        }
    }

    #[test]
    fn users_of_rfc_4475() {
        let table = [
            ("sip:example.com", None, None, "example.com"),
            (
                "sip:user;par=u%40example.net@example.com",
                Some("user;par=u%40example.net"),
                None,
                "example.com",
            ),
            (
                "sip:sips%3Auser%40example.com@example.net",
                Some("sips%3Auser%40example.com"),
                None,
                "example.net",
            ),
            ("sip:null-%00-null@example.com", Some("null-%00-null"), None, "example.com"),
            (
                "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
                Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"),
                Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"),
                "example.com",
            ),
            ("sip:*21#@h", Some("*21#"), None, "h"),
        ];
        for (text, user, password, host) in table {
            let uri = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(uri.user, user.map(str::as_bytes), "{text}");
            assert_eq!(uri.password, password.map(str::as_bytes), "{text}");
            assert_eq!(uri.host, host.as_bytes(), "{text}");
        }
    }

    #[test]
    fn tel_and_other_uris() {
        let tel = parse("tel:+1-201-555-0123;ext=7;phone-context=x").expect("legal");
        assert_eq!((tel.scheme, tel.user_name()), (Scheme::Tel, &b"+1-201-555-0123"[..]));
        assert_eq!(tel.user_param(b"ext"), Some(Some(&b"7"[..])));
        assert_eq!((tel.host, tel.params), (&b""[..], &b""[..]));
        assert!(parse("tel:*#06#").is_some_and(|uri| uri.user_name() == b"*#06#"));
        for (text, opaque) in
            [("urn:service:sos", "service:sos"), ("soap.beep://192.0.2.103:3002", "//192.0.2.103:3002")]
        {
            let uri = parse(text).expect("legal");
            assert_eq!((uri.scheme, uri.opaque, uri.user), (Scheme::Other, opaque.as_bytes(), None));
        }
    }

    #[test]
    fn broken_uris() {
        let bad = [
            "",
            "sip",
            "sip:",
            ":a",
            "1x:a",
            "urn:",
            "urn:a b",
            "sip:@h",
            "sip::p@h",
            "sip:a@",
            "sip:a@b@c",
            "sip:a@h:0",
            "sip:a@h:65536",
            "sip:a@h:",
            "sip:a@h:x",
            "sip:a@[::1",
            "sip:a@2001:db8::1",
            "sip:a@h lr",
            "sip:a@h; lr",
            "<sip:a@h>",
            "sip:<a>@h",
            "sip:a\"@h",
            "sip:a@h;x=\"",
            "sip:a%4@h",
            "sip:a%zz@h",
            "sip:a@h?b=%",
            "sip:a\u{e9}@h",
            "sip:a@h\0",
            "sip:a\n@h",
            "sip:a:b:c@h",
            "sip:;lr",
            "tel:",
            "tel:+",
            "tel:+-",
            "tel:;ext=1",
            "tel:+12a",
            "tel:xyz",
            "tel:+1;a=\"",
            "tel:+1?a=b",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn parameters_up_to_the_limit_and_none_beyond() {
        let forms =
            [("sip:a@h", ";p", ""), ("sip:a", ";p", "@h"), ("sip:h?a=b", "&p=q", ""), ("tel:+1", ";p", "")];
        for (before, param, after) in forms {
            let with = |count| format!("{before}{}{after}", param.repeat(count));
            assert!(parse(&with(URI_PARAMS_MAX)).is_some(), "{before}");
            assert_eq!(parse(&with(URI_PARAMS_MAX + 1)), None, "{before}");
        }
    }

    proptest! {
        #[test]
        fn a_legal_uri_can_stand_in_brackets_and_in_a_line(text in "(sip|SIPS|tel|urn):[ -\\x7f\u{80}-\u{ff}]{0,24}|[\\x00-\u{ff}]{0,24}") {
            let is_safe = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"');
            prop_assert!(parse(&text).is_none() || text.bytes().all(is_safe), "{}", text);
        }

        /// What is read at a glance is what is read step by step.
        #[test]
        fn a_usual_uri_is_the_same_by_both_ways(
            text in "[+a-z0-9;=%_.~#:-]{0,12}@?[a-z0-9.\\[:-]{0,20}(:[0-9]{0,6})?(;[a-z%=/~@?]{0,9}){0,5}[ -~\u{e9}]{0,2}",
        ) {
            let uri = Uri { scheme: Scheme::Sip, scheme_name: b"sip", ..Uri::default() };
            if let Some(usual) = uri.read_usual_sip(text.as_bytes()) {
                let known = Uri { seen: Seen::default(), ..usual };
                prop_assert_eq!(uri.read_sip(text.as_bytes()), Some(known));
                prop_assert_eq!(usual.user_name(), known.user_name());
                prop_assert_eq!(usual.has_double_param(), known.has_double_param());
                prop_assert_eq!(usual.has_mandatory_param(), known.has_mandatory_param());
                for (name, _) in pairs(known.params, b';').chain(known.user_params()).chain([(&b"x"[..], None)]) {
                    prop_assert_eq!(usual.param(name), known.param(name));
                    prop_assert_eq!(usual.user_param(name), known.user_param(name));
                }
            }
        }

        #[test]
        fn a_legal_uri_with_one_byte_changed_is_safe_or_not_legal(at in 0_usize..60, byte: u8) {
            let mut text = b"sip:a;rn=+1:pass@host.example.net:5060;transport=tcp?Subject=x".to_vec();
            text[at] = byte;
            let is_safe = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"');
            prop_assert!(Uri::parse(&text).is_none() || text.iter().all(is_safe));
        }
    }
}
