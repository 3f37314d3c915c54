//! Outside. Reads an answer as a client does: datagram → status, headers, Contacts in order of q.
//!
//! Lenient where a client can be: line ends without CR, folding, odd spacing, compact names. The answer
//! of any server is read, not only ours.

use crate::limits::ASK_CONTACTS_MAX;

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// 100 to 699.
    pub(crate) status: u16,
    /// The reason phrase.
    pub(crate) reason: String,
    /// Name as written, value unfolded and trimmed.
    headers: Vec<(String, String)>,
}

/// One Contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contact {
    /// Display name, unquoted; empty when there is none.
    pub(crate) display: String,
    /// Without `<>`.
    pub(crate) uri: String,
    /// Header parameters as written, q included.
    pub(crate) params: Vec<(String, Option<String>)>,
}

impl Response {
    /// Reads a datagram; `None` when it is not a SIP response.
    pub(crate) fn parse(datagram: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(datagram);
        let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let (status, reason) = status_line(lines.next()?)?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.take_while(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                // RFC 3261 §7.3.1: a line that begins with white space goes on with the one before.
                let (_, value) = headers.last_mut()?;
                value.push(' ');
                value.push_str(&plain(line.trim()));
            } else {
                let (name, value) = line.split_once(':')?;
                headers.push((name.trim().to_owned(), plain(value.trim())));
            }
        }
        Some(Self { status, reason, headers })
    }

    /// The first value of a header, by its long or compact name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// Whether this answers the request with that branch, Call-ID and CSeq (RFC 3261 §17.1.3).
    pub(crate) fn answers(&self, branch: &str, call_id: &str, cseq: u32, method: &str) -> bool {
        let via = self.header("Via").and_then(|via| split(via, b',').into_iter().next());
        let of_via = via.is_some_and(|via| {
            params(via)
                .iter()
                .any(|(name, value)| name.eq_ignore_ascii_case("branch") && value.as_deref() == Some(branch))
        });
        let mut words = self.header("CSeq").unwrap_or_default().split_whitespace();
        let of_cseq =
            words.next().and_then(|number| number.parse().ok()) == Some(cseq) && words.next() == Some(method);
        of_via && of_cseq && self.header("Call-ID") == Some(call_id)
    }

    /// The Contacts, highest q first; equal q in the order of the answer.
    pub(crate) fn contacts(&self) -> Vec<Contact> {
        let values = self.values("Contact").flat_map(|line| split(line, b','));
        let mut contacts: Vec<_> = values.filter_map(Contact::parse).take(ASK_CONTACTS_MAX).collect();
        contacts.sort_by_key(|contact| std::cmp::Reverse(contact.q_milli()));
        contacts
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let compact = match name {
            "Contact" => "m",
            "Via" => "v",
            "To" => "t",
            "Call-ID" => "i",
            _ => name,
        };
        self.headers
            .iter()
            .filter(move |(is, _)| is.eq_ignore_ascii_case(name) || is.eq_ignore_ascii_case(compact))
            .map(|(_, value)| value.as_str())
    }
}

impl Contact {
    /// Reads one value: name-addr or addr-spec, then parameters.
    fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let (display, rest) = display_name(value);
        if let Some(rest) = rest.strip_prefix('<') {
            let (uri, rest) = rest.split_once('>')?;
            return Some(Self { display, uri: uri.trim().to_owned(), params: params(rest) });
        }
        // RFC 3261 §20.10: without <> everything after the first ; belongs to the header.
        let uri = value.split(';').next().unwrap_or(value).trim_end();
        (!uri.is_empty()).then(|| Self { display: String::new(), uri: uri.to_owned(), params: params(value) })
    }

    /// A parameter: `Some(None)` when it has no value.
    pub(crate) fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_deref())
    }

    /// q in thousandths. RFC 3261 §10.2.1.2 prefers a Contact without q to none, so that it counts as 1;
    /// so does one whose q cannot be read.
    pub(crate) fn q_milli(&self) -> u16 {
        self.param("q").flatten().and_then(q_milli).unwrap_or(1000)
    }
}

