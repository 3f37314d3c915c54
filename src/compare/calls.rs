//! Pure. Lists of calls: a line becomes a [`Written`] call, and that a request.
//!
//! In:    lines of numbers and URIs, or of CSV under a line that names its columns.
//! Out:   the INVITE that `waypost explain` makes of the same number, with a Call-ID of its own.
//! Never: lets a byte through that would end a line of the request early.

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    str::FromStr as _,
};

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// CSV when the first line reads as the names of columns.
    #[default]
    Auto,
    /// A number or URI to a line.
    Numbers,
    /// The first line names the columns.
    Csv,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The columns: nothing that follows can be read.
    #[error("{0}")]
    Columns(String),
    /// This line is no call.
    #[error("{0}")]
    NoCall(String),
}

/// A call as a list has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// A SIP token.
    pub method: String,
    /// The Request-URI.
    pub uri: String,
    /// The value of From, without tag.
    pub from: Option<String>,
    /// Who sends it.
    pub source: Option<SocketAddr>,
}

/// Reads a list, line by line.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    format: Format,
    columns: Vec<Column>,
    call: Written,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Target,
    From,
    Source,
    Host,
    Method,
}

/// Columns by the names that they may have.
const COLUMNS: &[(&str, Column)] = &[
    ("number", Column::Target),
    ("uri", Column::Target),
    ("from", Column::From),
    ("source", Column::Source),
    ("domain", Column::Host),
    ("host", Column::Host),
    ("method", Column::Method),
];

/// The host of a bare number, as `waypost explain` has it.
const NUMBER_HOST: &str = "localhost";

/// RFC 3261 §19.1.2: the port of sip: over UDP and TCP.
const SIP_PORT: u16 = 5060;

impl Lines {
    /// Nothing read yet.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, ..Self::default() }
    }

    /// Reads the next line, without its line end; `None` for one that says nothing.
    pub fn read(&mut self, line: &[u8]) -> Result<Option<&Written>, LineFault> {
        let Ok(text) = std::str::from_utf8(line) else {
            return Err(LineFault::NoCall("is not UTF-8 text".to_owned()));
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        if self.format == Format::Auto {
            self.format = if looks_like_columns(text) { Format::Csv } else { Format::Numbers };
        }
        if self.format == Format::Csv && self.columns.is_empty() {
            self.columns = columns(text).map_err(LineFault::Columns)?;
            return Ok(None);
        }
        let read = if self.format == Format::Csv { self.row(text) } else { self.number(text) };
        read.map_err(LineFault::NoCall)?;
        Ok(Some(&self.call))
    }

    /// A target and nothing else; a remark may follow it.
    fn number(&mut self, text: &str) -> Result<(), String> {
        let text = text
            .split_once([' ', '\t'])
            .map_or(text, |(target, rest)| if rest.trim_start().starts_with('#') { target } else { text });
        self.call.start();
        target(text, None, &mut self.call.uri)
    }

    fn row(&mut self, text: &str) -> Result<(), String> {
        let fields = fields(text)?;
        if fields.len() != self.columns.len() {
            return Err(format!("has {} fields, expected {}", fields.len(), self.columns.len()));
        }
        let value = |wanted: Column| {
            let of_column = self.columns.iter().zip(&fields).find(|(column, _)| **column == wanted);
            of_column.map(|(_, field)| field.trim()).filter(|field| !field.is_empty())
        };
        let call = &mut self.call;
        call.start();
        target(value(Column::Target).unwrap_or_default(), value(Column::Host), &mut call.uri)?;
        call.from = value(Column::From).map(from).transpose()?;
        call.source = value(Column::Source).map(source).transpose()?;
        if let Some(method) = value(Column::Method) {
            if !is_token(method) {
                return Err(format!("\"{method}\" is not a method"));
            }
            call.method.clear();
            call.method.push_str(method);
        }
        Ok(())
    }
}

impl Written {
    fn start(&mut self) {
        self.method.clear();
        self.method.push_str("INVITE");
        self.uri.clear();
        self.from = None;
        self.source = None;
    }

