//! Outside. `GET /dns/cache`: what the loops' DNS caches keep of one question.
//!
//! In:    `name`, `type`, and `apex` and `server` for one that an ENUM apex asks for; or nothing.
//! Out:   JSON: the generation and hash of the routes in service, with the gateways that are down; or the answer with
//!        its age: that of the first worker that has one.
//! Never: asks a DNS server, makes a loop wait, or waits long for them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::{
    super::dns_json::{AnswerTold, kind_name, kind_of},
    Admin,
    answer::{Problem, told},
    query::pairs,
};
use crate::{
    dns::{Kind, Question},
    limits::{CACHE_LOOK_MS_MAX, CACHE_LOOK_UPSTREAMS_MAX, DNS_SERVERS_MAX},
    net::{Handle, Kept},
    route::{RouteTable, Then},
    snapshot::Snapshot,
};

/// How to use it.
const USAGE: &str = "expected /dns/cache?name=NAME&type=NAPTR, SRV, A or AAAA, with &apex=APEX and &server=IP:PORT for what an ENUM apex asks for; or /dns/cache for the routes in service and the gateways that are down";

pub(super) async fn answer(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    told(admin.dns_cache.show(query.as_deref().unwrap_or_default()).await)
}

/// The way to the caches.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct DnsCache {
    /// Of all workers.
    pub handles: Vec<Handle>,
    /// In service.
    pub table: Arc<ArcSwap<Snapshot>>,
}

/// The routes in service; and, when a question was asked, what the caches keep of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DnsCacheLook")]
pub(super) struct LookTold {
    generation: u64,
    /// SHA-256 of all files that the routes are made of.
    routes_hash: String,
    /// Gateways that are left out because they are down; when no question is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateways_down: Option<Vec<String>>,
    #[serde(flatten)]
    of: Option<OfQuestion>,
}

/// A question, and its answer.
#[derive(Debug, Serialize, JsonSchema)]
struct OfQuestion {
    name: String,
    r#type: &'static str,
    found: bool,
    #[serde(flatten)]
    kept: Option<KeptTold>,
}

/// An answer that is kept.
#[derive(Debug, Serialize, JsonSchema)]
struct KeptTold {
    /// The ENUM apex with servers of its own that were asked; null for those of the configuration.
    upstream: Option<UpstreamTold>,
    answer: AnswerTold,
    /// Past its end: used when DNS does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    /// For how many milliseconds more it is fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh_for_ms: Option<u64>,
}

/// An ENUM apex with servers of its own.
#[derive(Debug, Serialize, JsonSchema)]
struct UpstreamTold {
    apex: String,
    servers: Vec<SocketAddr>,
}

impl DnsCache {
    /// Answers a request with this query.
    pub(super) async fn show(&self, query: &str) -> Result<LookTold, (StatusCode, Problem)> {
        let snapshot = self.table.load_full();
        let shown = LookTold {
            generation: snapshot.generation,
            routes_hash: snapshot.hash.clone(),
            gateways_down: None,
            of: None,
        };
        if query.is_empty() {
            return Ok(LookTold { gateways_down: Some(down(&snapshot)), ..shown });
        }
        let wrong = |what| (StatusCode::BAD_REQUEST, Problem::of(format!("{what}; {USAGE}")));
        let wanted = Wanted::read(query).map_err(wrong)?;
        let questions = wanted.questions(&snapshot.table);
        // Freed here only if it went out of service meanwhile; the loop is never the one to do it.
        drop(snapshot);
        let unavailable = |why| (StatusCode::SERVICE_UNAVAILABLE, Problem::of(why));
        let kept = self.look(questions).await.map_err(unavailable)?;
        let of = OfQuestion {
            name: wanted.plain.name().to_owned(),
            r#type: kind_name(wanted.plain.kind()),
            found: kept.is_some(),
            kept: kept.map(KeptTold::of),
        };
        Ok(LookTold { of: Some(of), ..shown })
    }

