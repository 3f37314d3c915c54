//! Outside. What those who look on read of a message.
//!
//! In:    the bytes of a message, hostile ones too, or cut.
//! Out:   method, and who calls whom, as spans into them.
//! Never: decides; the loop has.

use crate::{
    limits::NUMBER_BYTES_MAX,
    route::Transport,
    sip::{HeaderIndex, Parsed, Request, Uri, decoded, is_visual_separator, parse},
};

/// One message. What could not be read is not there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call<'a> {
    pub(super) method: Option<&'a [u8]>,
    /// User part of the Request-URI, and of From.
    pub(super) called: Option<&'a [u8]>,
    pub(super) caller: Option<&'a [u8]>,
    /// Host of the Request-URI.
    pub(super) domain: Option<&'a [u8]>,
}

impl<'a> Call<'a> {
    pub(super) fn read(message: &'a [u8], transport: Transport, index: &'a mut HeaderIndex) -> Self {
        let parsed = parse(message, index);
        let parsed = if transport == Transport::Udp { parsed } else { parsed.of_stream() };
        match parsed {
            Parsed::Sound(request) | Parsed::Faulty(request, _) => Self::of(&request),
            Parsed::Unanswerable(_) => Self::default(),
        }
    }

    fn of(request: &Request<'a>) -> Self {
        let present = |part: &'a [u8]| (!part.is_empty()).then_some(part);
        let user = |uri: &Uri<'a>| present(uri.user_name());
        let uri = request.request_uri();
        Self {
            method: present(request.method_token()),
            called: user(uri),
            caller: request.from().parsed_uri().as_ref().and_then(user),
            domain: present(uri.host),
        }
    }
}

/// A user part as a number: escapes read, visual separators left out (RFC 3966 §5.1.1). `None` for a name.
pub(super) fn number_in(user: &[u8]) -> Option<Number> {
    let mut number = Number { bytes: [0; NUMBER_BYTES_MAX], len: 0 };
    for byte in decoded(user).filter(|byte| !is_visual_separator(*byte)) {
        let is_plus = byte == b'+' && number.len == 0;
        if !is_plus && !byte.is_ascii_digit() && !matches!(byte, b'*' | b'#') {
            return None;
        }
        *number.bytes.get_mut(number.len)? = byte;
        number.len += 1;
    }
    (number.digits() > 0).then_some(number)
}

/// Digits, `*` and `#`, after a plus or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    bytes: [u8; NUMBER_BYTES_MAX],
    len: usize,
}

impl Number {
    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// How many there are beside the plus.
    pub(super) fn digits(&self) -> usize {
        self.len - usize::from(self.bytes.first() == Some(&b'+'))
    }

    /// The plus and as many digits; all of it when there are no more.
    pub(super) fn first(&self, digits: usize) -> &str {
        let plus = self.len - self.digits();
        let text = self.as_str();
        text.get(..plus.saturating_add(digits)).unwrap_or(text)
    }

    /// The last digits; all of it when there are no more.
    pub(super) fn last(&self, digits: usize) -> &str {
        let text = self.as_str();
        if self.digits() <= digits { text } else { text.get(self.len - digits..).unwrap_or(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(part: Option<&[u8]>) -> Option<&str> {
        part.map(|part| std::str::from_utf8(part).unwrap())
    }

    #[test]
    fn who_calls_whom_is_read() {
        let invite = b"INVITE sip:+44-20;rn=1@example.net:5070 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: \"A\" <sip:alice@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n";
        let mut index = HeaderIndex::new();
        let call = Call::read(invite, Transport::Udp, &mut index);
        assert_eq!((text(call.method), text(call.called)), (Some("INVITE"), Some("+44-20")));
        assert_eq!((text(call.caller), text(call.domain)), (Some("alice"), Some("example.net")));
    }

    #[test]
    fn what_is_no_request_has_nothing() {
        for message in [&b""[..], b"hello", b"SIP/2.0 200 OK\r\n\r\n", &[0xff; 40]] {
            let mut index = HeaderIndex::new();
            let call = Call::read(message, Transport::Udp, &mut index);
            assert!(call.method.is_none() && call.called.is_none() && call.domain.is_none());
        }
    }

    #[test]
    fn a_number_is_told_from_a_name() {
        let number = |user: &str| number_in(user.as_bytes()).map(|number| number.as_str().to_owned());
        assert_eq!(number("+44 20"), None);
        assert_eq!(number("+44-(20).1"), Some("+44201".to_owned()));
        assert_eq!(number("*21%23"), Some("*21#".to_owned()));
        for name in ["alice", "", "+", "4+4", "44a"] {
            assert_eq!(number(name), None, "{name}");
        }
        assert!(number(&"1".repeat(NUMBER_BYTES_MAX)).is_some());
        assert_eq!(number(&"1".repeat(NUMBER_BYTES_MAX + 1)), None);
    }

    #[test]
    fn ends_of_a_number() {
        let number = number_in(b"+442079").unwrap();
        assert_eq!((number.first(3), number.last(4), number.digits()), ("+442", "2079", 6));
        let short = number_in(b"112").unwrap();
        assert_eq!(
            (short.first(3), short.first(9), short.last(3), short.last(4)),
            ("112", "112", "112", "112")
        );
    }
}
