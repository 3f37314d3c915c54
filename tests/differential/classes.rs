//! The class of each disagreement, by what stands in the message. One that fits none is an error.

use waypost::sip::NameAddr;

use super::reading::Reading;

type Read = Result<Reading, &'static str>;
type Class = Result<&'static str, String>;

/// The classes of all that two readings disagree about.
pub(crate) fn of(bytes: &[u8], ours: &Read, theirs: &Read) -> Vec<Class> {
    match (ours, theirs) {
        (Err(_), Err(_)) => Vec::new(),
        (Err(fault), Ok(_)) => vec![refused_by_us(fault)],
        (Ok(ours), Err(part)) => vec![refused_by_them(bytes, ours, part)],
        (Ok(ours), Ok(theirs)) => differences(ours, theirs),
    }
}

/// Faults that the other does not look for. Any other is a disagreement without a name.
fn refused_by_us(fault: &str) -> Class {
    const CLASSES: &[&str] = &[
        "bad_branch",
        "bad_call_id",
        "bad_cseq",
        "bad_from",
        "bad_header_line",
        "bad_max_forwards",
        "bad_request_line",
        "bad_request_uri",
        "bad_to",
        "bad_version",
        "bad_via",
        "content_length_conflict",
        "control_byte",
        "cseq_method_mismatch",
        "unknown_method_mismatch",
        "duplicate_call_id",
        "duplicate_cseq",
        "duplicate_from",
        "duplicate_to",
        "no_via",
        "not_sip",
        "request_uri_headers",
    ];
    let class = CLASSES.iter().find(|class| **class == fault);
    class.copied().ok_or_else(|| format!("we refuse: {fault}"))
}

fn refused_by_them(bytes: &[u8], ours: &Reading, part: &str) -> Class {
    let text = String::from_utf8_lossy(bytes);
    let lower = text.to_ascii_lowercase();
    let line = |names: [&str; 2]| {
        let mut lines = lower.split("\n").peekable();
        // With its folded lines.
        let mut found = None;
        while let Some(line) = lines.next() {
            let is_it = line.split_once(':').is_some_and(|(name, _)| names.contains(&name.trim()));
            if is_it && found.is_none() {
                let mut whole = line.to_owned();
                while let Some(more) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
                    whole.push_str(more);
                }
                found = Some(whole);
            }
        }
        found.unwrap_or_default()
    };
    match part {
        "utf-8" => Ok("not_utf8"),
        "incomplete" => Ok("line_end"),
        "start line" => in_uri(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default())
            .ok_or_else(|| format!("they refuse the start line: {}", ours.uri)),
        "From" => in_address(&line(["from", "f"]))
            .ok_or_else(|| format!("they refuse From: {}", line(["from", "f"]))),
        "To" => {
            in_address(&line(["to", "t"])).ok_or_else(|| format!("they refuse To: {}", line(["to", "t"])))
        }
        "Via" if !is_of_version_2(&line(["via", "v"])) => Ok("via_version"),
        _ => Err(format!("they refuse: {part}")),
    }
}

/// Whether a Via line begins with `SIP/2.0/`, spaces or not.
fn is_of_version_2(line: &str) -> bool {
    let value = line.split_once(':').map_or("", |(_, value)| value);
    let value: String = value.chars().filter(|c| !c.is_ascii_whitespace()).take(8).collect();
    value == "sip/2.0/"
}

/// What of a URI is more than the other can read.
fn in_uri(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find("sip:").or_else(|| lower.find("sips:"));
    let Some(at) = at else { return Some("other_scheme") };
    let uri = &lower[at..];
    let host = uri.rsplit_once('@').map_or(uri, |(_, host)| host);
    match () {
        () if uri.contains('#') => Some("hash_in_user"),
        () if host.contains('_') => Some("underscore_in_host"),
        () if has_odd_labels(host) => Some("host_labels"),
        () if has_odd_params(host) => Some("uri_params"),
        () => None,
    }
}

/// Whether a label of the host is empty, or has a hyphen at an end.
fn has_odd_labels(host: &str) -> bool {
    let host = host.trim_start_matches("sips:").trim_start_matches("sip:");
    let end = host.find([' ', '>', '?', ';', ':']).unwrap_or(host.len());
    let labels = host[..end].trim_end_matches('.').split('.');
    labels.into_iter().any(|label| label.is_empty() || label.starts_with('-') || label.ends_with('-'))
}

/// Whether a parameter is not `name` or `name=value`.
fn has_odd_params(host: &str) -> bool {
    let end = host.find([' ', '>', '?']).unwrap_or(host.len());
    host[..end].split(';').skip(1).any(|param| {
        let (name, value) = param.split_once('=').unwrap_or((param, "-"));
        name.is_empty() || value.is_empty() || value.contains('=')
    })
}

