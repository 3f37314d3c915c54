//! Tests of parser and writer together, as properties of messages that are made up.

use std::net::SocketAddr;

use proptest::{collection::vec, prelude::*, sample::Index, sample::select};

use super::*;

/// One header line as it is to be read, and how it is spelled.
#[derive(Clone, Debug)]
struct Header {
    name: String,
    before_colon: &'static str,
    after_colon: &'static str,
    value: String,
}

/// A request as it is to be read.
#[derive(Clone, Debug)]
pub(super) struct Message {
    method: String,
    uri: String,
    vias: Vec<String>,
    from: String,
    to: String,
    call_id: String,
    sequence: u32,
    others: Vec<Header>,
    body: Vec<u8>,
    has_length: bool,
    compact: bool,
    line_end: &'static str,
    fold: &'static str,
    order: Vec<Index>,
}

impl Message {
    pub(super) fn write(&self) -> Vec<u8> {
        let name = |long: &str, short: &str| if self.compact { short.to_owned() } else { long.to_owned() };
        let line = |name: String, value: &str| Header {
            name,
            before_colon: "",
            after_colon: " ",
            value: value.replace(FOLD, self.fold),
        };
        let mut headers = self.others.clone();
        headers.push(line(name("From", "f"), &self.from));
        headers.push(line(name("To", "T"), &self.to));
        headers.push(line(name("Call-ID", "i"), &self.call_id));
        headers.push(line("cseq".into(), &format!("{}{FOLD}{}", self.sequence, self.method)));
        if self.has_length {
            headers.push(line(name("content-LENGTH", "l"), &self.body.len().to_string()));
        }
        // The Vias keep their order among themselves; everything else may stand anywhere.
        let mut places: Vec<_> =
            self.vias.iter().zip(&self.order).map(|(_, at)| at.index(headers.len() + 1)).collect();
        places.sort_unstable();
        for (via, place) in self.vias.iter().zip(places).rev() {
            headers.insert(place, line(name("Via", "V"), via));
        }
        let mut bytes = format!("{} {} SIP/2.0{}", self.method, self.uri, self.line_end).into_bytes();
        for Header { name, before_colon, after_colon, value } in headers {
            bytes.extend(format!("{name}{before_colon}:{after_colon}{value}{}", self.line_end).bytes());
        }
        bytes.extend(self.line_end.bytes());
        bytes.extend(&self.body);
        bytes
    }
}

/// Stands in a value where white space may be folded.
const FOLD: &str = "\u{1}";

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}(\\.[a-z]{1,5}){0,2}",
        any::<[u8; 4]>().prop_map(|a| std::net::Ipv4Addr::from(a).to_string()),
        any::<[u16; 8]>().prop_map(|a| format!("[{}]", std::net::Ipv6Addr::from(a)))
    ]
}

fn via() -> impl Strategy<Value = String> {
    let slash = select(vec!["/", " / ", "/\u{1}"]);
    let param =
        prop_oneof!["ttl=[0-9]{1,3}", "hidden", "x=\"[a-z,;]{0,5}\"", "b(\u{1})?=(\u{1})?[a-z0-9]{1,5}"];
    let own = select(vec![
        "",
        ";rport",
        ";received=192.0.2.66",
        ";rport;received=::1",
        ";received=6.6.6.6;rport=1",
    ]);
    (
        slash,
        host(),
        proptest::option::of(1..=u16::MAX),
        vec(param, 0..4),
        own,
        "z9hG4bK[a-zA-Z0-9.]{1,12}",
        any::<bool>(),
    )
        .prop_map(|(slash, host, port, params, own, branch, own_first)| {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let params: String = params.iter().map(|param| format!("\u{1};{param}")).collect();
            let (first, last) = if own_first { (own, "") } else { ("", own) };
            format!("SIP{slash}2.0{slash}UDP {host}{port}{first};branch={branch}{params}{last}")
        })
}

