//! Pure. Who a peer is by its certificate (RFC 5922 §7.1).
//!
//! In:    a certificate that TLS has verified, in DER.
//! Out:   the names in it that a route can ask for.
//! Never: verifies; takes more names, or longer ones, than the limits say.

use std::sync::Arc;

use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use crate::limits::{CERTIFICATE_NAME_BYTES_MAX, CERTIFICATE_NAMES_MAX};

/// The names in a verified certificate, in lower case. There may be none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Arc<[Box<str>]>);

impl Identity {
    /// Reads a certificate. One that cannot be read, or that names nobody, has no names.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Self {
        let certificate = X509Certificate::from_der(der).ok();
        Self::named(certificate.iter().flat_map(|(_, certificate)| names(certificate)))
    }

    /// Takes what is a name; see the file's first lines.
    pub fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut taken: Vec<Box<str>> = Vec::new();
        for name in names.into_iter().filter(|name| is_name(name)) {
            let name = name.to_ascii_lowercase().into_boxed_str();
            if taken.len() < CERTIFICATE_NAMES_MAX && !taken.contains(&name) {
                taken.push(name);
            }
        }
        Self(taken.into())
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.0
    }
}

/// RFC 5922 §7.1: SIP URIs of the subjectAltName; names of DNS where it has no SIP URI; the common name of the subject where it
/// has neither.
fn names<'c>(certificate: &'c X509Certificate<'_>) -> Vec<&'c str> {
    let general = match certificate.subject_alternative_name() {
        Ok(extension) => extension.map_or(&[][..], |extension| &extension.value.general_names),
        // Given twice, or not to be read: nothing that it may mean is guessed at.
        Err(_) => return Vec::new(),
    };
    let uris: Vec<&str> = general.iter().filter_map(sip_uri).collect();
    if !uris.is_empty() {
        return uris.into_iter().filter_map(domain).collect();
    }
    if general.iter().any(|name| matches!(name, GeneralName::DNSName(_) | GeneralName::URI(_))) {
        return general.iter().filter_map(dns_name).collect();
    }
    certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect()
}

/// What follows `sip:`. RFC 5922 §7.1: no other scheme names a SIP domain.
fn sip_uri<'n>(name: &GeneralName<'n>) -> Option<&'n str> {
    let GeneralName::URI(uri) = name else { return None };
    let (scheme, rest) = uri.split_once(':')?;
    scheme.eq_ignore_ascii_case("sip").then_some(rest)
}

/// RFC 5922 §7.1: a URI with a user part names a user, not a domain. One with a port or parameters names nothing that could
/// be compared: [`is_name`].
fn domain(rest: &str) -> Option<&str> {
    (!rest.contains('@')).then_some(rest)
}

fn dns_name<'n>(name: &GeneralName<'n>) -> Option<&'n str> {
    match name {
        GeneralName::DNSName(name) => Some(name),
        _ => None,
    }
}

/// Whether a text can be asked for: letters, digits, `-`, `_` and dots. RFC 5922 §7.2: a certificate for `*.example.com` is
/// for no domain, whatever the pattern of a route.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= CERTIFICATE_NAME_BYTES_MAX && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: &str, names: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = names.iter().map(|name| general(name)).collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn general(name: &str) -> SanType {
        match name.split_once(' ').unwrap() {
            ("uri", uri) => SanType::URI(uri.try_into().unwrap()),
            ("dns", name) => SanType::DnsName(name.try_into().unwrap()),
            (_, address) => SanType::Rfc822Name(address.try_into().unwrap()),
        }
    }

    fn names_of(der: &[u8]) -> Vec<String> {
        Identity::of_certificate(der).names().iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn names_are_those_of_rfc_5922() {
        for (given, expected) in [
            (&["uri sip:Example.com", "dns sbc.example.com"][..], &["example.com"][..]),
            (&["uri SIP:a.example", "uri sip:b.example", "uri sip:A.example"], &["a.example", "b.example"]),
            (&["dns SBC1.example.com", "dns sbc2.example.com"], &["sbc1.example.com", "sbc2.example.com"]),
            (&["uri https://example.com", "dns a.example"], &["a.example"]),
            // None of these names a domain, and no other name stands in.
            (&["uri sip:bob@example.com", "dns a.example"], &[]),
            (&["uri sip:a.example:5061", "uri sip:a.example;lr", "uri sip:"], &[]),
            (&["uri sips:a.example"], &[]),
            (&["dns *.example.com"], &[]),
            // Neither kind is there.
            (&["mail bob@example.com"], &["cn.example"]),
            (&[], &["cn.example"]),
        ] {
            assert_eq!(names_of(&certificate("CN.example", given)), expected, "{given:?}");
        }
        assert_eq!(names_of(&certificate("Bob of Example", &[])), [""; 0]);
    }

    #[test]
    fn names_beyond_the_limits_are_passed_over() {
        let many: Vec<String> =
            (0..=CERTIFICATE_NAMES_MAX).map(|number| format!("dns n{number}.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let taken = names_of(&certificate("cn", &many));
        assert_eq!(taken.len(), CERTIFICATE_NAMES_MAX);
        assert_eq!(taken.last().map(String::as_str), Some("n7.example"));

        let long = |bytes: usize| format!("dns {}", "a".repeat(bytes));
        let (longest, longer) = (long(CERTIFICATE_NAME_BYTES_MAX), long(CERTIFICATE_NAME_BYTES_MAX + 1));
        let taken = names_of(&certificate("cn", &[&longer, &longest]));
        assert_eq!(taken, ["a".repeat(CERTIFICATE_NAME_BYTES_MAX)]);
    }

    proptest! {
        #[test]
        fn no_bytes_are_trouble(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Identity::of_certificate(&bytes);
        }

        #[test]
        fn nor_is_a_certificate_with_wrong_ones(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let mut der = certificate("cn.example", &["uri sip:a.example", "dns b.example"]);
            let at = at.index(der.len());
            der[at] = byte;
            for name in Identity::of_certificate(&der).names() {
                prop_assert!(is_name(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase()));
            }
        }
    }
}