/// `SIP/2.0 302 Moved Temporarily`.
fn status_line(line: &str) -> Option<(u16, String)> {
    let (version, rest) = line.split_once(' ')?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let status = code.parse().ok().filter(|status| code.len() == 3 && (100..700).contains(status))?;
    version.eq_ignore_ascii_case("SIP/2.0").then(|| (status, plain(reason.trim())))
}

/// Without control characters: values are printed, and the To is sent back.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Pieces between `separator`s that stand neither in a quoted string nor in `<>`.
fn split(text: &str, separator: u8) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut quoted, mut escaped, mut angle, mut start) = (false, false, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angle => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            _ if byte == separator && !quoted && !angle => {
                pieces.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.extend(text.get(start..));
    pieces
}

/// The parameters after the first `;`.
fn params(value: &str) -> Vec<(String, Option<String>)> {
    let pieces = split(value, b';').into_iter().skip(1).map(str::trim).filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| match piece.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
            None => (piece.to_owned(), None),
        })
        .collect()
}

/// The display name, and the rest from `<` on; the whole value when there is no `<>`.
fn display_name(value: &str) -> (String, &str) {
    if let Some(rest) = value.strip_prefix('"') {
        let mut name = String::new();
        let mut characters = rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => return (name, rest.get(at + 1..).unwrap_or_default().trim_start()),
                '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => name.push(character),
            }
        }
        return (String::new(), value);
    }
    match value.find(['<', ';', ':']) {
        Some(at) if value.get(at..).is_some_and(|rest| rest.starts_with('<')) => {
            let (name, rest) = value.split_at(at);
            (name.trim().to_owned(), rest)
        }
        _ => (String::new(), value),
    }
}

