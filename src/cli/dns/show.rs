//! Outside. Questions and answers for people and as JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::asking::Asked;
use crate::{
    cli::describe,
    control::dns_json::{kind_name, to_json, zone_text},
    dns::{Answer, Naptr, Record, Srv},
};

/// Whom one asks.
pub(super) fn servers(servers: &[SocketAddr]) -> String {
    if servers.is_empty() {
        return "DNS servers: those of /etc/resolv.conf".to_owned();
    }
    let servers: Vec<_> = servers.iter().map(SocketAddr::to_string).collect();
    format!("DNS servers: {}", servers.join(", "))
}

/// `NAPTR 4.4.e164.arpa.: 2 records, ttl 60 s, from 127.0.0.1:53`.
pub(super) fn asked(asked: &Asked) -> String {
    let question = describe::question(&asked.question);
    let Some(answer) = &asked.answer else {
        return format!("{question}: no answer in the time there was");
    };
    let verb = if matches!(answer, Answer::Failed(_)) { "asked" } else { "from" };
    let from = asked.server.map(|server| format!(", {verb} {server}")).unwrap_or_default();
    format!("{question}: {}{from}", describe::dns_answer(answer))
}

/// The data of a record, as a zone file has it.
pub(super) fn record(record: &Record) -> String {
    match record {
        Record::Naptr(Naptr { order, preference, flags, services, regexp, replacement }) => {
            let [flags, services, regexp] = [flags, services, regexp].map(|text| zone_text(text));
            format!("{order} {preference} \"{flags}\" \"{services}\" \"{regexp}\" {replacement}")
        }
        Record::Srv(Srv { priority, weight, port, target }) => {
            format!("{priority} {weight} {port} {target}")
        }
        Record::A(address) => address.to_string(),
        Record::Aaaa(address) => address.to_string(),
    }
}

/// One question.
pub(super) fn asked_json(asked: &Asked) -> Value {
    json!({
        "name": asked.question.name(),
        "type": kind_name(asked.question.kind()),
        "server": asked.server.map(|server| server.to_string()),
        "answer": asked.answer.as_ref().map(to_json),
    })
}
