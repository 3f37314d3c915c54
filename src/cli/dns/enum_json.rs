//! Outside. What `enum` found, as JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    apexes::Verdict,
    asking::Asked,
    enum_page::verdict_words,
    enumerate::{Done, Ladder, Shown},
    show,
};
use crate::{
    control::dns_json::{record_to_json, result_name},
    dns::{Answer, EnumResult, Nothing, attribute},
};

/// All of it. Keys are part of the interface: they are added to, never changed.
pub(super) fn json_of(
    number: &str,
    servers: &[SocketAddr],
    asked: &[Asked],
    done: &[Done],
    left_out: usize,
    ladder: Ladder,
) -> Value {
    let servers: Vec<_> = servers.iter().map(SocketAddr::to_string).collect();
    let lookups: Vec<_> = done.iter().map(|done| done_json(done, asked, ladder)).collect();
    json!({ "number": number, "servers": servers, "lookups": lookups, "routes_left_out": left_out })
}

fn done_json(done: &Done, asked: &[Asked], ladder: Ladder) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let route = done.task.route.as_ref().map(|(name, place)| {
        json!({ "name": name, "file": place.file, "line": place.line, "column": place.column })
    });
    let results = done.results.iter().enumerate().map(|(index, uri)| {
        let is_contact = done.task.attributes.is_none() && index < done.task.contacts_max;
        let q = is_contact.then(|| f64::from(ladder.q_milli(index)) / 1000.0);
        json!({ "result": text(uri), "q": q })
    });
    let attributes = done.task.attributes.as_ref().zip(done.results.first()).map(|(names, first)| {
        let values =
            names.iter().map(|name| (name.to_string(), attribute(first, name.as_bytes()).map(text).into()));
        Value::Object(values.collect())
    });
    let apexes: Vec<_> = done.apexes.iter().map(|apex| apex_json(apex, done, asked)).collect();
    json!({
        "route": route, "result": result_key(done.result), "results": results.collect::<Vec<_>>(),
        "attributes": attributes, "apexes": apexes,
    })
}

fn apex_json(shown_apex: &Shown, done: &Done, asked: &[Asked]) -> Value {
    let Shown { apex, nodes, is_chosen } = shown_apex;
    let questions = nodes.iter().map(|node| {
        let Some(asked) = asked.iter().find(|asked| asked.question == node.question) else {
            return json!({ "name": node.question.name(), "type": "NAPTR", "asked": false });
        };
        let mut question = show::asked_json(asked);
        let records = node.records.iter().map(|(record, verdict)| {
            let words = verdict_words(verdict, *is_chosen, &done.results);
            let mut record = record_to_json(record);
            if let Some(record) = record.as_object_mut() {
                record.insert("verdict".to_owned(), words.key.into());
                if let Verdict::Makes(made) | Verdict::NotCallable(made) = verdict {
                    record.insert("makes".to_owned(), String::from_utf8_lossy(made).into_owned().into());
                }
            }
            record
        });
        if let Some(question) = question.as_object_mut() {
            question.insert("asked".to_owned(), true.into());
            question.insert("records".to_owned(), records.collect::<Vec<_>>().into());
        }
        question
    });
    json!({
        "apex": apex.name, "services": apex.services, "chosen": is_chosen,
        "questions": questions.collect::<Vec<_>>(),
    })
}

fn result_key(result: EnumResult) -> &'static str {
    match result {
        EnumResult::Found(_) => "found",
        EnumResult::NotE164 => "not_e164",
        EnumResult::Nothing(Nothing::NxDomain) => "nxdomain",
        EnumResult::Nothing(Nothing::NoData) => "nodata",
        EnumResult::Unusable => "unusable",
        EnumResult::Failed(why) => result_name(&Answer::Failed(why)),
    }
}
