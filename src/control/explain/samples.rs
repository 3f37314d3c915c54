//! Outside. An explanation for the tests of how it is printed.

use super::{Explanation, recorder::Recorder};
use crate::{
    decide::{Arrival, Reply, Trace as _, Verdict},
    route::{Answer, Body, Condition, List, Place, Route, RouteTable, Then, Transport, WhenAllDown},
    sip::Method,
};

/// Two routes.
pub(crate) fn table() -> RouteTable {
    let route = |name: &str, line, when, then| Route {
        name: name.into(),
        place: Place { file: "a.yaml".into(), line, column: 5 },
        when,
        set: vec![],
        then,
    };
    let answer = Answer {
        code: 302,
        reason: None,
        targets: vec![],
        contacts_max: 1,
        answer_bytes_max: 1300,
        expires_s: None,
        headers: vec![],
        body: Body::None,
        empty: None,
        within_ms: 400,
        when_all_down: WhenAllDown::UseAll,
    };
    RouteTable {
        lists: vec![List { name: "routes".into(), routes: vec![0, 1] }],
        routes: vec![
            route("first", 2, vec![Condition::Transport(vec![Transport::Tcp])], Then::Next),
            route("second", 4, vec![], Then::Answer(Box::new(answer))),
        ],
        ..RouteTable::default()
    }
}

/// The second answers. Request and answer carry an escape character.
pub(crate) fn explanation(table: &RouteTable) -> Explanation<'_> {
    let source = "192.0.2.7:5060".parse().unwrap();
    let mut recorder = Recorder::of(usize::MAX);
    recorder.list(0);
    recorder.route(0);
    recorder.condition(0, b"udp", false);
    recorder.route(1);
    recorder.set("rn", b"+44");
    recorder.acts(1);
    recorder.contact(b"sip:a@b", 990);
    recorder.dropped(b"sip:c@d", "the Request-URI again");
    recorder.down(0);
    recorder.note("a remark of the decision");
    let answer = b"SIP/2.0 302 \x1bMoved\r\n\r\n".to_vec();
    let reply = Reply {
        len: answer.len(),
        to: source,
        status: 302,
        method: Method::Invite,
        route: Some(1),
        access: None,
        fault: None,
        contacts_trimmed: 1,
        contacts_dropped: 2,
        headers_trimmed: 0,
        capped: None,
    };
    Explanation {
        table,
        hash: "hash",
        request: b"INVITE sip:\x1b@h SIP/2.0\r\n\r\n",
        arrival: Arrival {
            source,
            local: "127.0.0.1:5060".parse().unwrap(),
            listener: "core",
            transport: Transport::Udp,
            identity: None,
        },
        unix_s: 60,
        notes: vec!["remark".to_owned()],
        live: None,
        questions: vec![],
        steps: recorder.into_steps().0,
        steps_left_out: 0,
        verdict: Verdict::Reply(reply),
        answer,
    }
}