/// RFC 3261 §25.1 `qvalue`: 0 to 1 with at most three decimals.
fn q_milli(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let milli: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(milli),
        "1" if milli == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn response(headers: &str) -> Response {
        Response::parse(format!("SIP/2.0 302 Moved Temporarily\r\n{headers}\r\n").as_bytes()).unwrap()
    }

    fn uris(headers: &str) -> Vec<(String, u16)> {
        response(headers)
            .contacts()
            .into_iter()
            .map(|contact| (contact.uri.clone(), contact.q_milli()))
            .collect()
    }

    #[test]
    fn status_lines() {
        for (line, status, reason) in [
            ("SIP/2.0 302 Moved Temporarily", 302, "Moved Temporarily"),
            ("sip/2.0 404 ", 404, ""),
            ("SIP/2.0 100", 100, ""),
            ("SIP/2.0 699 x\x1b[31m", 699, "x [31m"),
        ] {
            let response = Response::parse(format!("{line}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!((response.status, response.reason.as_str()), (status, reason));
        }
        for wrong in [
            "",
            "SIP/2.0",
            "SIP/2.0 99 x",
            "SIP/2.0 700 x",
            "SIP/2.0 0302 x",
            "SIP/1.0 302 x",
            "INVITE sip:a@b SIP/2.0",
        ] {
            assert_eq!(Response::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Response::parse(b"SIP/2.0 302 x\r\n folded into nothing\r\n\r\n"), None);
        assert_eq!(Response::parse(b"SIP/2.0 302 x\r\nno colon\r\n\r\n"), None);
    }

    #[test]
    fn contacts_come_in_order_of_q_whatever_their_form() {
        let headers = "Contact: <sip:third@a;x=1,2>;q=0.5 , \"Say \\\"hi\\\", Bob; <x>\" <sip:first@b>;expires=60;q=0.99\r\n\
             m: sip:second@c;q=0.7;expires=5\r\n\
             CONTACT :\r\n\tSales  <sip:fourth@[::1]:5070?Identity=a%3Bb> ; q = 0.123\r\n\
             Contact: <sip:default@d>, <sip:last@e>;q=0\r\n";
        let expected = [
            ("sip:default@d", 1000),
            ("sip:first@b", 990),
            ("sip:second@c", 700),
            ("sip:third@a;x=1,2", 500),
            ("sip:fourth@[::1]:5070?Identity=a%3Bb", 123),
            ("sip:last@e", 0),
        ];
        assert_eq!(uris(headers), expected.map(|(uri, q)| (uri.to_owned(), q)));
        let contacts = response(headers).contacts();
        assert_eq!(contacts[1].display, "Say \"hi\", Bob; <x>");
        assert_eq!(contacts[1].param("expires"), Some(Some("60")));
        assert_eq!(contacts[4].display, "Sales");
        assert_eq!(contacts[2].param("EXPIRES"), Some(Some("5")));
    }

    #[test]
    fn equal_q_keeps_the_order_of_the_answer() {
        let order = uris("Contact: <sip:a@x>;q=0.5, <sip:b@x>;q=0.50\r\nContact: <sip:c@x>;q=0.500\r\n");
        assert_eq!(
            order.iter().map(|(uri, _)| uri.as_str()).collect::<Vec<_>>(),
            ["sip:a@x", "sip:b@x", "sip:c@x"]
        );
    }

    #[test]
    fn qvalues() {
        for (text, q) in
            [("0", 0), ("0.", 0), ("0.5", 500), ("0.999", 999), ("1", 1000), ("1.0", 1000), ("1.000", 1000)]
        {
            assert_eq!(q_milli(text), Some(q), "{text}");
        }
        for wrong in ["", ".5", "1.001", "2", "0.9999", "0.-1", "0.+1", "-0", "high"] {
            assert_eq!(q_milli(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn contacts_that_are_none_are_left_out() {
        assert_eq!(uris("Contact: , <sip:a@x, ;q=1\r\n"), []);
    }

    #[test]
    fn the_contact_list_ends_at_the_limit() {
        let many = vec!["<sip:a@x>"; ASK_CONTACTS_MAX + 1].join(",");
        assert_eq!(uris(&format!("Contact: {many}\r\n")).len(), ASK_CONTACTS_MAX);
    }

    #[test]
    fn an_answer_belongs_to_one_request() {
        let answer = response(
            "v: SIP/2.0/UDP 127.0.0.1:4;rport=4;branch=z9hG4bK1;received=127.0.0.1, SIP/2.0/UDP x;branch=other\r\n\
             i: c\r\nCSeq:  7   INVITE\r\n",
        );
        assert!(answer.answers("z9hG4bK1", "c", 7, "INVITE"));
        assert!(!answer.answers("other", "c", 7, "INVITE"));
        assert!(!answer.answers("z9hG4bK1", "d", 7, "INVITE"));
        assert!(!answer.answers("z9hG4bK1", "c", 8, "INVITE"));
        assert!(!answer.answers("z9hG4bK1", "c", 7, "CANCEL"));
        assert!(!response("").answers("", "", 0, ""));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(response) = Response::parse(&bytes) {
                let _ = response.contacts();
            }
        }

        #[test]
        fn no_contact_makes_it_panic(value in "[ ,;<>\"\\\\=.:aq01é]{0,40}") {
            let headers = format!("SIP/2.0 302 x\r\nContact: {value}\r\nVia: {value}\r\n\r\n");
            let response = Response::parse(headers.as_bytes()).unwrap();
            for contact in response.contacts() {
                prop_assert!(contact.q_milli() <= 1000);
            }
            let _ = response.answers("a", "a", 1, "INVITE");
        }

        #[test]
        fn a_list_that_was_written_is_read_back(
            parts in proptest::collection::vec(("[a-z]{1,8}", "[ -~]{0,12}", 0_u16..=999), 1..12)
        ) {
            let written: Vec<_> = parts.iter().map(|(user, display, q)| {
                let display = display.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{display}\" <sip:{user}@x>;q=0.{q:03}")
            }).collect();
            let mut expected: Vec<_> = parts.iter().map(|(user, display, q)| {
                (format!("sip:{user}@x"), display.clone(), *q)
            }).collect();
            expected.sort_by_key(|(_, _, q)| std::cmp::Reverse(*q));
            let read: Vec<_> = response(&format!("Contact: {}\r\n", written.join(", "))).contacts()
                .into_iter().map(|contact| (contact.uri.clone(), contact.display.clone(), contact.q_milli())).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