/// The same of a From or To.
fn in_address(line: &str) -> Option<&'static str> {
    let display = line.rsplit_once('<').map_or("", |(display, _)| display);
    match () {
        () if display.contains('\\') => Some("quoted_pair"),
        () if display.contains("\"\"") => Some("empty_display"),
        () if is_unread(line) => Some("address_uri"),
        () => in_uri(line),
    }
}

/// Whether the address has a sip: URI that we cannot read either: nobody asks for its parts.
fn is_unread(line: &str) -> bool {
    let value = line.split_once(':').map_or("", |(_, value)| value);
    let read = NameAddr::parse(value.as_bytes());
    read.is_some_and(|address| address.parsed_uri().is_none())
}

fn differences(ours: &Reading, theirs: &Reading) -> Vec<Class> {
    let mut found = Vec::new();
    let mut note = |differs: bool, class: Class| {
        if differs {
            found.push(class);
        }
    };
    note(ours.method != theirs.method, method(&ours.method, &theirs.method));
    note(ours.uri != theirs.uri, Err(format!("Request-URI {:?} or {:?}", ours.uri, theirs.uri)));
    note(
        ours.vias != theirs.vias,
        if ours.vias > theirs.vias { Ok("via_list_stops") } else { Err("Vias".to_owned()) },
    );
    note(
        ours.transport != theirs.transport,
        Err(format!("transport {:?} or {:?}", ours.transport, theirs.transport)),
    );
    let sent_by_stops = ours.sent_by != theirs.sent_by;
    note(sent_by_stops, sent_by(&ours.sent_by, &theirs.sent_by));
    // What stands behind a sent-by that they cannot read to its end is not there for them.
    let branch_is_behind = sent_by_stops && theirs.branch.is_none();
    note(ours.branch != theirs.branch && !branch_is_behind, param(&ours.branch, &theirs.branch));
    note(ours.from_tag != theirs.from_tag, param(&ours.from_tag, &theirs.from_tag));
    note(ours.to_tag != theirs.to_tag, param(&ours.to_tag, &theirs.to_tag));
    note(ours.call_id != theirs.call_id, Err(format!("Call-ID {:?} or {:?}", ours.call_id, theirs.call_id)));
    let cseq =
        |cseq: &str| cseq.split_once(' ').map(|(number, method)| (number.to_owned(), method.to_owned()));
    let (our_cseq, their_cseq) =
        (cseq(&ours.cseq).unwrap_or_default(), cseq(&theirs.cseq).unwrap_or_default());
    note(our_cseq.0 != their_cseq.0, Err(format!("CSeq {:?} or {:?}", ours.cseq, theirs.cseq)));
    note(our_cseq.1 != their_cseq.1, method(&our_cseq.1, &their_cseq.1));
    note(ours.body != theirs.body, Err(format!("body {} or {}", ours.body, theirs.body)));
    found
}

fn method(ours: &str, theirs: &str) -> Class {
    if ours.eq_ignore_ascii_case(theirs) {
        return Ok("method_case");
    }
    let is_prefix = ours.get(..theirs.len()).is_some_and(|start| start.eq_ignore_ascii_case(theirs));
    if is_prefix { Ok("method_prefix") } else { Err(format!("method {ours:?} or {theirs:?}")) }
}

fn sent_by(ours: &str, theirs: &str) -> Class {
    let split = |text: &str| {
        text.split_once(' ').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap_or_default()
    };
    let ((our_host, our_port), (their_host, their_port)) = (split(ours), split(theirs));
    match () {
        () if our_host == their_host && their_port == "None" && our_port != "None" => Ok("sent_by_spaces"),
        () if our_host.starts_with(&format!("{their_host}_")) => Ok("underscore_in_host"),
        () => Err(format!("sent-by {ours:?} or {theirs:?}")),
    }
}

fn param(ours: &Option<String>, theirs: &Option<String>) -> Class {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if *ours == format!("\"{theirs}\"") => Ok("param_quoted"),
        (Some(ours), Some(theirs))
            if ours.strip_prefix(theirs.as_str()).is_some_and(|rest| !rest.starts_with(is_token)) =>
        {
            Ok("param_not_token")
        }
        (Some(ours), Some(theirs)) if ours.contains('%') && ours.len() > theirs.len() => Ok("param_percent"),
        (Some(_), None) => Ok("param_name"),
        _ => Err(format!("parameter {ours:?} or {theirs:?}")),
    }
}