    pub(super) async fn look(&self, questions: Vec<Question>) -> Result<Option<Kept>, &'static str> {
        if questions.is_empty() {
            return Ok(None);
        }
        // All look at once, so that several take no longer than one.
        let end = Instant::now() + Duration::from_millis(CACHE_LOOK_MS_MAX);
        let looks: Option<Vec<_>> =
            self.handles.iter().map(|handle| handle.look_into_cache(questions.clone())).collect();
        for look in looks.ok_or("too many look at the cache; try again")? {
            match timeout_at(end, look).await {
                Ok(Ok(None)) => {}
                Ok(Ok(kept)) => return Ok(kept),
                Ok(Err(_)) => return Err("the server is ending"),
                Err(_) => return Err("the loop did not answer in time; try again"),
            }
        }
        Ok(None)
    }
}

fn down(snapshot: &Snapshot) -> Vec<String> {
    let gateways = snapshot.table.gateways.iter().enumerate();
    gateways
        .filter(|(id, _)| snapshot.marks.is_down(*id))
        .map(|(_, gateway)| gateway.name.to_string())
        .collect()
}

impl KeptTold {
    fn of(kept: Kept) -> Self {
        let upstream = kept.question.upstream();
        Self {
            upstream: upstream.map(|upstream| UpstreamTold {
                apex: upstream.label().to_owned(),
                servers: upstream.servers().to_vec(),
            }),
            answer: AnswerTold::of(&kept.answer),
            stale: (kept.fresh_for_ms == 0).then_some(true),
            fresh_for_ms: Some(kept.fresh_for_ms).filter(|left_ms| *left_ms > 0),
        }
    }
}

/// Every question of this name: of each type, as it is put to the servers of the configuration and as each apex of the
/// table puts it.
pub(super) fn questions_of_name(name: &str, table: &RouteTable) -> Vec<Question> {
    let of = |kind| {
        let plain = Question::new(name, kind)?;
        Some(Wanted { plain, apex: None, servers: Vec::new() }.questions(table))
    };
    [Kind::Naptr, Kind::Srv, Kind::A, Kind::Aaaa].into_iter().filter_map(of).flatten().collect()
}

/// What is looked for.
#[derive(Debug)]
struct Wanted {
    /// Without servers of its own.
    plain: Question,
    apex: Option<String>,
    servers: Vec<SocketAddr>,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, String> {
        let (mut name, mut kind, mut apex, mut servers) = (None, None, None, Vec::new());
        for pair in pairs(query) {
            let (key, value) = pair?;
            match key {
                "name" => name = Some(value),
                "type" => kind = Some(kind_of(&value).ok_or_else(|| format!("type: found \"{value}\""))?),
                "apex" => apex = Some(value),
                "server" if servers.len() >= DNS_SERVERS_MAX => {
                    return Err(format!("server: more than {DNS_SERVERS_MAX}"));
                }
                "server" => {
                    servers.push(value.parse().map_err(|_| format!("server: found \"{value}\""))?);
                }
                _ => return Err(format!("there is no parameter \"{key}\"")),
            }
        }
        let name = name.ok_or("there is no name")?;
        let plain = question(&name, kind.ok_or("there is no type")?)?;
        Ok(Self { plain, apex, servers })
    }

    /// The question as each apex of the table puts it that may be meant; first as it is put to the servers of
    /// the configuration, unless an apex is named.
    fn questions(&self, table: &RouteTable) -> Vec<Question> {
        let Self { plain, apex: named, servers } = self;
        let mut questions = Vec::new();
        if named.is_none() && servers.is_empty() {
            questions.push(plain.clone());
        }
        let enums = table.routes.iter().filter_map(|route| match &route.then {
            Then::Enum(route) => Some(&route.plan.apexes),
            _ => None,
        });
        for apex in enums.flatten() {
            let Some(upstream) = &apex.upstream else { continue };
            let is_meant = match named {
                Some(named) => named.trim_end_matches('.').eq_ignore_ascii_case(upstream.label()),
                None => plain.name().ends_with(&*apex.name),
            };
            if !is_meant || !(servers.is_empty() || upstream.servers() == servers) {
                continue;
            }
            let question = plain.clone().at(Some(upstream));
            if questions.contains(&question) {
                continue;
            }
            if questions.len() >= CACHE_LOOK_UPSTREAMS_MAX {
                break;
            }
            questions.push(question);
        }
        questions
    }
}

