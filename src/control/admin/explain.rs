//! Outside. `POST /api/v1/explain`: what becomes of a call, step by step, with the table in service.
//!
//! In:    a call in a few words, or the bytes of a request.
//! Out:   what `waypost explain --live --json` says; by the same code.
//! Never: asks DNS: what the cache does not have counts as not answered; counts the call.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::runtime::Handle;

use super::{
    Admin,
    answer::{Problem, asked, json},
};
use crate::{
    access::Identity,
    config::Listen,
    control::{
        explain::{self, CALL_ID, Explanation, Live, Subject, Words, fields, looked::Known, told::Told},
        reload::unix_s,
    },
    decide::Arrival,
    limits::{MESSAGE_BYTES_MAX, STEPS_SHOWN_MAX},
    route::Down,
    snapshot::Snapshot,
};

/// A call: a number or URI, or a whole request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExplainAsked {
    /// The number called.
    number: Option<String>,
    /// The host of its Request-URI; `localhost` without one.
    domain: Option<String>,
    /// The Request-URI, in place of number and domain.
    uri: Option<String>,
    /// A whole request as text, lines ending in CR LF, in place of all that makes one.
    raw: Option<String>,
    /// Who calls (From): a URI, a name-addr or a number.
    from: Option<String>,
    /// P-Asserted-Identity, likewise.
    pai: Option<String>,
    /// Who sends the request: `IP` or `IP:PORT`; `127.0.0.1:5060` without this.
    source: Option<String>,
    /// `udp`, `tcp` or `tls`; that of the listener without this.
    transport: Option<String>,
    /// The names in the certificate that the client shows over TLS; it shows none without this.
    certificate: Vec<String>,
    /// The listener it comes to, by name; the first of its transport without this.
    listener: Option<String>,
    /// `INVITE` without this.
    method: Option<String>,
    /// Further headers, each `Name: value`.
    headers: Vec<String>,
    /// What weighted groups draw by.
    call_id: Option<String>,
    /// The moment, as `2026-12-24T10:00:00Z`; now without this.
    at: Option<String>,
    /// Gateways that are down besides those that are, by name.
    down: Vec<String>,
}

/// The same, as meant.
#[derive(Debug)]
struct Meant {
    source: SocketAddr,
    transport: Option<crate::route::Transport>,
    identity: Option<Identity>,
    listener: Option<String>,
    unix_s: i64,
    down: Vec<String>,
    request: Made,
}

