//! Outside. What the admin port can do: the one list that the router, its help and its OpenAPI document are made of.
//!
//! In:    nothing.
//! Out:   [`OPERATIONS`].
//! Never: lets an operation be answered that is not described.

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    Admin,
    answer::Problem,
    diff::{self, NotCompared},
    dns::{self, Dns, FlushAsked, Flushed},
    dns_cache::{self, LookTold},
    drain::{self, Draining},
    explain::{self, ExplainAsked},
    gateways::{self, GatewaysTold, Marked},
    log_level::{self, LogLevelAsked, LogLevelTold},
    openapi, page, probes,
    rates::{self, RatesTold},
    reload::{self, NotReloaded},
    routes::{self, RoutesTold},
    scrape,
    status::{self, Status},
    tables::{self, TablesTold},
    top,
};
use crate::control::{diff::Compared, explain::told::Told, mirror::TopTold, reload::Report};

/// One method of one path.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Where it was before there was an API, and still is.
    pub(super) old_path: Option<&'static str>,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Option<Body>,
    /// The status of each answer of its own, in what case it comes, what it holds.
    pub(super) says: &'static [(u16, &'static str, Content)],
    pub(super) answers: fn() -> MethodRouter<Arc<Admin>>,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) is_number: bool,
    /// A part of the path, written `{name}` there; else of the query.
    pub(super) is_in_path: bool,
}

/// What a request brings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    Json(SchemaOf),
    /// Media types of texts.
    Text(&'static [&'static str]),
}

/// What an answer holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Html,
    Text,
    Json(SchemaOf),
}

pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type.
fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

fn any_object(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "object" })
}

const fn text(name: &'static str, what: &'static str) -> Parameter {
    Parameter { name, what, is_number: false, is_in_path: false }
}

const fn count(name: &'static str, what: &'static str) -> Parameter {
    Parameter { name, what, is_number: true, is_in_path: false }
}

const fn in_path(name: &'static str, what: &'static str) -> Parameter {
    Parameter { name, what, is_number: false, is_in_path: true }
}

/// What every read begins as.
const READ: Operation = Operation {
    method: "GET",
    path: "",
    old_path: None,
    id: "",
    summary: "",
    parameters: &[],
    body: None,
    says: &[],
    answers: MethodRouter::new,
};
const CHANGE: Operation = Operation { method: "POST", ..READ };

/// What an operator says of a gateway.
const MARK: Operation = Operation {
    parameters: &[in_path("name", "The gateway.")],
    says: &[
        (200, "It is marked, until the server ends.", Content::Json(of::<Marked>)),
        WRONG,
        (404, "The routes in service have no such gateway.", Content::Json(of::<Problem>)),
    ],
    ..CHANGE
};

const WRONG: (u16, &str, Content) =
    (400, "The request is not one that is expected.", Content::Json(of::<Problem>));
const TOO_LONG: (u16, &str, Content) = (413, "The body is too long.", Content::Json(of::<Problem>));
const TOO_SLOW: (u16, &str, Content) = (408, "The body did not come in time.", Content::Json(of::<Problem>));
const BUSY: (u16, &str, Content) =
    (503, "Too much is under way, or the server is ending: try again.", Content::Json(of::<Problem>));

