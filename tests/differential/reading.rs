//! One message as each of two parsers reads it, in the same words.

use bytes::Bytes;
use ezk_sip_types::{
    Headers, Name,
    header::typed::{CSeq, CallID, ContentLength, FromTo, Via},
    host::{Host, HostPort},
    msg::{Line, MessageLine, PullParser},
    parse::Parse as _,
    uri::SipUri,
};
use waypost::sip::{HeaderIndex, HeaderName, Parsed, Request, Scheme, Uri, decoded, list_values, parse};

/// What both must find. Hosts are in lower case, addresses in their shortest form, users decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) vias: usize,
    pub(crate) transport: String,
    pub(crate) sent_by: String,
    pub(crate) branch: Option<String>,
    pub(crate) from_tag: Option<String>,
    pub(crate) to_tag: Option<String>,
    pub(crate) call_id: String,
    pub(crate) cseq: String,
    pub(crate) body: usize,
}

/// Ours; the label of the fault when it is refused.
pub(crate) fn ours(bytes: &[u8]) -> Result<Reading, &'static str> {
    let mut index = HeaderIndex::new();
    match parse(bytes, &mut index) {
        Parsed::Sound(request) => Ok(of_request(&request)),
        Parsed::Faulty(_, fault) => Err(fault.label()),
        Parsed::Unanswerable(why) => Err(why.label()),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn of_request(request: &Request<'_>) -> Reading {
    let via = request.top_via();
    let cseq = text(request.cseq());
    let (number, method) = cseq.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or_default();
    Reading {
        method: text(request.method_token()),
        uri: of_uri(request.request_uri(), request.request_uri_bytes()),
        vias: request.values(HeaderName::Via).flat_map(list_values).count(),
        transport: text(via.transport),
        sent_by: host_port(&text(via.host), via.port),
        branch: via.branch.map(text),
        from_tag: request.from().tag().map(text),
        to_tag: request.to().tag().map(text),
        call_id: text(request.call_id()),
        cseq: format!("{} {}", number.trim_start_matches('0'), method.trim()),
        body: request.body().len(),
    }
}

fn of_uri(uri: &Uri<'_>, whole: &[u8]) -> String {
    let scheme = match uri.scheme {
        Scheme::Sip => "sip",
        Scheme::Sips => "sips",
        Scheme::Tel | Scheme::Other => return text(whole),
    };
    let user = uri.user.map(|user| text(&decoded(user).collect::<Vec<_>>()));
    let host = host_port(&text(uri.host), uri.port);
    format!("{scheme} {user:?} {host} {:?}", uri.param(b"transport").flatten().map(text))
}

fn host_port(host: &str, port: Option<u16>) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = bare.parse().map_or_else(|_| host.to_lowercase(), |ip: std::net::IpAddr| ip.to_string());
    format!("{host} {port:?}")
}

/// The other's; the part that it cannot read when it refuses.
pub(crate) fn theirs(bytes: &[u8]) -> Result<Reading, &'static str> {
    let source = Bytes::copy_from_slice(bytes);
    let mut lines = PullParser::new(&source, 0);
    let (mut first, mut headers) = (None, Headers::new());
    for line in &mut lines {
        let line = line.map_err(|_| "incomplete")?;
        let line = std::str::from_utf8(line).map_err(|_| "utf-8")?;
        if first.is_none() {
            first = Some(MessageLine::parse(&source)(line).map_err(|_| "start line")?.1);
        } else {
            let (_, Line { name, value }) = Line::parse(&source, line).map_err(|_| "header line")?;
            headers.insert(name, value);
        }
    }
    let Some(MessageLine::Request(first)) = first else { return Err("no request") };
    let via: Via = headers.get_named().map_err(|_| "Via")?;
    let vias: Vec<Via> = headers.get_named().map_err(|_| "Via")?;
    let from: FromTo = headers.get(Name::FROM).map_err(|_| "From")?;
    let to: FromTo = headers.get(Name::TO).map_err(|_| "To")?;
    let call_id: CallID = headers.get_named().map_err(|_| "Call-ID")?;
    let cseq: CSeq = headers.get_named().map_err(|_| "CSeq")?;
    let rest = bytes.len() - lines.head_end();
    let body = match headers.try_get_named::<ContentLength>() {
        None => rest,
        Some(length) => length.map_err(|_| "Content-Length")?.0,
    };
    if body > rest {
        return Err("body");
    }
    Ok(Reading {
        method: first.method.to_string(),
        uri: their_uri(&first.uri),
        vias: vias.len(),
        transport: via.transport.to_string(),
        sent_by: their_host_port(&via.sent_by),
        branch: via.params.get_val("branch").map(ToString::to_string),
        from_tag: from.tag.map(|tag| tag.to_string()),
        to_tag: to.tag.map(|tag| tag.to_string()),
        call_id: call_id.0.to_string(),
        cseq: format!(
            "{} {}",
            if cseq.cseq == 0 { String::new() } else { cseq.cseq.to_string() },
            cseq.method
        ),
        body,
    })
}

fn their_uri(uri: &SipUri) -> String {
    // Its type for the user part has no name outside of the crate, so it is taken from what it prints.
    let printed = format!("{uri:?}");
    let userinfo =
        printed.split_once(':').and_then(|(_, rest)| rest.split_once('@')).map(|(userinfo, _)| userinfo);
    let user = userinfo.map(|userinfo| userinfo.split(':').next().unwrap_or_default());
    let user = user.map(|user| text(&decoded(user.as_bytes()).collect::<Vec<_>>()));
    let transport = uri.uri_params.get_val("transport").map(ToString::to_string);
    let scheme = if uri.sips { "sips" } else { "sip" };
    format!("{scheme} {user:?} {} {transport:?}", their_host_port(&uri.host_port))
}

fn their_host_port(host_port: &HostPort) -> String {
    let host = match &host_port.host {
        Host::IP6(ip) => ip.to_string(),
        Host::IP4(ip) => ip.to_string(),
        Host::Name(name) => name.to_lowercase(),
    };
    format!("{host} {:?}", host_port.port)
}
