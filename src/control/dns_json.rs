//! Outside. Answers of DNS as JSON, and back: what `GET /dns/cache` says and `explain --live` reads.
//!
//! Bytes that strangers chose are written as zone files write them (RFC 1035 §5.1): `\\` for a backslash,
//! `\DDD` for what is not printable ASCII.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::dns::{Answer, Failure, Kind, Naptr, Nothing, Record, Srv};

/// Record types by their names.
const KINDS: [(Kind, &str); 4] =
    [(Kind::Naptr, "NAPTR"), (Kind::Srv, "SRV"), (Kind::A, "A"), (Kind::Aaaa, "AAAA")];
/// Failures by the names that the metrics have for them.
const FAILURES: [(Failure, &str); 6] = [
    (Failure::Timeout, "timeout"),
    (Failure::Refused, "refused"),
    (Failure::ServFail, "servfail"),
    (Failure::Lame, "lame"),
    (Failure::Malformed, "malformed"),
    (Failure::Overflow, "overflow"),
];

/// The name of a record type.
#[must_use]
pub fn kind_name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("?", |(_, name)| name)
}

/// The record type of a name, in any case.
#[must_use]
pub fn kind_of(name: &str) -> Option<Kind> {
    KINDS.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(kind, _)| *kind)
}

/// What an answer came to, in the words of the metrics.
#[must_use]
pub fn result_name(answer: &Answer) -> &'static str {
    match answer {
        Answer::Found { .. } => "found",
        Answer::Nothing { why: Nothing::NxDomain, .. } => "nxdomain",
        Answer::Nothing { why: Nothing::NoData, .. } => "nodata",
        Answer::Failed(failure) => {
            FAILURES.iter().find(|(known, _)| known == failure).map_or("?", |(_, name)| name)
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DnsAnswer")]
pub struct AnswerTold {
    /// `found`, `nxdomain`, `nodata`, or why the servers did not say: `timeout`, `refused`, `servfail`, `lame`,
    /// `malformed`, `overflow`.
    result: &'static str,
    /// The TTL that it came with; a failure has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_s: Option<u32>,
    /// With the fields of their type (RFC 1035, RFC 2782, RFC 3403), texts as zone files have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<Value>>,
}

impl AnswerTold {
    /// An answer in this form.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let result = result_name(answer);
        match answer {
            Answer::Found { records, ttl_s } => {
                let records = Some(records.iter().map(record_to_json).collect());
                Self { result, ttl_s: Some(*ttl_s), records }
            }
            Answer::Nothing { ttl_s, .. } => Self { result, ttl_s: Some(*ttl_s), records: None },
            Answer::Failed(_) => Self { result, ttl_s: None, records: None },
        }
    }
}

/// [`AnswerTold`] as a value.
#[must_use]
pub fn to_json(answer: &Answer) -> Value {
    json!(AnswerTold::of(answer))
}

/// One record.
#[must_use]
pub fn record_to_json(record: &Record) -> Value {
    match record {
        Record::Naptr(Naptr { order, preference, flags, services, regexp, replacement }) => json!({
            "order": order, "preference": preference, "flags": zone_text(flags),
            "services": zone_text(services), "regexp": zone_text(regexp), "replacement": replacement,
        }),
        Record::Srv(Srv { priority, weight, port, target }) => {
            json!({ "priority": priority, "weight": weight, "port": port, "target": target })
        }
        Record::A(address) => json!({ "address": address.to_string() }),
        Record::Aaaa(address) => json!({ "address": address.to_string() }),
    }
}

/// An answer about records of one type; `None` when it is none.
#[must_use]
pub fn from_json(value: &Value, kind: Kind) -> Option<Answer> {
    let ttl_s = || value.get("ttl_s")?.as_u64().and_then(|ttl_s| u32::try_from(ttl_s).ok());
    match value.get("result")?.as_str()? {
        "found" => {
            let records = value.get("records")?.as_array()?;
            let records = records.iter().map(|record| record_of_json(record, kind)).collect::<Option<_>>()?;
            Some(Answer::Found { records, ttl_s: ttl_s()? })
        }
        "nxdomain" => Some(Answer::Nothing { why: Nothing::NxDomain, ttl_s: ttl_s()? }),
        "nodata" => Some(Answer::Nothing { why: Nothing::NoData, ttl_s: ttl_s()? }),
        failed => {
            FAILURES.iter().find(|(_, name)| *name == failed).map(|(failure, _)| Answer::Failed(*failure))
        }
    }
}

/// Bytes as zone files write them.
#[must_use]
pub fn zone_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text
}

