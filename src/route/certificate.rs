//! Pure. Patterns for the names in a client's certificate.
//!
//! In:    the text of a route file at load; later, the names of a connection.
//! Out:   whether they are meant.
//! Never: allocates while matching; has forms by which a stranger could choose a name that fits, such as `sbc*`.

use std::fmt;

use crate::limits::CERTIFICATE_NAME_BYTES_MAX;

/// A pattern for a certificate: a name, `*.` and a name, or `*`.
#[derive(Debug)]
pub enum CertificatePattern {
    /// Any certificate that was verified, whatever its names.
    Any,
    /// This name.
    Name(Box<str>),
    /// This name with one label more before it: the dot and the name.
    Below(Box<str>),
}

impl CertificatePattern {
    /// Reads a pattern. The error says what is wrong and what was expected, as a sentence without place.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.is_empty() {
            return Err("an empty name is in no certificate; write `*` for any certificate".to_owned());
        }
        let (name, is_below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_name = name.split('.').all(|label| !label.is_empty() && label.bytes().all(is_of_name));
        if !is_name {
            return Err(format!(
                "`{text}` is not a name in a certificate; expected one such as sbc.example.com, *.example.com for one label more, or * for any certificate"
            ));
        }
        if name.len() > CERTIFICATE_NAME_BYTES_MAX {
            return Err(format!(
                "a name of {} bytes is in no certificate that is taken; expected at most {CERTIFICATE_NAME_BYTES_MAX}",
                name.len()
            ));
        }
        Ok(if is_below { Self::Below(format!(".{name}").into()) } else { Self::Name(name.into()) })
    }

    /// Whether one of the names is meant, in any case.
    #[must_use]
    pub fn matches(&self, names: &[Box<str>]) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => names.iter().any(|known| known.eq_ignore_ascii_case(name)),
            Self::Below(end) => names.iter().any(|known| is_below(known.as_bytes(), end.as_bytes())),
        }
    }
}

impl fmt::Display for CertificatePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Name(name) => f.write_str(name),
            Self::Below(end) => write!(f, "*{end}"),
        }
    }
}

fn is_below(name: &[u8], end: &[u8]) -> bool {
    let cut = name.len().saturating_sub(end.len());
    let (label, rest) = name.split_at_checked(cut).unwrap_or_default();
    !label.is_empty() && !label.contains(&b'.') && rest.eq_ignore_ascii_case(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_a_name_one_label_more_or_any() {
        for (pattern, names, expected) in [
            ("a.example", &["a.example"][..], true),
            ("A.Example", &["b.example", "a.example"], true),
            ("a.example", &["b.a.example"], false),
            ("a.example", &["xa.example"], false),
            ("a.example", &[], false),
            ("*.example.com", &["a.example.com"], true),
            ("*.EXAMPLE.com", &["b.example", "a.example.com"], true),
            ("*.example.com", &["a.b.example.com"], false),
            ("*.example.com", &["example.com"], false),
            ("*.example.com", &[".example.com"], false),
            ("*.example.com", &["aexample.com"], false),
            ("*", &["a.example"], true),
            ("*", &[], true),
        ] {
            let names: Vec<Box<str>> = names.iter().map(|name| Box::from(*name)).collect();
            let found = CertificatePattern::parse(pattern).unwrap().matches(&names);
            assert_eq!(found, expected, "{pattern} {names:?}");
        }
    }

    #[test]
    fn what_no_certificate_can_have_is_refused() {
        for text in ["*.", "sbc*", "*example.com", "*.*.example", "a..b", "/a/", "sip:a.example", "a b"] {
            let why = CertificatePattern::parse(text).unwrap_err();
            assert!(why.starts_with(&format!("`{text}` is not a name in a certificate")), "{why}");
        }
        assert!(CertificatePattern::parse(&"a".repeat(CERTIFICATE_NAME_BYTES_MAX)).is_ok());
        let why = CertificatePattern::parse(&"a".repeat(CERTIFICATE_NAME_BYTES_MAX + 1)).unwrap_err();
        assert!(why.ends_with("expected at most 255"), "{why}");
    }
}