/// Every one.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/",
        id: "page",
        summary: "the operator's page, for browsers",
        says: &[(200, "The page.", Content::Html)],
        answers: || get(page::answer),
        ..READ
    },
    Operation {
        path: "/metrics",
        id: "metrics",
        summary: "metrics for Prometheus",
        says: &[(200, "The metrics.", Content::Text)],
        answers: || get(scrape::answer),
        ..READ
    },
    Operation {
        path: "/healthz",
        id: "healthz",
        summary: "200 while the process runs",
        says: &[(200, "It runs.", Content::Text)],
        answers: || get(probes::healthz),
        ..READ
    },
    Operation {
        path: "/readyz",
        id: "readyz",
        summary: "200 while calls should be sent here, else 503 and why",
        says: &[(200, "Calls are welcome.", Content::Text), (503, "They are not, and why.", Content::Text)],
        answers: || get(probes::readyz),
        ..READ
    },
    Operation {
        path: "/api/v1/openapi.json",
        id: "openapi",
        summary: "this API as an OpenAPI document",
        says: &[(200, "The document.", Content::Json(any_object))],
        answers: || get(openapi::answer),
        ..READ
    },
    Operation {
        path: "/api/v1/status",
        id: "status",
        summary: "what runs, what it serves, how the last reloads went",
        says: &[(200, "The status.", Content::Json(of::<Status>))],
        answers: || get(status::answer),
        ..READ
    },
    Operation {
        path: "/api/v1/rates",
        id: "rates",
        summary: "requests, answers and decision times of the last minutes, second by second",
        parameters: &[count("since", "Only the seconds that ended after this one, in seconds since 1970.")],
        says: &[(200, "The rates.", Content::Json(of::<RatesTold>)), WRONG],
        answers: || get(rates::answer),
        ..READ
    },
    Operation {
        path: "/api/v1/routes",
        id: "routes",
        summary: "the routes, where each is written, how often and when it last answered",
        parameters: &[
            count("limit", "How many at most, to 10000; 1000 without this."),
            count("from", "How many to pass over."),
            text("name", "Only those with this in their name."),
            text("order", "table, name, hits or last: which come first; table without this."),
        ],
        says: &[(200, "The routes.", Content::Json(of::<RoutesTold>)), WRONG],
        answers: || get(routes::answer),
        ..READ
    },
    Operation {
        path: "/api/v1/tables",
        id: "tables",
        summary: "the number tables",
        says: &[(200, "The tables.", Content::Json(of::<TablesTold>))],
        answers: || get(tables::answer),
        ..READ
    },
    Operation {
        path: "/api/v1/gateways",
        id: "gateways",
        summary: "the gateways, the groups that each is in, which are up and why",
        says: &[(200, "The gateways.", Content::Json(of::<GatewaysTold>))],
        answers: || get(gateways::answer),
        ..READ
    },
    Operation {
        path: "/api/v1/gateways/{name}/down",
        id: "gatewayDown",
        summary: "leaves a gateway out of Contact lists, whatever its probes say",
        answers: || post(gateways::down),
        ..MARK
    },
    Operation {
        path: "/api/v1/gateways/{name}/up",
        id: "gatewayUp",
        summary: "keeps a gateway in Contact lists, whatever its probes say",
        answers: || post(gateways::up),
        ..MARK
    },
    Operation {
        path: "/api/v1/gateways/{name}/auto",
        id: "gatewayAuto",
        summary: "leaves a gateway to its probes; one that is not probed is up",
        answers: || post(gateways::auto),
        ..MARK
    },
    Operation {
        path: "/api/v1/top",
        id: "top",
        summary: "the top sources, numbers, prefixes and domains of the last minutes",
        parameters: &[count("n", "How many of each, to 100; 10 without this.")],
        says: &[
            (200, "The top ones.", Content::Json(of::<TopTold>)),
            WRONG,
            (404, "Nothing is counted.", Content::Json(of::<Problem>)),
        ],
        answers: || get(top::answer),
        ..READ
    },
    Operation {
        path: "/api/v1/explain",
        id: "explain",
        summary: "what becomes of a call, step by step, and the exact answer; nothing is sent",
        body: Some(Body::Json(of::<ExplainAsked>)),
        says: &[
            (200, "The explanation, whatever becomes of the call.", Content::Json(of::<Told>)),
            WRONG,
            TOO_SLOW,
            TOO_LONG,
            BUSY,
        ],
        answers: || post(explain::answer),
        ..CHANGE
    },
    Operation {
        path: "/api/v1/diff",
        old_path: Some("/diff"),
        id: "diff",
        summary: "calls as the body: which would the route files of now answer differently? ?limit=N",
        parameters: &[count("limit", "How many differing calls are told whole.")],
        body: Some(Body::Text(&["text/plain", "text/csv"])),
        says: &[
            (200, "The comparison.", Content::Json(of::<Compared>)),
            (400, "The calls cannot be read.", Content::Json(of::<NotCompared>)),
            (408, "The calls did not come in time.", Content::Json(of::<NotCompared>)),
            (413, "The calls are too long.", Content::Json(of::<NotCompared>)),
            (415, "The calls are of another media type.", Content::Json(of::<NotCompared>)),
            (422, "A reload would be refused.", Content::Json(of::<NotCompared>)),
            (503, "Another comparison is under way.", Content::Json(of::<NotCompared>)),
        ],
        answers: || post(diff::answer),
        ..CHANGE
    },
    Operation {
        path: "/api/v1/reload",
        old_path: Some("/-/reload"),
        id: "reload",
        summary: "reads the route files again: 200, or 422 with every fault and its place",
        says: &[
            (200, "The files serve, new or as they were.", Content::Json(of::<Report>)),
            (422, "The old table serves on.", Content::Json(of::<Report>)),
            (503, "Too many wait for a reload.", Content::Json(of::<NotReloaded>)),
        ],
        answers: || post(reload::answer),
        ..CHANGE
    },
    Operation {
        path: "/api/v1/drain",
        id: "drain",
        summary: "has /readyz and OPTIONS say 503; calls that come are answered",
        says: &[(200, "It drains.", Content::Json(of::<Draining>))],
        answers: || post(drain::drain),
        ..CHANGE
    },
    Operation {
        path: "/api/v1/undrain",
        id: "undrain",
        summary: "ends what drain began",
        says: &[
            (200, "It does not drain.", Content::Json(of::<Draining>)),
            (409, "The server ends.", Content::Json(of::<Problem>)),
        ],
        answers: || post(drain::undrain),
        ..CHANGE
    },
    Operation {
        path: "/api/v1/dns",
        id: "dns",
        summary: "DNS servers as the resolver knows them, and the size of the caches",
        says: &[(200, "The servers.", Content::Json(of::<Dns>))],
        answers: || get(dns::servers),
        ..READ
    },
    Operation {
        path: "/api/v1/dns/cache",
        old_path: Some("/dns/cache"),
        id: "dnsCache",
        summary: "what DNS has said: ?name=NAME&type=NAPTR, SRV, A or AAAA",
        parameters: &[
            text(
                "name",
                "The name asked for; without it, the routes in service and the gateways that are down are told.",
            ),
            text("type", "NAPTR, SRV, A or AAAA."),
            text("apex", "The ENUM apex that asks."),
            text("server", "A server that it asks; may come again."),
        ],
        says: &[(200, "What is kept.", Content::Json(of::<LookTold>)), WRONG, BUSY],
        answers: || get(dns_cache::answer),
        ..READ
    },
    Operation {
        path: "/api/v1/dns/flush",
        id: "dnsFlush",
        summary: "forgets what DNS has said, to one name or at all",
        body: Some(Body::Json(of::<FlushAsked>)),
        says: &[(200, "It is forgotten.", Content::Json(of::<Flushed>)), WRONG, TOO_SLOW, TOO_LONG, BUSY],
        answers: || post(dns::flush),
        ..CHANGE
    },
    Operation {
        path: "/api/v1/log/level",
        id: "logLevel",
        summary: "which lines are logged",
        says: &[(200, "The level.", Content::Json(of::<LogLevelTold>))],
        answers: || get(log_level::get),
        ..READ
    },
    Operation {
        path: "/api/v1/log/level",
        id: "setLogLevel",
        summary: "has lines of this level logged until the server ends",
        body: Some(Body::Json(of::<LogLevelAsked>)),
        says: &[(200, "The level.", Content::Json(of::<LogLevelTold>)), WRONG, TOO_SLOW, TOO_LONG, BUSY],
        answers: || post(log_level::set),
        ..CHANGE
    },
];