fn uri() -> impl Strategy<Value = String> {
    let user = "[a-z0-9+*#]{1,12}(;rn=\\+[0-9]{1,5})?(;npdi)?";
    prop_oneof![
        (user, host(), select(vec!["", ":5070"]), select(vec!["", ";lr", ";transport=udp;user=phone"]))
            .prop_map(|(user, host, port, params)| format!("sip:{user}@{host}{port}{params}")),
        "sips?:[a-z]{1,8}\\.example",
        "tel:\\+[0-9]{1,15}(;ext=[0-9]{1,3})?",
        "urn:service:[a-z]{1,8}",
    ]
}

fn address() -> impl Strategy<Value = String> {
    let display = prop_oneof![
        "",
        "[A-Za-z0-9.-]{1,8}( [a-z]{1,5})?\u{1}",
        "\"([ -!#-\\[\\]-~\u{e0}-\u{ff}]|\\\\[\\x00-\\x09\\x0b\\x0c\\x0e-\\x7f]){0,8}\"\u{1}?"
    ];
    let params =
        "(\u{1}?;\u{1}?[a-z]{1,2}(=[a-z0-9.]{1,4})?){0,2}(\u{1}?;\u{1}?tag\u{1}?=\u{1}?[a-z0-9]{1,9})?";
    // FOLD itself may come out of a quoted pair, so it is taken out there.
    (display, uri(), params)
        .prop_map(|(display, uri, params)| format!("{}<{uri}>{params}", display.replace("\\\u{1}", "\\x")))
}

fn other() -> impl Strategy<Value = Header> {
    let value = "([!-~\u{80}-\u{ff}][ -~\t\u{80}-\u{ff}]{0,30}[!-~])?";
    ("X-[A-Za-z0-9.!%*_+`'~-]{1,10}", select(vec!["", " ", " \t"]), select(vec!["", " ", "\t "]), value)
        .prop_map(|(name, before_colon, after_colon, value)| Header {
            name,
            before_colon,
            after_colon,
            value,
        })
}

pub(super) fn message() -> impl Strategy<Value = Message> {
    let names =
        Method::ALL.iter().map(|method| method.name()).filter(|name| *name != "ACK").collect::<Vec<_>>();
    let method = prop_oneof![
        select(names).prop_map(str::to_owned),
        "[A-Za-z0-9.!%*_+`'~-]{1,12}".prop_filter("an ACK has no answer", |name| name != "ACK")
    ];
    let via_line = vec(via(), 1..3).prop_map(|values| values.join("\u{1},\u{1}"));
    let call_id = "[a-zA-Z0-9.!%*_+`'~()<>:\\\\\"/\\[\\]?{}-]{1,20}(@[a-z.]{1,9})?";
    let style = (
        any::<bool>(),
        any::<bool>(),
        select(vec!["\r\n", "\n"]),
        select(vec![" ", "\t", "\r\n ", " \r\n\t ", "\n "]),
    );
    (
        (method, uri(), vec(via_line, 1..4), address(), address(), call_id),
        (0..=0x7fff_ffff_u32, vec(other(), 0..8), vec(any::<u8>(), 0..40), style, vec(any::<Index>(), 4)),
    )
        .prop_map(|((method, uri, vias, from, to, call_id), (sequence, others, body, style, order))| {
            let (has_length, compact, line_end, fold) = style;
            Message {
                method,
                uri,
                vias,
                from,
                to,
                call_id,
                sequence,
                others,
                body,
                has_length,
                compact,
                line_end,
                fold,
                order,
            }
        })
}

fn source() -> impl Strategy<Value = SocketAddr> {
    (
        prop_oneof![
            any::<[u8; 4]>().prop_map(Into::into),
            any::<[u16; 8]>().prop_map(|a| std::net::Ipv6Addr::from(a).into())
        ],
        1..=u16::MAX,
    )
        .prop_map(|(ip, port): (std::net::IpAddr, u16)| SocketAddr::new(ip, port))
}

/// Folding, tabs and spaces as one space.
fn joined(value: &str, fold: &str) -> String {
    value.replace(FOLD, if fold.contains('\n') { " " } else { fold })
}