fn question(name: &str, kind: Kind) -> Result<Question, String> {
    Question::new(name, kind).ok_or_else(|| format!("name: \"{name}\" is not a name of DNS"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dns::{Apex, EnumPlan, OwnLives, Results, Upstream},
        route::{Answer, EnumRoute, Failed, NotFound, Place, Route},
    };

    fn table(apexes: &[(&str, Option<&str>)]) -> RouteTable {
        let route = |(name, server): &(&str, Option<&str>)| {
            let servers: Vec<_> = server.iter().map(|server| server.parse().unwrap()).collect();
            let upstream = Upstream::new(name.trim_end_matches('.'), &servers, OwnLives::default());
            let apex = Apex { upstream: Some(Arc::new(upstream)), ..Apex::of(*name, &[]) };
            let plan =
                EnumPlan { apexes: vec![apex], parallel: false, within_ms: 400, results: Results::Uris };
            let then = Then::Enum(Box::new(EnumRoute {
                plan,
                answer: Answer::refusal(&RouteTable::default()),
                attributes: None,
                despite_di: false,
                not_found: NotFound::default(),
                failed: Failed::default(),
            }));
            Route { name: "enum".into(), place: Place::default(), when: Vec::new(), set: Vec::new(), then }
        };
        RouteTable { routes: apexes.iter().map(route).collect(), ..RouteTable::default() }
    }

    fn told(table: &RouteTable, query: &str) -> String {
        let questions = match Wanted::read(query) {
            Ok(wanted) => wanted.questions(table),
            Err(what) => return what,
        };
        let one = |question: &Question| match question.upstream() {
            Some(upstream) => format!("{}{:?}", upstream.label(), upstream.servers()),
            None => "plain".to_owned(),
        };
        questions.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_question_is_looked_for_as_the_apexes_of_the_table_put_it() {
        let table = table(&[
            ("e164.arpa.", None),
            ("e164.example.net.", Some("192.0.2.1:53")),
            ("e164.example.net.", Some("192.0.2.2:53")),
            ("e164.example.net.", Some("192.0.2.2:53")),
        ]);
        for (query, expected) in [
            ("name=4.4.e164.arpa&type=naptr", "plain e164.arpa[]"),
            ("name=example.net&type=A", "plain"),
            (
                "name=4.4.e164.example.net.&type=NAPTR",
                "plain e164.example.net[192.0.2.1:53] e164.example.net[192.0.2.2:53]",
            ),
            (
                "name=x.org&type=NAPTR&apex=E164.example.net.&server=192.0.2.2%3A53",
                "e164.example.net[192.0.2.2:53]",
            ),
            ("name=4.4.e164.arpa&type=NAPTR&apex=e164.org", ""),
            ("type=A", "there is no name"),
            ("name=a.example", "there is no type"),
            ("name=a.example&type=MX", "type: found \"MX\""),
            ("name=a..b&type=A", "name: \"a..b\" is not a name of DNS"),
            ("name=%ff&type=A", "name is not UTF-8"),
            ("name=a.example&type=A&server=here", "server: found \"here\""),
            ("nmae=a", "there is no parameter \"nmae\""),
        ] {
            assert_eq!(told(&table, query), expected, "{query}");
        }
    }

    #[test]
    fn no_more_servers_and_apexes_are_looked_at_than_may_be() {
        let names: Vec<_> =
            (0..=CACHE_LOOK_UPSTREAMS_MAX).map(|port| format!("192.0.2.1:{}", port + 1)).collect();
        let apexes: Vec<_> = names.iter().map(|name| ("e164.arpa.", Some(&**name))).collect();
        let wanted = Wanted::read("name=4.e164.arpa&type=NAPTR").unwrap();
        assert_eq!(wanted.questions(&table(&apexes)).len(), CACHE_LOOK_UPSTREAMS_MAX);
        let query = |count| format!("name=a.b&type=A{}", "&server=192.0.2.1:53".repeat(count));
        assert!(Wanted::read(&query(DNS_SERVERS_MAX)).is_ok());
        assert!(Wanted::read(&query(DNS_SERVERS_MAX + 1)).is_err());
    }
}
