//! Outside. Reads the values of flags: text → value, or a sentence on what was found and expected.
//!
//! Never: lets a byte through that would end a header line early.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub(crate) use crate::control::explain::fields::{
    certificate, header, moment, name_addr, request_uri, source, token, transport, word,
};

use super::{args::Admin, target};
use crate::{
    config::{AdminPlace, Listen},
    dns::{Kind, Question, server_address},
    limits::{ASK_COUNT_MAX, ASK_TIMEOUT_MS_MAX, DIFF_SHOWN_MAX, TOOL_WITHIN_MS_MAX},
    route::Transport,
    sip::Uri,
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

/// `ADDR:PORT`, `unix:PATH` or `off`.
pub(crate) fn admin(text: &str) -> Result<Admin, String> {
    if text == "off" {
        return Ok(Admin::Off);
    }
    // As the server's own log has it.
    let address = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let address = address.map_or(text, |rest| rest.trim_end_matches('/'));
    AdminPlace::parse(address).map(Admin::At).map_err(|_| {
        "expected ADDR:PORT with an IP address, as 127.0.0.1:9560 or http://127.0.0.1:9560, unix:PATH, or off"
            .to_owned()
    })
}

/// A number that ENUM can be asked for (RFC 6116 §3.7).
pub(crate) fn e164(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    if (2..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("not an E.164 number, so that ENUM is never asked for it: expected + and 2 to 15 digits, as +442079460123; `waypost explain` shows what your routes make of others".to_owned())
}

/// A domain name, made lower case, with its final dot.
pub(crate) fn domain(text: &str) -> Result<String, String> {
    Question::new(text, Kind::Naptr)
        .map(|question| question.name().to_owned())
        .ok_or_else(|| "expected a domain name, as e164.arpa".to_owned())
}

/// An ENUM service without `E2U+`.
pub(crate) fn enum_service(text: &str) -> Result<String, String> {
    let service = text.to_ascii_lowercase();
    let service = service.strip_prefix("e2u+").unwrap_or(&service);
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b':';
    if !service.is_empty() && service.bytes().all(is_legal) {
        return Ok(service.to_owned());
    }
    Err("expected services without E2U, as sip,pstn:tel".to_owned())
}

/// `IP`, `IP:PORT`, `[IP6]:PORT` of a DNS server; the port is 53 when there is none.
pub(crate) fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let in_brackets = || {
        let bare = text.strip_prefix('[')?.strip_suffix(']')?;
        bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53))
    };
    server_address(text)
        .or_else(in_brackets)
        .ok_or_else(|| "expected IP or IP:PORT, as 192.0.2.53 or [2001:db8::53]:5353".to_owned())
}

/// What can be located: a sip: or sips: URI, or a domain, of which a sip: URI is made.
pub(crate) fn located(text: &str) -> Result<String, String> {
    let expected = "expected a sip: or sips: URI, or a domain, as example.com";
    let text = word(text)?;
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    let uri = match scheme.as_deref() {
        Some("sip" | "sips") => text,
        Some("tel" | "urn") => return Err(format!("{text} has no domain, {expected}")),
        _ if target::is_number(&text) && text.parse::<IpAddr>().is_err() => {
            return Err(format!("a number has no domain: `waypost enum` looks it up; {expected}"));
        }
        _ => format!("sip:{text}"),
    };
    match Uri::parse(uri.as_bytes()) {
        Some(parsed) if !parsed.host.is_empty() => Ok(uri),
        _ => Err(format!("\"{uri}\" is not a URI, {expected}")),
    }
}

/// Time for a look-up: `400ms` or `2s`.
pub(crate) fn within(text: &str) -> Result<Duration, String> {
    time(text, TOOL_WITHIN_MS_MAX)
}

/// `500ms` or `2s`.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    time(text, ASK_TIMEOUT_MS_MAX)
}

fn time(text: &str, ms_max: u64) -> Result<Duration, String> {
    let expected = || format!("expected 1ms to {}s, as 500ms or 2s", ms_max / 1000);
    let (digits, unit_ms) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s').ok_or_else(expected)?, 1000),
    };
    let ms =
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms)).ok_or_else(expected)?;
    if (1..=ms_max).contains(&ms) { Ok(Duration::from_millis(ms)) } else { Err(expected()) }
}