fn answer(request: &Request<'_>, source: SocketAddr) -> Vec<u8> {
    let mut buffer = vec![0; crate::limits::ANSWER_BYTES_ROOM];
    let mut out = Writer::new(&mut buffer);
    write_head(&mut out, request, 400, b"Bad Request", source, b"t-1");
    let len = out.finish().expect("room for all that was sent");
    buffer.truncate(len);
    buffer
}

/// Every line is one of ours, no line begins or ends but where we made it, and a control byte stands
/// only in a quoted pair.
fn assert_safe(answer: &[u8]) {
    let text = answer.strip_suffix(b"\r\n").expect("the last line ends");
    let mut lines = text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    assert_eq!(lines.next(), Some(&b"SIP/2.0 400 Bad Request"[..]));
    for line in lines {
        let known: [&[u8]; 5] = [b"Via: ", b"From: ", b"To: ", b"Call-ID: ", b"CSeq: "];
        assert!(known.iter().any(|name| line.starts_with(name)), "{:?}", String::from_utf8_lossy(line));
        let mut escaped = false;
        for &byte in line {
            assert!(
                escaped && !matches!(byte, b'\r' | b'\n') || byte == b'\t' || !byte.is_ascii_control(),
                "{byte}"
            );
            escaped = byte == b'\\' && !escaped;
        }
    }
    let count = |byte| answer.iter().filter(|&&other| other == byte).count();
    assert_eq!(count(b'\n'), answer.windows(2).filter(|pair| *pair == b"\r\n").count());
}

