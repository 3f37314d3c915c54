//! Outside. An explanation as JSON. Keys are part of the interface: they are added to, never changed.

use serde_json::{Map, Value, json};

use super::{Explanation, Looked, Step};
use crate::{
    cli::describe,
    decide::Verdict,
    route::{RouteId, RouteTable},
};

/// All of it.
pub(super) fn of(explanation: &Explanation<'_>) -> Value {
    let Explanation { table, arrival, .. } = explanation;
    let mut at = None;
    let steps: Vec<_> = explanation.steps.iter().map(|step| step_json(step, table, &mut at)).collect();
    let unknown = explanation.questions.iter().filter(|looked| looked.kept.is_none());
    let unknown: Vec<_> = unknown.map(|looked| describe::question(&looked.question)).collect();
    let live = explanation.live.as_ref().map(|live| {
        json!({
            "admin": live.admin.to_string(),
            "generation": live.generation,
            "routes_hash": live.routes_hash,
            "same_routes": live.routes_hash == explanation.hash,
            "dns": explanation.questions.iter().map(Looked::json).collect::<Vec<_>>(),
        })
    });
    json!({
        "request": text(explanation.request),
        "from": arrival.source.to_string(),
        "to": arrival.local.to_string(),
        "listener": arrival.listener,
        "transport": arrival.transport.name(),
        "at_unix_s": explanation.unix_s,
        "routes_hash": explanation.hash,
        "notes": explanation.notes,
        "steps": steps,
        "live": live,
        "would_ask": unknown,
        "verdict": verdict(explanation),
    })
}

fn verdict(explanation: &Explanation<'_>) -> Value {
    let table = explanation.table;
    match &explanation.verdict {
        Verdict::Reply(reply) => json!({
            "kind": "reply",
            "status": reply.status,
            "route": reply.route.map(|route| route_json(route, table)),
            "fault": reply.fault.map(describe::fault),
            "to": reply.to.to_string(),
            "contacts_trimmed": reply.contacts_trimmed,
            "contacts_dropped": reply.contacts_dropped,
            "headers_trimmed": reply.headers_trimmed,
            "answer": text(&explanation.answer),
        }),
        Verdict::Silence(why) => json!({ "kind": "silence", "why": describe::silence(*why, table) }),
        Verdict::Ask(ask) => {
            let questions: Vec<_> = ask.questions.iter().map(describe::question).collect();
            json!({ "kind": "waits", "questions": questions })
        }
    }
}

/// `at` is the route being looked at: conditions are told by their index in it.
fn step_json(step: &Step, table: &RouteTable, at: &mut Option<RouteId>) -> Value {
    match step {
        Step::List(list) => json!({ "step": "list", "list": table.lists.get(*list).map(|list| &*list.name) }),
        Step::Route(route) => {
            *at = Some(*route);
            json!({ "step": "route", "route": route_json(*route, table) })
        }
        Step::Condition { index, saw, holds } => {
            let route = at.and_then(|route| table.routes.get(route));
            let condition = route.and_then(|route| route.when.get(*index));
            let condition = condition.map(|condition| describe::condition(condition, table));
            json!({ "step": "condition", "condition": condition, "saw": text(saw), "holds": holds })
        }
        Step::LookedUp { table: id, key, row } => {
            let looked = table.tables.get(*id);
            let row = looked.zip(*row).map(|(looked, row)| {
                let columns = looked.columns().iter().enumerate();
                let columns: Map<_, _> = columns
                    .map(|(column, name)| {
                        (name.to_string(), Value::from(text(&describe::cell(looked, row, column))))
                    })
                    .collect();
                json!({ "matched": text(&describe::key(looked, row)), "columns": columns })
            });
            json!({ "step": "table", "table": looked.map(|looked| looked.name()), "key": text(key), "row": row })
        }
        Step::Set { name, value } => json!({ "step": "set", "name": name, "value": text(value) }),
        Step::Acts(route) => {
            let then = table.routes.get(*route).map(|route| describe::then(&route.then, table));
            json!({ "step": "acts", "route": route_json(*route, table), "does": then })
        }
        Step::Contact { uri, q_milli } => {
            json!({ "step": "contact", "uri": text(uri), "q": f64::from(*q_milli) / 1000.0 })
        }
        Step::Dropped { uri, why } => json!({ "step": "dropped", "uri": text(uri), "why": why }),
        Step::Down(gateway) => json!({ "step": "down", "gateway": describe::gateway(*gateway, table) }),
        Step::Note(what) => json!({ "step": "note", "note": what }),
    }
}

fn route_json(route: RouteId, table: &RouteTable) -> Value {
    let Some(route) = table.routes.get(route) else { return Value::Null };
    json!({ "name": route.name, "file": route.place.file, "line": route.place.line, "column": route.place.column })
}

/// Bytes that are not UTF-8 become U+FFFD: JSON has no other way.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::explain::samples;

    #[test]
    fn every_step_is_told() {
        let table = samples::table();
        let explained = of(&samples::explanation(&table));
        let second = json!({ "name": "second", "file": "a.yaml", "line": 4, "column": 5 });
        assert_eq!(
            explained["steps"],
            json!([
                { "step": "list", "list": "routes" },
                { "step": "route", "route": { "name": "first", "file": "a.yaml", "line": 2, "column": 5 } },
                { "step": "condition", "condition": "transport is tcp", "saw": "udp", "holds": false },
                { "step": "route", "route": second },
                { "step": "set", "name": "rn", "value": "+44" },
                { "step": "acts", "route": second, "does": "answers 302" },
                { "step": "contact", "uri": "sip:a@b", "q": 0.99 },
                { "step": "dropped", "uri": "sip:c@d", "why": "the Request-URI again" },
                { "step": "note", "note": "a remark of the decision" },
            ])
        );
        assert_eq!(
            explained["verdict"],
            json!({
                "kind": "reply", "status": 302, "route": second, "fault": null, "to": "192.0.2.7:5060",
                "contacts_trimmed": 1, "contacts_dropped": 2, "headers_trimmed": 0, "answer": "SIP/2.0 302 \u{1b}Moved\r\n\r\n",
            })
        );
        assert_eq!(explained["would_ask"], json!([]));
        assert_eq!(explained["at_unix_s"], 60);
    }
}
