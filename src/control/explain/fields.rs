//! Outside. What a request is made of, as people write it: text → value, or a sentence on what was found and
//! expected.
//!
//! In:    words of a command line, or of a question to the admin port.
//! Out:   parts of a request.
//! Never: lets a byte through that would end a header line early.

use std::net::{IpAddr, SocketAddr};

use crate::{access::Identity, route::Transport};

/// RFC 3261 §19.1.2: the port of sip: over UDP and TCP.
pub(crate) const SIP_PORT: u16 = 5060;

/// The host of a bare number: never asked for an address, only routed by.
const NUMBER_HOST: &str = "localhost";

/// A Request-URI of what was typed: a URI as it is, `USER@HOST` with `sip:`, a number as
/// `sip:NUMBER@localhost`.
pub(crate) fn uri_of(text: &str) -> Result<String, String> {
    if is_number(text) {
        return Ok(format!("sip:{text}@{NUMBER_HOST}"));
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("sip" | "sips" | "tel" | "urn") => Ok(text.to_owned()),
        _ if text.contains('@') => Ok(format!("sip:{text}")),
        _ => {
            Err("expected a URI, as sip:+442079460123@example.com, or a number, as +442079460123".to_owned())
        }
    }
}

/// Whether [`uri_of`] made a URI of a bare number: worth a remark.
pub(crate) fn is_made_of_number(uri: &str) -> bool {
    uri.strip_prefix("sip:")
        .and_then(|rest| rest.strip_suffix(NUMBER_HOST))
        .and_then(|rest| rest.strip_suffix('@'))
        .is_some_and(is_number)
}

/// `IP`, `IP:PORT`, `[IP6]:PORT`; the port is 5060 when there is none.
pub(crate) fn source(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, SIP_PORT));
    }
    text.parse().map_err(|_| "expected IP or IP:PORT, as 198.51.100.7 or [2001:db8::7]:5060".to_owned())
}

/// `udp`, `tcp` or `tls`.
pub(crate) fn transport(text: &str) -> Result<Transport, String> {
    Transport::from_name(&text.to_ascii_lowercase()).ok_or_else(|| "expected udp, tcp or tls".to_owned())
}

/// A name in a certificate.
pub(crate) fn certificate(text: &str) -> Result<String, String> {
    match Identity::named([text]).names() {
        [name] => Ok(name.to_string()),
        _ => Err("expected a name in a certificate, as sbc.example.com".to_owned()),
    }
}

/// Who the names are of; `None` where there are none.
pub(crate) fn identity(names: &[String]) -> Option<Identity> {
    (!names.is_empty()).then(|| Identity::named(names.iter().map(String::as_str)))
}

/// A token (RFC 3261 §25.1): a method.
pub(crate) fn token(text: &str) -> Result<String, String> {
    if is_token(text) { Ok(text.to_owned()) } else { Err("expected a SIP token, as INVITE".to_owned()) }
}

/// One word: no white space, nothing that is not printable ASCII.
pub(crate) fn word(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("expected printable ASCII without spaces".to_owned())
    }
}

/// `Name: value`.
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let expected = "expected 'Name: value', as 'X-Trunk: gold'";
    let (name, value) = text.split_once(':').ok_or(expected)?;
    let (name, value) = (name.trim(), value.trim());
    if !is_token(name) {
        return Err(format!("the header name is not a SIP token, {expected}"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("the value has a control character, {expected}"));
    }
    // A second one would make a broken request of a sound one; `explain --raw` is for those.
    let made =
        ["via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "max-forwards", "content-length", "l"];
    if made.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Err(format!(
            "{name} is in the request already; to change it, put a whole request into a file for explain --raw"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A Request-URI; see [`uri_of`].
pub(crate) fn request_uri(text: &str) -> Result<String, String> {
    uri_of(&word(text)?)
}

/// A header value with one address: `<URI>` is made of a URI or a number, a name-addr is left as it is.
pub(crate) fn name_addr(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("it has a control character, expected a URI or a number".to_owned());
    }
    if text.contains('<') {
        let (_, params) = text.rsplit_once('>').ok_or("expected > after <")?;
        // Ours would be the second one.
        if params.to_ascii_lowercase().contains("tag=") {
            return Err("it has a tag already, expected none: waypost makes one".to_owned());
        }
        return Ok(text.to_owned());
    }
    Ok(format!("<{}>", request_uri(text)?))
}

/// A moment (RFC 3339), in seconds since 1970.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).map_err(|_| {
        "expected a time with its zone, as 2026-12-24T10:00:00Z or 2026-12-24T10:00:00+01:00".to_owned()
    })
}

/// Whether a text is a number as people write it.
pub(crate) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b"*#-.()".contains(&byte))
        && digits.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bare_addresses_become_uris() {
        for (text, uri) in [
            ("+442079460123", "sip:+442079460123@localhost"),
            ("999", "sip:999@localhost"),
            ("*21#", "sip:*21#@localhost"),
            ("a@b", "sip:a@b"),
            ("a:secret@b", "sip:a:secret@b"),
            ("SIPS:a@b", "SIPS:a@b"),
            ("tel:+44", "tel:+44"),
            ("urn:service:sos", "urn:service:sos"),
        ] {
            assert_eq!(uri_of(text).as_deref(), Ok(uri));
        }
        for wrong in ["", "+", "bob", "host:5060", "---"] {
            assert!(uri_of(wrong).is_err(), "{wrong}");
        }
        assert!(is_made_of_number("sip:999@localhost"));
        assert!(!is_made_of_number("sip:bob@localhost"));
        assert!(!is_made_of_number("sip:999@localhost:5060"));
    }
}