    /// The request: that of `waypost explain URI --call-id NUMBER.diff@waypost`. Each call draws for itself
    /// among the members of a weighted group, and the same ones whenever it is read from the same line.
    pub fn request(&self, number: u64, source: SocketAddr, transport: &str, out: &mut String) {
        let Self { method, uri, from, .. } = self;
        out.clear();
        // Writing to a String does not fail.
        let _ = write!(
            out,
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {source};branch=z9hG4bKexplain;rport\r\n\
             Max-Forwards: 70\r\n"
        );
        let _ = match from {
            Some(from) => write!(out, "From: {from};tag=explain\r\n"),
            None => write!(out, "From: <sip:waypost@{source}>;tag=explain\r\n"),
        };
        let _ = write!(out, "To: <{uri}>\r\nCall-ID: {number}.diff@waypost\r\nCSeq: 1 {method}\r\n");
        if method == "INVITE" {
            let family = if source.is_ipv6() { "IP6" } else { "IP4" };
            let ip = source.ip();
            let sdp = format!(
                "v=0\r\no=waypost 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
                 m=audio 49170 RTP/AVP 8 0\r\n"
            );
            let _ = write!(
                out,
                "Contact: <sip:waypost@{source}>\r\nContent-Type: application/sdp\r\n\
                 Content-Length: {}\r\n\r\n{sdp}",
                sdp.len()
            );
        } else {
            out.push_str("Content-Length: 0\r\n\r\n");
        }
    }
}

fn looks_like_columns(text: &str) -> bool {
    if has_scheme(text) {
        return false;
    }
    let is_known = |name: &str| COLUMNS.iter().any(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    text.contains(',') || is_known(text)
}

fn columns(text: &str) -> Result<Vec<Column>, String> {
    let known = || COLUMNS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let mut columns = Vec::new();
    for field in fields(text)? {
        let name = field.trim();
        let found = COLUMNS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((_, column)) = found else {
            return Err(format!("unknown column `{name}`; expected some of {}", known()));
        };
        if columns.contains(column) {
            return Err(format!("column `{name}` says what another one says already"));
        }
        columns.push(*column);
    }
    if columns.contains(&Column::Target) {
        Ok(columns)
    } else {
        Err(format!("no column `number` or `uri`; known columns are {}", known()))
    }
}

/// The fields of one line (RFC 4180 §2; no field goes over a line end).
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let mut field = String::new();
        if let Some(mut quoted) = rest.trim_start().strip_prefix('"') {
            loop {
                let (piece, after) = quoted.split_once('"').ok_or("a quote is not closed")?;
                field.push_str(piece);
                // RFC 4180 §2.7: two quotes stand for one.
                let Some(more) = after.strip_prefix('"') else {
                    rest = after.trim_start();
                    break;
                };
                field.push('"');
                quoted = more;
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (plain, after) = rest.split_at(end);
            field.push_str(plain);
            rest = after;
        }
        fields.push(field);
        if rest.is_empty() {
            return Ok(fields);
        }
        rest = rest.strip_prefix(',').ok_or("something follows a closing quote")?;
    }
}

/// Appends the Request-URI of what is called.
fn target(text: &str, host: Option<&str>, out: &mut String) -> Result<(), String> {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte));
    if text.is_empty() {
        return Err("says no number or URI".to_owned());
    }
    if !is_word(text) || !host.is_none_or(is_word) {
        return Err("has a byte that no URI may have".to_owned());
    }
    if has_scheme(text) {
        out.push_str(text);
    } else if text.contains('@') {
        out.push_str("sip:");
        out.push_str(text);
    } else if is_number(text) || host.is_some() {
        out.push_str("sip:");
        // RFC 3261 §25.1: # may stand in no URI.
        for (index, piece) in text.split('#').enumerate() {
            out.push_str(if index > 0 { "%23" } else { "" });
            out.push_str(piece);
        }
        out.push('@');
        out.push_str(host.unwrap_or(NUMBER_HOST));
    } else {
        return Err(format!("\"{text}\" is neither a number nor a URI"));
    }
    Ok(())
}

/// The value of From.
fn from(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("from has a control character".to_owned());
    }
    if text.contains('<') {
        let (_, params) = text.rsplit_once('>').ok_or("from has < without >")?;
        // A second tag would make a broken request of a sound one.
        return match params.to_ascii_lowercase().contains("tag=") {
            true => Err("from has a tag".to_owned()),
            false => Ok(text.to_owned()),
        };
    }
    let mut value = String::from("<");
    target(text, None, &mut value).map_err(|why| format!("from: {why}"))?;
    value.push('>');
    Ok(value)
}

