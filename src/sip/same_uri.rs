//! Pure. Equality of URIs (RFC 3261 §19.1.4, RFC 3966 §4).
//!
//! In:    two URIs, read. Out: whether they are the same address. Never: resolves a name.

use super::escape::decoded_marked;
use super::{
    Scheme, Uri,
    scan::ipv6,
    uri::{is_visual_separator, pairs},
};

/// Whether two URIs are equal by RFC 3261 §19.1.4 (for tel: RFC 3966 §4): host and scheme in any case,
/// escapes decoded, parameters in any order, `user ttl method maddr transport` never by default.
#[must_use]
pub fn same_uri(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    match (a.scheme, b.scheme) {
        (Scheme::Tel, Scheme::Tel) => same_tel(a, b),
        (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => same_sip(a, b),
        (Scheme::Other, Scheme::Other) => {
            a.scheme_name.eq_ignore_ascii_case(b.scheme_name) && a.opaque == b.opaque
        }
        _ => false,
    }
}

/// Whether two hosts make their URIs differ, whatever else is in them: neither is an IPv6 address, and they
/// are not the same text.
#[must_use]
pub fn differ_in_host(a: &[u8], b: &[u8]) -> bool {
    !a.eq_ignore_ascii_case(b) && a.first() != Some(&b'[') && b.first() != Some(&b'[')
}

fn same_sip(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    same_option(a.user, b.user, same_text)
        && same_option(a.password, b.password, same_text)
        && same_host(a.host, b.host)
        && a.port == b.port
        && params_agree(a.params, b.params)
        && params_agree(b.params, a.params)
        && holds_all(a.headers, b.headers, b'&', same_in_any_case)
        && holds_all(b.headers, a.headers, b'&', same_in_any_case)
}

fn same_tel(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    // RFC 3966 §4: visual separators do not count, letters are of any case, and a parameter of one
    // must be in the other.
    let (a_params, b_params) = (tel_params(a), tel_params(b));
    same_digits(a.user_name(), b.user_name())
        && holds_all(a_params, b_params, b';', same_tel_value)
        && holds_all(b_params, a_params, b';', same_tel_value)
}

fn tel_params<'a>(uri: &Uri<'a>) -> &'a [u8] {
    uri.user.and_then(|user| user.get(uri.user_name().len()..)).unwrap_or_default()
}

fn same_tel_value(name: &[u8], a: &[u8], b: &[u8]) -> bool {
    let global_context = name.eq_ignore_ascii_case(b"phone-context") && a.starts_with(b"+");
    if global_context || name.eq_ignore_ascii_case(b"ext") {
        return same_digits(a, b);
    }
    same_in_any_case(name, a, b)
}

fn same_digits(a: &[u8], b: &[u8]) -> bool {
    fn digits(text: &[u8]) -> impl Iterator<Item = u8> {
        text.iter().filter(|b| !is_visual_separator(**b)).map(u8::to_ascii_lowercase)
    }
    digits(a).eq(digits(b))
}