#[derive(Debug)]
enum Made {
    Raw(String),
    Words {
        method: String,
        uri: String,
        from: Option<String>,
        pai: Option<String>,
        call_id: String,
        headers: Vec<(String, String)>,
    },
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let wrong = |status, why: String| Problem::of(why).answer(status);
    let Ok(place) = Arc::clone(&admin.rooms.explains).acquire_owned().await else {
        return wrong(StatusCode::SERVICE_UNAVAILABLE, "the server is ending".to_owned());
    };
    let meant = match asked::<ExplainAsked>(request).await {
        Ok(asked) => asked.meant(),
        Err((status, problem)) => return problem.answer(status),
    };
    let meant = match meant {
        Ok(meant) => meant,
        Err(why) => return wrong(StatusCode::BAD_REQUEST, why),
    };
    // A decision may look at two hundred thousand routes.
    let runtime = Handle::current();
    let explained = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, should the caller go before it.
        let _place = place;
        meant.explained(&admin, &runtime)
    });
    match explained.await {
        Ok(Ok(told)) => json(StatusCode::OK, &told),
        Ok(Err((status, why))) => wrong(status, why),
        Err(error) => wrong(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

impl ExplainAsked {
    fn meant(self) -> Result<Meant, String> {
        let named = |name: &'static str| move |why: String| format!("{name}: {why}");
        let at = self.at.as_deref().map(fields::moment).transpose().map_err(named("at"))?;
        let names = self.certificate.iter().map(|name| fields::certificate(name));
        let names = names.collect::<Result<Vec<_>, _>>().map_err(named("certificate"))?;
        Ok(Meant {
            identity: fields::identity(&names),
            source: fields::source(self.source.as_deref().unwrap_or("127.0.0.1")).map_err(named("source"))?,
            transport: self
                .transport
                .as_deref()
                .map(fields::transport)
                .transpose()
                .map_err(named("transport"))?,
            unix_s: at.unwrap_or_else(unix_s),
            listener: self.listener.clone(),
            down: self.down.clone(),
            request: self.request()?,
        })
    }

    fn request(self) -> Result<Made, String> {
        let named = |name: &'static str| move |why: String| format!("{name}: {why}");
        let Self { number, domain, uri, raw, from, pai, method, headers, call_id, .. } = self;
        if let Some(raw) = raw {
            let words = [&number, &domain, &uri, &from, &pai, &method, &call_id];
            if words.iter().any(|word| word.is_some()) || !headers.is_empty() {
                return Err("raw is a whole request: leave number, domain, uri, from, pai, method, headers and call_id out".to_owned());
            }
            return Ok(Made::Raw(raw));
        }
        let uri = match (number, uri) {
            (None, Some(uri)) if domain.is_none() => fields::request_uri(&uri).map_err(named("uri"))?,
            (Some(number), None) => {
                if !fields::is_number(&number) {
                    return Err(format!(
                        "number: found \"{number}\", expected one as +442079460123; a URI goes into uri"
                    ));
                }
                let uri = domain.map_or_else(|| number.clone(), |domain| format!("sip:{number}@{domain}"));
                fields::request_uri(&uri).map_err(named("domain"))?
            }
            _ => return Err("expected number (and domain), or uri, or raw".to_owned()),
        };
        let address = |name, text: Option<String>| {
            text.as_deref().map(fields::name_addr).transpose().map_err(named(name))
        };
        let headers = headers.iter().map(|header| fields::header(header)).collect::<Result<_, _>>();
        Ok(Made::Words {
            uri,
            method: fields::token(method.as_deref().unwrap_or("INVITE")).map_err(named("method"))?,
            from: address("from", from)?,
            pai: address("pai", pai)?,
            call_id: fields::word(call_id.as_deref().unwrap_or(CALL_ID)).map_err(named("call_id"))?,
            headers: headers.map_err(named("headers"))?,
        })
    }
}

impl Meant {
    fn explained(self, admin: &Admin, runtime: &Handle) -> Result<Told, (StatusCode, String)> {
        let snapshot = admin.table().load_full();
        let arrival = self.arrival(&admin.differ.listen).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        let request = self.request.bytes(&arrival);
        let down = self.down(&snapshot).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        let is_raw = matches!(self.request, Made::Raw(_));
        let settings = explain::settings(&admin.differ.settings, is_raw);
        let subject = Subject {
            table: &snapshot.table,
            hash: &snapshot.hash,
            settings: &settings,
            request: request.get(..MESSAGE_BYTES_MAX.saturating_add(1)).unwrap_or(&request),
            arrival,
            unix_s: self.unix_s,
            down: &down,
            draining: admin.readiness.is_draining(),
            steps_max: STEPS_SHOWN_MAX,
        };
        let explained = explain::explain(&subject, &mut |question| {
            let kept = runtime.block_on(admin.dns_cache.look(vec![question.clone()]))?;
            Ok(kept.map(|kept| Known { answer: kept.answer, fresh_for_ms: kept.fresh_for_ms }))
        });
        let explained = explained.map_err(|why| (StatusCode::SERVICE_UNAVAILABLE, why))?;
        let live = Live {
            admin: admin.place.clone(),
            generation: snapshot.generation,
            routes_hash: snapshot.hash.clone(),
        };
        Ok(Told::of(&Explanation { live: Some(live), notes: self.request.notes(), ..explained }))
    }

    fn arrival<'a>(&'a self, listen: &'a [Listen]) -> Result<Arrival<'a>, String> {
        let Self { source, listener, transport, identity, .. } = self;
        explain::arrival(listen, *source, listener.as_deref(), *transport, identity.as_ref())
    }

    /// Those that are down, and those that are named.
    fn down(&self, snapshot: &Snapshot) -> Result<Down, String> {
        let named = explain::gateways(&self.down, &snapshot.table).map_err(|why| format!("down: {why}"))?;
        let marked = (0..snapshot.table.gateways.len()).filter(|id| snapshot.marks.is_down(*id));
        Ok(Down::of(marked.chain(named)))
    }
}

impl Made {
    fn bytes(&self, arrival: &Arrival<'_>) -> Vec<u8> {
        match self {
            Self::Raw(text) => text.clone().into_bytes(),
            Self::Words { method, uri, from, pai, call_id, headers } => {
                let (caller, pai) = (from.as_deref(), pai.as_deref());
                Words { method, uri, caller, pai, call_id, headers }.request(arrival)
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        explain::notes(
            match self {
                Self::Raw(_) => None,
                Self::Words { uri, .. } => Some(uri),
            },
            match self {
                Self::Raw(text) => Some(text.as_bytes()),
                Self::Words { .. } => None,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(asked: &str) -> Result<String, String> {
        match serde_json::from_str::<ExplainAsked>(asked).unwrap().meant()?.request {
            Made::Words { uri, .. } => Ok(uri),
            Made::Raw(text) => Ok(format!("raw {text}")),
        }
    }

    #[test]
    fn a_call_is_a_number_a_uri_or_a_whole_request() {
        for (asked, expected) in [
            (r#"{"number":"+44"}"#, "sip:+44@localhost"),
            (r#"{"number":"+44","domain":"example.com:5070"}"#, "sip:+44@example.com:5070"),
            (r#"{"uri":"tel:+44"}"#, "tel:+44"),
            (r#"{"uri":"+44","from":"+45","headers":["X-A: b"]}"#, "sip:+44@localhost"),
            (r#"{"raw":"INVITE"}"#, "raw INVITE"),
        ] {
            assert_eq!(uri(asked).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_call_is_named() {
        for (asked, expected) in [
            ("{}", "expected number (and domain), or uri, or raw"),
            (r#"{"number":"+44","uri":"+44"}"#, "expected number (and domain), or uri, or raw"),
            (r#"{"uri":"+44","domain":"a"}"#, "expected number (and domain), or uri, or raw"),
            (
                r#"{"number":"bob"}"#,
                "number: found \"bob\", expected one as +442079460123; a URI goes into uri",
            ),
            (r#"{"number":"1","domain":"a b"}"#, "domain: expected printable ASCII without spaces"),
            (
                r#"{"number":"1","source":"here"}"#,
                "source: expected IP or IP:PORT, as 198.51.100.7 or [2001:db8::7]:5060",
            ),
            (r#"{"number":"1","transport":"sctp"}"#, "transport: expected udp, tcp or tls"),
            (
                r#"{"number":"1","certificate":["*.example"]}"#,
                "certificate: expected a name in a certificate, as sbc.example.com",
            ),
            (
                r#"{"number":"1","headers":["Via: x"]}"#,
                "headers: Via is in the request already; to change it, put a whole request into a file for explain --raw",
            ),
            (
                r#"{"number":"1","from":"sip:a@b\r\nX: y"}"#,
                "from: it has a control character, expected a URI or a number",
            ),
            (r#"{"number":"1","method":"IN VITE"}"#, "method: expected a SIP token, as INVITE"),
        ] {
            assert_eq!(uri(asked).unwrap_err(), expected);
        }
        assert!(uri(r#"{"raw":"INVITE","number":"1"}"#).unwrap_err().starts_with("raw is a whole request"));
    }
}
