//! Outside. Reads the values of flags: text → value, or a sentence on what was found and expected.
//!
//! Never: lets a byte through that would end a header line early.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{args::Admin, target};
use crate::{
    config::Listen,
    limits::{ASK_COUNT_MAX, ASK_TIMEOUT_MS_MAX},
    route::Transport,
};

/// `[NAME=]udp:ADDR:PORT`, `tcp:`, `tls:`.
pub(crate) fn listen(text: &str) -> Result<Listen, String> {
    let expected =
        "expected udp:, tcp: or tls:ADDR:PORT with an IP address, as udp:127.0.0.1:5060 or tcp:[::1]:5060";
    let (name, place) = match text.split_once('=') {
        Some((name, place)) => (name, place),
        None => (text, text),
    };
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(format!("the name before = is empty or not printable, {expected}"));
    }
    let (scheme, address) = place.split_once(':').ok_or(expected)?;
    let transport = Transport::from_name(scheme).ok_or(expected)?;
    let address = address.parse().map_err(|_| expected.to_owned())?;
    Ok(Listen { name: name.into(), transport, address })
}

/// `ADDR:PORT` or `off`.
pub(crate) fn admin(text: &str) -> Result<Admin, String> {
    if text == "off" {
        return Ok(Admin::Off);
    }
    text.parse().map(Admin::At).map_err(|_| "expected ADDR:PORT, as 127.0.0.1:9560, or off".to_owned())
}

/// `IP`, `IP:PORT`, `[IP6]:PORT`; the port is 5060 when there is none.
pub(crate) fn source(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, target::SIP_PORT));
    }
    text.parse().map_err(|_| "expected IP or IP:PORT, as 198.51.100.7 or [2001:db8::7]:5060".to_owned())
}

/// `udp`, `tcp` or `tls`.
pub(crate) fn transport(text: &str) -> Result<Transport, String> {
    Transport::from_name(&text.to_ascii_lowercase()).ok_or_else(|| "expected udp, tcp or tls".to_owned())
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

/// A Request-URI; see [`target::request_uri`].
pub(crate) fn request_uri(text: &str) -> Result<String, String> {
    target::request_uri(&word(text)?)
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

/// `500ms` or `2s`.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected 1ms to {}s, as 500ms or 2s", ASK_TIMEOUT_MS_MAX / 1000);
    let (digits, unit_ms) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s').ok_or_else(expected)?, 1000),
    };
    let ms =
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms)).ok_or_else(expected)?;
    if (1..=ASK_TIMEOUT_MS_MAX).contains(&ms) { Ok(Duration::from_millis(ms)) } else { Err(expected()) }
}

/// How many calls.
pub(crate) fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if (1..=ASK_COUNT_MAX).contains(&count) => Ok(count),
        _ => Err(format!("expected 1 to {ASK_COUNT_MAX}; for load, use a load generator such as SIPp")),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_have_the_name_given_or_their_own_text() {
        let plain = listen("udp:127.0.0.1:5060").unwrap();
        assert_eq!((&*plain.name, plain.address.port()), ("udp:127.0.0.1:5060", 5060));
        let named = listen("core=udp:[::1]:5070").unwrap();
        assert_eq!((&*named.name, named.address.is_ipv6()), ("core", true));
        for wrong in [
            "",
            "udp",
            "udp:",
            "udp:5060",
            "udp:localhost:5060",
            "sctp:127.0.0.1:5060",
            "TCP:127.0.0.1:5060",
            "=udp:127.0.0.1:1",
            "x:1.2.3.4:5",
        ] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
        for (text, transport) in
            [("tcp:127.0.0.1:5060", Transport::Tcp), ("a=tls:[::1]:5061", Transport::Tls)]
        {
            assert_eq!(listen(text).unwrap().transport, transport);
        }
    }

    #[test]
    fn admin_is_an_address_or_off() {
        assert_eq!(admin("off"), Ok(Admin::Off));
        assert_eq!(admin("127.0.0.1:9560"), Ok(Admin::At("127.0.0.1:9560".parse().unwrap())));
        assert!(admin("on").is_err());
        assert!(admin("127.0.0.1").is_err());
    }

    #[test]
    fn a_source_may_lack_its_port() {
        for (text, address) in [
            ("198.51.100.7", "198.51.100.7:5060"),
            ("198.51.100.7:6000", "198.51.100.7:6000"),
            ("2001:db8::7", "[2001:db8::7]:5060"),
            ("[2001:db8::7]", "[2001:db8::7]:5060"),
            ("[2001:db8::7]:6000", "[2001:db8::7]:6000"),
        ] {
            assert_eq!(source(text), Ok(address.parse().unwrap()), "{text}");
        }
        assert!(source("host").is_err());
        assert!(source("198.51.100.7:66000").is_err());
    }

    #[test]
    fn no_flag_can_end_a_header_line() {
        assert!(header("X-A: b\r\nX-B: c").is_err());
        assert!(name_addr("sip:a@b\r\nX: y").is_err());
        assert!(name_addr("\"A\" <sip:a@b>\r\nX: y").is_err());
        assert!(request_uri("sip:a@b SIP/2.0\r\nX: y").is_err());
        assert!(word("a b").is_err());
        assert!(token("INVITE x").is_err());
    }

    #[test]
    fn headers_are_split_at_the_first_colon() {
        assert_eq!(header("X-A: b:c"), Ok(("X-A".to_owned(), "b:c".to_owned())));
        assert_eq!(header("X-A:"), Ok(("X-A".to_owned(), String::new())));
        for wrong in ["X-A", ": b", "X A: b", "Call-ID: x", "v: SIP/2.0/UDP h"] {
            assert!(header(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_get_their_brackets() {
        assert_eq!(name_addr("sip:a@b").as_deref(), Ok("<sip:a@b>"));
        assert_eq!(name_addr("+441632960123").as_deref(), Ok("<sip:+441632960123@localhost>"));
        assert_eq!(name_addr("\"A, B\" <sip:a@b>;x=1").as_deref(), Ok("\"A, B\" <sip:a@b>;x=1"));
        assert!(name_addr("<sip:a@b").is_err());
        assert!(name_addr("<sip:a@b>;tag=x").is_err());
    }

    #[test]
    fn moments_need_a_zone() {
        assert_eq!(moment("1970-01-01T00:01:00Z"), Ok(60));
        assert_eq!(moment("1970-01-01T01:01:00+01:00"), Ok(60));
        assert!(moment("2026-12-24T10:00:00").is_err());
        assert!(moment("tomorrow").is_err());
    }

    #[test]
    fn timeouts_have_a_unit_and_an_end() {
        assert_eq!(timeout("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(timeout("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(timeout("32s"), Ok(Duration::from_secs(32)));
        for wrong in ["", "s", "2", "0s", "0ms", "-1s", "32001ms", "33s", "18446744073709551615s", "2m"] {
            assert!(timeout(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_end_at_the_limit() {
        assert_eq!(count("1"), Ok(1));
        assert_eq!(count(&ASK_COUNT_MAX.to_string()), Ok(ASK_COUNT_MAX));
        assert!(count("0").is_err());
        assert!(count(&(ASK_COUNT_MAX + 1).to_string()).is_err());
    }
}