fn record_of_json(value: &Value, kind: Kind) -> Option<Record> {
    let number = |key| value.get(key)?.as_u64().and_then(|number| u16::try_from(number).ok());
    let text = |key| value.get(key)?.as_str();
    match kind {
        Kind::Naptr => Some(Record::Naptr(Naptr {
            order: number("order")?,
            preference: number("preference")?,
            flags: zone_bytes(text("flags")?)?,
            services: zone_bytes(text("services")?)?,
            regexp: zone_bytes(text("regexp")?)?,
            replacement: text("replacement")?.into(),
        })),
        Kind::Srv => Some(Record::Srv(Srv {
            priority: number("priority")?,
            weight: number("weight")?,
            port: number("port")?,
            target: text("target")?.into(),
        })),
        Kind::A => text("address")?.parse().ok().map(Record::A),
        Kind::Aaaa => text("address")?.parse().ok().map(Record::Aaaa),
    }
}

/// The bytes of [`zone_text`].
fn zone_bytes(text: &str) -> Option<Box<[u8]>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            bytes.push(*byte);
        } else if let Some(after) = rest.strip_prefix(b"\\") {
            rest = after;
            bytes.push(b'\\');
        } else {
            let (digits, after) = rest.split_at_checked(3)?;
            rest = after;
            bytes.push(std::str::from_utf8(digits).ok()?.parse().ok()?);
        }
    }
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_read_back_as_it_was() {
        let naptr = Record::Naptr(Naptr {
            order: 100,
            preference: 10,
            flags: b"u"[..].into(),
            services: b"E2U+sip"[..].into(),
            regexp: (0..=255).collect(),
            replacement: ".".into(),
        });
        let srv = Record::Srv(Srv { priority: 1, weight: 2, port: 5060, target: "a.example.".into() });
        let found = |record| Answer::Found { records: vec![record], ttl_s: 60 };
        let mut answers = vec![
            (Kind::Naptr, found(naptr)),
            (Kind::Srv, found(srv)),
            (Kind::A, found(Record::A([192, 0, 2, 1].into()))),
            (Kind::Aaaa, found(Record::Aaaa("2001:db8::1".parse().unwrap()))),
            (Kind::A, Answer::Nothing { why: Nothing::NxDomain, ttl_s: 7 }),
            (Kind::A, Answer::Nothing { why: Nothing::NoData, ttl_s: u32::MAX }),
        ];
        answers.extend(FAILURES.map(|(failure, _)| (Kind::Srv, Answer::Failed(failure))));
        for (kind, answer) in answers {
            assert_eq!(from_json(&to_json(&answer), kind), Some(answer));
            assert_eq!(kind_of(kind_name(kind)), Some(kind));
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for (value, kind) in [
            (json!({}), Kind::A),
            (json!({ "result": "maybe" }), Kind::A),
            (json!({ "result": "nodata" }), Kind::A),
            (json!({ "result": "found", "ttl_s": 1, "records": [{ "address": "::1" }] }), Kind::A),
            (json!({ "result": "found", "ttl_s": 1, "records": [{ "priority": 65_536 }] }), Kind::Srv),
            (json!({ "result": "found", "ttl_s": 4_294_967_296_u64, "records": [] }), Kind::A),
        ] {
            assert_eq!(from_json(&value, kind), None, "{value}");
        }
        for wrong in ["\\", "\\1", "\\12", "\\256", "\\a12"] {
            assert_eq!(zone_bytes(wrong), None, "{wrong}");
        }
    }
}