/// An IPv6 address has many spellings (RFC 5952 §1), so it is compared as a number.
pub(super) fn same_host(a: &[u8], b: &[u8]) -> bool {
    fn address(host: &[u8]) -> Option<std::net::Ipv6Addr> {
        ipv6(host.strip_prefix(b"[")?.strip_suffix(b"]")?)
    }
    match (address(a), address(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Whether every parameter of `a` that `b` has too is equal there, and whether those that may not be
/// lacking are there.
fn params_agree(a: &[u8], b: &[u8]) -> bool {
    pairs(a, b';').all(|(name, value)| {
        let mut there = false;
        let agrees = pairs(b, b';').any(|(other, found)| {
            let named = same_in_any_case(&[], name, other);
            there |= named;
            named && same_value(name, value, found, same_in_any_case)
        });
        // RFC 3261 §19.1.4: these are never ignored when only one URI has them.
        let kept = || {
            let names: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];
            names.iter().any(|kept| same_in_any_case(&[], name, kept))
        };
        agrees || !(there || kept())
    })
}

/// Whether `b` has every pair of `a`.
fn holds_all(a: &[u8], b: &[u8], separator: u8, same: fn(&[u8], &[u8], &[u8]) -> bool) -> bool {
    pairs(a, separator).all(|(name, value)| {
        pairs(b, separator)
            .any(|(other, found)| same_in_any_case(&[], name, other) && same_value(name, value, found, same))
    })
}

fn same_value(
    name: &[u8],
    a: Option<&[u8]>,
    b: Option<&[u8]>,
    same: fn(&[u8], &[u8], &[u8]) -> bool,
) -> bool {
    same_option(a, b, |a, b| same(name, a, b))
}

fn same_option(a: Option<&[u8]>, b: Option<&[u8]>, same: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    }
}

/// RFC 3261 §19.1.4: the userinfo is the one part where case counts.
fn same_text(a: &[u8], b: &[u8]) -> bool {
    a == b || decoded(a).eq(decoded(b))
}

fn same_in_any_case(_name: &[u8], a: &[u8], b: &[u8]) -> bool {
    let lower = |(byte, reserved): (u8, bool)| (byte.to_ascii_lowercase(), reserved);
    decoded(a).map(lower).eq(decoded(b).map(lower))
}

/// Bytes with their escapes undone. An escape of a byte that is reserved (RFC 2396 §2.2) means
/// something else than the byte itself and is marked.
fn decoded(text: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    decoded_marked(text).map(|(byte, escaped)| (byte, escaped && b";/?:@&=+$,".contains(&byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let parse = |text: &'static str| Uri::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
        let (a, b) = (parse(a.to_owned().leak()), parse(b.to_owned().leak()));
        assert_eq!(same_uri(&a, &b), same_uri(&b, &a), "not symmetric");
        assert!(same_uri(&a, &a) && same_uri(&b, &b), "not reflexive");
        same_uri(&a, &b)
    }

    #[test]
    fn rfc_3261_equal() {
        let equal = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=off"),
        ];
        for (a, b) in equal {
            assert!(same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn rfc_3261_unequal() {
        let unequal = [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ];
        for (a, b) in unequal {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn the_rules_one_by_one() {
        let table = [
            ("sip:a@h", "sips:a@h", false),
            ("sip:a@h", "sip:h", false),
            ("sip:a:p@h", "sip:a@h", false),
            ("sip:a:p@h", "sip:a:P@h", false),
            ("sip:a@h;user=phone", "sip:a@h", false),
            ("sip:a@h;maddr=1.2.3.4", "sip:a@h", false),
            ("sip:a@h;ttl=1", "sip:a@h", false),
            ("sip:a@h;m%65thod=INVITE", "sip:a@h", false),
            ("sip:a@h;lr", "sip:a@h;lr=on", false),
            ("sip:a@h;lr", "sip:a@h;l%72", true),
            ("sip:a@h;x=1;x=2", "sip:a@h;x=3", false),
            ("sip:a%3B@h", "sip:a;@h", false),
            ("sip:a%3b@h", "sip:a%3B@h", true),
            ("sip:a%2Db@h", "sip:a-b@h", true),
            ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]", true),
            ("sip:a@[2001:db8::1]", "sip:a@[2001:db8::2]", false),
            ("sip:a@h?x=1", "sip:a@h?x=2", false),
            ("sip:a@h", "tel:+1", false),
            ("urn:service:sos", "URN:service:sos", true),
            ("urn:service:sos", "http:service:sos", false),
        ];
        for (a, b, expected) in table {
            assert_eq!(same(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn tel_uris() {
        let table = [
            ("tel:+1-201-555-0123", "TEL:+1(201)555.0123", true),
            ("tel:+12015550123", "tel:12015550123", false),
            ("tel:12;phone-context=+1-2", "tel:12;phone-context=+12", true),
            ("tel:12;phone-context=a.Example", "tel:12;Phone-Context=A.example", true),
            ("tel:12;phone-context=a.b", "tel:12;phone-context=ab", false),
            ("tel:+1;ext=1-2", "tel:+1;ext=12", true),
            ("tel:+1;a=1;b=2", "tel:+1;b=2;a=1", true),
            ("tel:+1;a=1", "tel:+1", false),
            ("tel:+1;npdi", "tel:+1;npdi=yes", false),
            ("tel:1aB*#", "tel:1Ab*#", true),
        ];
        for (a, b, expected) in table {
            assert_eq!(same(a, b), expected, "{a} {b}");
        }
    }
}