/// `IP`, `IP:PORT`, `[IP6]:PORT`.
fn source(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    IpAddr::from_str(bare)
        .map(|ip| SocketAddr::new(ip, SIP_PORT))
        .or_else(|_| text.parse())
        .map_err(|_| format!("source \"{text}\" is not an IP address"))
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        ["sip", "sips", "tel", "urn"].iter().any(|known| known.eq_ignore_ascii_case(scheme))
    })
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit() || b"*#-.()".contains(&byte))
        && digits.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Request-URIs of a list, or what is wrong with a line.
    fn uris(format: Format, list: &str) -> Vec<String> {
        let mut lines = Lines::new(format);
        list.split('\n')
            .filter_map(|line| match lines.read(line.as_bytes()) {
                Ok(call) => call.map(|call| call.uri.clone()),
                Err(fault) => Some(format!("! {fault}")),
            })
            .collect()
    }

    #[test]
    fn numbers_and_uris_stand_one_to_a_line() {
        let list = "\u{feff}# remark\n+442079460123\n\n 999 # police\r\n*21#\nsip:a,b@example.com\ntel:+44\na@b\nbob\nx y\n";
        assert_eq!(
            uris(Format::Auto, list),
            [
                "sip:+442079460123@localhost",
                "sip:999@localhost",
                "sip:*21%23@localhost",
                "sip:a,b@example.com",
                "tel:+44",
                "sip:a@b",
                "! \"bob\" is neither a number nor a URI",
                "! has a byte that no URI may have",
            ]
        );
    }

    #[test]
    fn csv_has_the_columns_that_are_there() {
        let mut lines = Lines::new(Format::Auto);
        assert_eq!(lines.read(b"Number, From,source,domain,method\r"), Ok(None));
        let row = b"+4420,\"\"\"A, B\"\" <sip:a@b>\",[2001:db8::7]:5070,example.com,MESSAGE";
        let expected = Written {
            method: "MESSAGE".into(),
            uri: "sip:+4420@example.com".into(),
            from: Some("\"A, B\" <sip:a@b>".into()),
            source: Some("[2001:db8::7]:5070".parse().unwrap()),
        };
        assert_eq!(lines.read(row), Ok(Some(&expected)));
        let expected = Written { method: "INVITE".into(), uri: "tel:+4420".into(), ..Written::default() };
        assert_eq!(lines.read(b"tel:+4420,,,,"), Ok(Some(&expected)), "nothing is left of the line before");
        let expected =
            Written { uri: "sip:bob@h".into(), from: Some("<sip:1@localhost>".into()), ..expected };
        assert_eq!(lines.read(b"bob,1,,h,"), Ok(Some(&expected)));
    }

    #[test]
    fn what_is_no_call_is_said() {
        let faults = uris(
            Format::Csv,
            "uri,from,source,host,method\na@b,,\n,,,,\n1,,host,,\n1,,,,a b\n1,<a,,,\n1,<sip:a@b>;tag=x,,,\n\"1,,,,\n\"1\"2,,,,\n1,,,h>,",
        );
        assert_eq!(
            faults,
            [
                "! has 3 fields, expected 5",
                "! says no number or URI",
                "! source \"host\" is not an IP address",
                "! \"a b\" is not a method",
                "! from has < without >",
                "! from has a tag",
                "! a quote is not closed",
                "! something follows a closing quote",
                "! has a byte that no URI may have",
            ]
        );
        assert_eq!(
            Lines::new(Format::Auto).read(b"\xff"),
            Err(LineFault::NoCall("is not UTF-8 text".into()))
        );
    }

    #[test]
    fn columns_that_are_not_known_are_told_with_those_that_are() {
        let known = "number, uri, from, source, domain, host, method";
        for (list, fault) in [
            ("number,cost", format!("unknown column `cost`; expected some of {known}")),
            ("host,domain", "column `domain` says what another one says already".into()),
            ("from,", format!("unknown column ``; expected some of {known}")),
            ("host", format!("no column `number` or `uri`; known columns are {known}")),
        ] {
            assert_eq!(Lines::new(Format::Auto).read(list.as_bytes()), Err(LineFault::Columns(fault)));
        }
        assert_eq!(uris(Format::Auto, "number\n1"), ["sip:1@localhost"]);
        assert_eq!(
            uris(Format::Numbers, "number\n1"),
            ["! \"number\" is neither a number nor a URI", "sip:1@localhost"]
        );
    }
}
