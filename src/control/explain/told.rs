//! Outside. An explanation as JSON. Keys are part of the interface: they are added to, never changed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Explanation, describe,
    looked::{Looked, LookedTold},
    recorder::Step,
};
use crate::{
    access::Standing,
    decide::Verdict,
    route::{RouteId, RouteTable},
};

/// All of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub(crate) struct Told {
    /// The request that was decided, as text.
    request: String,
    /// Who sent it.
    from: String,
    /// Where it came to.
    to: String,
    /// The listener there.
    listener: String,
    transport: &'static str,
    /// The names in the certificate that was shown; left out when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Vec<String>>,
    /// When, in seconds since 1970.
    at_unix_s: i64,
    /// SHA-256 of all files that the routes are made of.
    routes_hash: String,
    /// What was taken for granted.
    notes: Vec<String>,
    /// In the order in which they were taken.
    steps: Vec<StepTold>,
    /// Further steps, for which there was no room.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(default)]
    steps_left_out: usize,
    /// The server whose DNS cache was looked at; null when there was none.
    live: Option<LiveTold>,
    /// Questions that DNS would be asked. They count as not answered.
    would_ask: Vec<String>,
    verdict: VerdictTold,
}

/// A server whose DNS cache was looked at.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExplanationLive")]
struct LiveTold {
    admin: String,
    generation: u64,
    routes_hash: String,
    /// Whether its routes are those that decided.
    same_routes: bool,
    dns: Vec<LookedTold>,
}

/// A route, and where it is written.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "RouteRef")]
struct RouteTold {
    name: String,
    file: String,
    line: u32,
    column: u32,
}

/// A row of a table.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TableRow")]
struct RowTold {
    /// The number or prefix that it stands under.
    matched: String,
    columns: BTreeMap<String, String>,
}