fn survives(bytes: &[u8], source: SocketAddr) {
    let mut index = HeaderIndex::new();
    if let Parsed::Sound(request) | Parsed::Faulty(request, _) = parse(bytes, &mut index) {
        assert_safe(&answer(&request, source));
        assert_eq!(reply_address(request.top_via(), source).ip(), source.ip());
        let _ =
            (request.to().tag(), request.from().parsed_uri(), request.request_uri().user_params().count());
        for name in [HeaderName::Contact, HeaderName::Route, HeaderName::Other] {
            let _ = request.values(name).flat_map(list_values).map(NameAddr::parse).count();
        }
        assert!(same_uri(request.request_uri(), request.request_uri()));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(message in message(), blank in select(vec!["", "\r\n", "\n\r\n"])) {
        let bytes = [blank.as_bytes(), &message.write()].concat();
        let mut index = HeaderIndex::new();
        let request = match parse(&bytes, &mut index) {
            Parsed::Sound(request) => request,
            other => return Err(TestCaseError::fail(format!("{other:?} {:?}", String::from_utf8_lossy(&bytes)))),
        };
        let folded = |value: &str| value.replace(FOLD, message.fold).into_bytes();
        prop_assert_eq!(request.method_token(), message.method.as_bytes());
        prop_assert_eq!(request.request_uri_bytes(), message.uri.as_bytes());
        prop_assert_eq!(Uri::parse(message.uri.as_bytes()), Some(*request.request_uri()));
        let (from, to) = (folded(&message.from), folded(&message.to));
        prop_assert_eq!(NameAddr::parse(&from), Some(request.from()));
        prop_assert_eq!(NameAddr::parse(&to), Some(request.to()));
        prop_assert_eq!(request.call_id(), message.call_id.as_bytes());
        prop_assert_eq!(request.cseq(), folded(&format!("{}{FOLD}{}", message.sequence, message.method)));
        prop_assert_eq!(request.body(), &message.body[..]);
        let vias: Vec<_> = message.vias.iter().map(|via| folded(via)).collect();
        prop_assert!(request.values(HeaderName::Via).eq(vias.iter().map(Vec::as_slice)));
        for other in &message.others {
            let named = |header: &&Header| header.name.eq_ignore_ascii_case(&other.name);
            let expected = message.others.iter().filter(named).map(|header| header.value.as_bytes());
            prop_assert!(request.values_named(other.name.to_uppercase().as_bytes()).eq(expected));
        }
    }

    #[test]
    fn what_is_read_is_echoed(message in message(), source in source()) {
        let bytes = message.write();
        let mut index = HeaderIndex::new();
        let Parsed::Sound(request) = parse(&bytes, &mut index) else { panic!("{message:?}") };
        let answer = answer(&request, source);
        assert_safe(&answer);
        let answer = String::from_utf8(answer).expect("UTF-8 in, UTF-8 out");
        let mut lines = answer.split("\r\n").skip(2);
        for via in &message.vias[1..] {
            let expected = format!("Via: {}", joined(via, message.fold));
            prop_assert_eq!(lines.next(), Some(expected.as_str()));
        }
        let from = format!("From: {}", joined(&message.from, message.fold));
        prop_assert_eq!(lines.next(), Some(from.as_str()));
        let tag = if request.to().tag().is_some() { "" } else { ";tag=t-1" };
        let to = format!("To: {}{tag}", joined(&message.to, message.fold));
        prop_assert_eq!(lines.next(), Some(to.as_str()));
        let call_id = format!("Call-ID: {}", message.call_id);
        prop_assert_eq!(lines.next(), Some(call_id.as_str()));
        let cseq = format!("CSeq: {}{}", message.sequence, joined(&format!("{FOLD}{}", message.method), message.fold));
        prop_assert_eq!(lines.next(), Some(cseq.as_str()));
        prop_assert_eq!(lines.collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn the_top_via_says_where_the_request_came_from(message in message(), source in source()) {
        let bytes = message.write();
        let mut index = HeaderIndex::new();
        let Parsed::Sound(request) = parse(&bytes, &mut index) else { panic!("{message:?}") };
        let sent = request.top_via();
        let answer = String::from_utf8(answer(&request, source)).expect("UTF-8 in, UTF-8 out");
        let line = answer.split("\r\n").nth(1).and_then(|line| line.strip_prefix("Via: ")).expect("a Via");
        let value = list_values(line.as_bytes()).next().expect("a value");
        let value = std::str::from_utf8(value).expect("UTF-8");
        let ip = source.ip().to_canonical();
        let same_host = std::str::from_utf8(sent.host).is_ok_and(|host| host.trim_matches(['[', ']']).parse() == Ok(ip));
        let received = value.matches(&format!(";received={ip}")).count();
        prop_assert_eq!(value.matches("received=").count(), received);
        prop_assert_eq!(received, usize::from(sent.rport.is_some() || !same_host));
        prop_assert_eq!(value.matches("rport").count(), usize::from(sent.rport.is_some()));
        prop_assert_eq!(value.contains(&format!(";rport={}", source.port())), sent.rport.is_some());
        let branch = std::str::from_utf8(sent.branch.expect("a branch")).expect("ASCII");
        let branch = format!(";branch={branch}");
        prop_assert!(value.contains(&branch));
        let port = if sent.rport.is_some() { source.port() } else { sent.port.unwrap_or(5060) };
        prop_assert_eq!(reply_address(sent, source), SocketAddr::new(source.ip(), port));
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..600), source in source()) {
        survives(&bytes, source);
    }

    #[test]
    fn bytes_that_look_like_sip_are_survived(
        pieces in vec(select(vec![
            "\r\n", "\n", "\r", "Via: ", "v:", "To:", "From :", "Call-ID: ", "CSeq: 1 ", "INVITE ", "sip:a@b ", "SIP/2.0",
            "/UDP h", ";", "=", "\"", "\\", "<", ">", ",", " ", "\t", "\0", ":", "l: 9", "tag=", "branch=z9hG4bK", "[::1]",
        ]), 0..60),
        source in source(),
    ) {
        let start = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n";
        survives(pieces.concat().as_bytes(), source);
        survives((start.to_owned() + &pieces.concat()).as_bytes(), source);
    }

    #[test]
    fn mangled_messages_are_survived(
        message in message(),
        edits in vec((any::<Index>(), prop_oneof![any::<u8>(), select(b"\0\r\n\t \"\\<>,;:@?%[]=".to_vec())], 0..4_u8), 1..8),
        cut in any::<Index>(),
        source in source(),
    ) {
        let mut bytes = message.write();
        survives(&bytes[..cut.index(bytes.len() + 1)], source);
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if bytes.len() > 1 => { bytes.remove(at); }
                _ => bytes.extend_from_within(at..),
            }
        }
        survives(&bytes, source);
    }
}