/// The name of a compiled table: by its end the loader knows one.
pub(crate) fn compiled(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|end| end == "wpt") && path.file_stem().is_some() {
        return Ok(path);
    }
    Err("the name of a compiled table ends in .wpt, as data/ported.wpt".to_owned())
}

/// How many calls.
pub(crate) fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if (1..=ASK_COUNT_MAX).contains(&count) => Ok(count),
        _ => Err(format!("expected 1 to {ASK_COUNT_MAX}; for load, use a load generator such as SIPp")),
    }
}

/// How many calls are shown whole.
pub(crate) fn shown_calls(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count <= DIFF_SHOWN_MAX => Ok(count),
        _ => Err(format!("expected 0 to {DIFF_SHOWN_MAX}")),
    }
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
        let at = |place: &str| Ok(Admin::At(AdminPlace::parse(place).unwrap()));
        assert_eq!(admin("127.0.0.1:9560"), at("127.0.0.1:9560"));
        assert_eq!(admin("http://[::1]:9560/"), at("[::1]:9560"));
        assert_eq!(admin("https://[::1]:9560"), at("[::1]:9560"));
        assert_eq!(admin("unix:/run/waypost/admin.sock"), at("unix:/run/waypost/admin.sock"));
        assert!(admin("unix:").is_err());
        assert!(admin("http://localhost:9560").is_err());
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
    fn a_look_up_may_take_longer_than_a_call_and_not_for_ever() {
        assert_eq!(within(&format!("{TOOL_WITHIN_MS_MAX}ms")), Ok(Duration::from_millis(TOOL_WITHIN_MS_MAX)));
        assert!(within(&format!("{}ms", TOOL_WITHIN_MS_MAX + 1)).is_err());
    }

    #[test]
    fn only_e164_numbers_are_looked_up() {
        for text in ["+44", "+442079460123", "+123456789012345"] {
            assert_eq!(e164(text).as_deref(), Ok(text));
        }
        for wrong in ["", "+", "+4", "442079460123", "+44 20", "+1234567890123456", "112", "sip:+44@a"] {
            assert!(e164(wrong).unwrap_err().starts_with("not an E.164 number"), "{wrong}");
        }
    }

    #[test]
    fn names_services_and_servers_of_dns() {
        assert_eq!(domain("E164.ARPA").as_deref(), Ok("e164.arpa."));
        assert!(domain("a..b").is_err());
        assert_eq!(enum_service("E2U+PSTN:tel").as_deref(), Ok("pstn:tel"));
        assert!(enum_service("E2U+").is_err() && enum_service("a b").is_err());
        assert_eq!(dns_server("2001:db8::1"), Ok("[2001:db8::1]:53".parse().unwrap()));
        assert_eq!(dns_server("192.0.2.1:5353"), Ok("192.0.2.1:5353".parse().unwrap()));
        assert!(dns_server("dns.example.net").is_err());
    }

    #[test]
    fn domains_and_uris_are_located() {
        for (text, uri) in [
            ("example.com", "sip:example.com"),
            ("example.com:5070", "sip:example.com:5070"),
            ("bob@example.com", "sip:bob@example.com"),
            ("192.0.2.1", "sip:192.0.2.1"),
            ("SIPS:a@b;transport=tcp", "SIPS:a@b;transport=tcp"),
        ] {
            assert_eq!(located(text).as_deref(), Ok(uri));
        }
        for wrong in ["", "+442079460123", "tel:+44", "urn:service:sos", "sip:", "a b", "sip:a@b:x"] {
            assert!(located(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_end_at_the_limit() {
        assert_eq!(count("1"), Ok(1));
        assert_eq!(count(&ASK_COUNT_MAX.to_string()), Ok(ASK_COUNT_MAX));
        assert!(count("0").is_err());
        assert!(count(&(ASK_COUNT_MAX + 1).to_string()).is_err());
    }

    #[test]
    fn no_more_calls_are_shown_than_may() {
        assert_eq!(shown_calls("0"), Ok(0));
        assert_eq!(shown_calls(&DIFF_SHOWN_MAX.to_string()), Ok(DIFF_SHOWN_MAX));
        assert!(shown_calls(&(DIFF_SHOWN_MAX + 1).to_string()).is_err());
        assert!(shown_calls("all").is_err());
    }
}