/// One step.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "step", rename_all = "lowercase")]
#[schemars(rename = "Step")]
enum StepTold {
    /// What the access lists say of the source, where there are any.
    Access {
        /// The list that decides; null where none names the source.
        list: Option<String>,
        /// `answer`, `refuse` or `silence`.
        policy: &'static str,
        /// Whether a list with `answer` names it.
        known: bool,
    },
    /// A list is entered.
    List { list: Option<String> },
    /// A route is looked at.
    Route { route: Option<RouteTold> },
    /// One of its conditions: the first that does not hold ends the route.
    Condition { condition: Option<String>, saw: String, holds: bool },
    /// A table is looked up.
    Table { table: Option<String>, key: String, row: Option<RowTold> },
    /// A value is set.
    Set { name: String, value: String },
    /// The route acts.
    Acts { route: Option<RouteTold>, does: Option<String> },
    /// A URI became a Contact.
    Contact { uri: String, q: f64 },
    /// A URI did not become one.
    Dropped { uri: String, why: &'static str },
    /// A gateway is left out because it is down.
    Down { gateway: String },
    /// A remark of the decision.
    Note { note: String },
}

/// What comes of the request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[schemars(rename = "Verdict")]
enum VerdictTold {
    /// An answer.
    Reply {
        status: u16,
        /// The route that answers; null where none does.
        route: Option<RouteTold>,
        /// Why the request is refused for its bytes.
        fault: Option<String>,
        to: String,
        contacts_trimmed: u8,
        contacts_dropped: u8,
        headers_trimmed: u8,
        /// The bytes as text; what is not UTF-8 is U+FFFD.
        answer: String,
        /// The bytes in hexadecimal, where they are not UTF-8.
        #[serde(skip_serializing_if = "Option::is_none")]
        answer_hex: Option<String>,
    },
    /// No answer.
    Silence { why: String },
    /// Not before DNS has answered.
    Waits { questions: Vec<String> },
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Told {
    /// An explanation in this form.
    pub(crate) fn of(explanation: &Explanation<'_>) -> Self {
        let Explanation { table, arrival, .. } = explanation;
        let mut at = None;
        let unknown = explanation.questions.iter().filter(|looked| looked.kept.is_none());
        Self {
            request: text(explanation.request),
            from: arrival.source.to_string(),
            to: arrival.local.to_string(),
            listener: arrival.listener.to_owned(),
            transport: arrival.transport.name(),
            certificate: arrival.identity.map(|names| names.iter().map(ToString::to_string).collect()),
            at_unix_s: explanation.unix_s,
            routes_hash: explanation.hash.to_owned(),
            notes: explanation.notes.clone(),
            steps: explanation.steps.iter().map(|step| StepTold::of(step, table, &mut at)).collect(),
            steps_left_out: explanation.steps_left_out,
            live: LiveTold::of(explanation),
            would_ask: unknown.map(|looked| describe::question(&looked.question)).collect(),
            verdict: VerdictTold::of(explanation),
        }
    }
}

impl LiveTold {
    fn of(explanation: &Explanation<'_>) -> Option<Self> {
        explanation.live.as_ref().map(|live| Self {
            admin: live.admin.clone(),
            generation: live.generation,
            routes_hash: live.routes_hash.clone(),
            same_routes: live.routes_hash == explanation.hash,
            dns: explanation.questions.iter().map(Looked::told).collect(),
        })
    }
}

impl VerdictTold {
    fn of(explanation: &Explanation<'_>) -> Self {
        let table = explanation.table;
        match &explanation.verdict {
            Verdict::Reply(reply) => Self::Reply {
                status: reply.status,
                route: reply.route.and_then(|route| RouteTold::of(route, table)),
                fault: reply.fault.map(describe::fault),
                to: reply.to.to_string(),
                contacts_trimmed: reply.contacts_trimmed,
                contacts_dropped: reply.contacts_dropped,
                headers_trimmed: reply.headers_trimmed,
                answer: text(&explanation.answer),
                answer_hex: std::str::from_utf8(&explanation.answer)
                    .is_err()
                    .then(|| explanation.answer.iter().map(|byte| format!("{byte:02x}")).collect()),
            },
            Verdict::Silence(why) => Self::Silence { why: describe::silence(*why, table) },
            Verdict::Ask(ask) => {
                Self::Waits { questions: ask.questions.iter().map(describe::question).collect() }
            }
        }
    }
}

impl StepTold {
    /// `at` is the route being looked at: conditions are told by their index in it.
    fn of(step: &Step, table: &RouteTable, at: &mut Option<RouteId>) -> Self {
        match step {
            Step::Access(Standing { id, policy, known }) => {
                let list = id.and_then(|id| table.access.lists.get(id));
                Self::Access {
                    list: list.map(|list| list.name.to_string()),
                    policy: policy.name(),
                    known: *known,
                }
            }
            Step::List(list) => Self::List { list: table.lists.get(*list).map(|list| list.name.to_string()) },
            Step::Route(route) => {
                *at = Some(*route);
                Self::Route { route: RouteTold::of(*route, table) }
            }
            Step::Condition { index, saw, holds } => {
                let route = at.and_then(|route| table.routes.get(route));
                let condition = route.and_then(|route| route.when.get(*index));
                let condition = condition.map(|condition| describe::condition(condition, table));
                Self::Condition { condition, saw: text(saw), holds: *holds }
            }
            Step::LookedUp { table: id, key, row } => {
                let looked = table.tables.get(*id);
                let row = looked.zip(*row).map(|(looked, row)| {
                    let columns = looked.columns().iter().enumerate();
                    let columns = columns
                        .map(|(column, name)| (name.to_string(), text(&describe::cell(looked, row, column))))
                        .collect();
                    RowTold { matched: text(&describe::key(looked, row)), columns }
                });
                Self::Table { table: looked.map(|looked| looked.name().to_owned()), key: text(key), row }
            }
            Step::Set { name, value } => Self::Set { name: name.clone(), value: text(value) },
            Step::Acts(route) => {
                let does = table.routes.get(*route).map(|route| describe::then(&route.then, table));
                Self::Acts { route: RouteTold::of(*route, table), does }
            }
            Step::Contact { uri, q_milli } => {
                Self::Contact { uri: text(uri), q: f64::from(*q_milli) / 1000.0 }
            }
            Step::Dropped { uri, why } => Self::Dropped { uri: text(uri), why },
            Step::Down(gateway) => Self::Down { gateway: describe::gateway(*gateway, table).to_owned() },
            Step::Note(what) => Self::Note { note: what.clone() },
        }
    }
}

impl RouteTold {
    fn of(route: RouteId, table: &RouteTable) -> Option<Self> {
        let route = table.routes.get(route)?;
        Some(Self {
            name: route.name.to_string(),
            file: route.place.file.to_string(),
            line: route.place.line,
            column: route.place.column,
        })
    }
}

/// Bytes that are not UTF-8 become U+FFFD: JSON has no other way.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::explain::samples;

    #[test]
    fn every_step_is_told() {
        let table = samples::table();
        let explained = json!(Told::of(&samples::explanation(&table)));
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
                { "step": "down", "gateway": "?" },
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
        assert_eq!((&explained["live"], &explained["steps_left_out"]), (&json!(null), &json!(null)));
        assert_eq!(explained["at_unix_s"], 60);
    }

    #[test]
    fn an_answer_that_is_no_text_is_told_byte_by_byte() {
        let table = samples::table();
        let mut explanation = samples::explanation(&table);
        explanation.answer = b"SIP\xff".to_vec();
        let verdict = &json!(Told::of(&explanation))["verdict"];
        assert_eq!((&verdict["answer"], &verdict["answer_hex"]), (&json!("SIP\u{fffd}"), &json!("534950ff")));
    }
}
