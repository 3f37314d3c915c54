//! Outside. Who may ask the admin port for what.
//!
//! In:    where the port is, its token; the head of a request.
//! Out:   leave, or why not and what to do.
//! Never: lets a page of another site do anything, be its reader logged in or not; looks at a body.
//!
//! Metrics and probes are for everyone. The files of the operator's page are served where the rest is, but without a
//! token, for the page is what asks for it; nothing in them is secret. For the rest: beyond this machine only with the token; with a token, never
//! without it; on loopback without a token only by an address or `localhost`, for a name in Host may be one that a
//! stranger's DNS leads here. A browser says where a request comes from (Sec-Fetch-Site, Origin), and a page of
//! another site can send neither JSON nor a header of its own unasked.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{Admin, answer::Problem, page, token::Token};
use crate::config::AdminPlace;

/// What everybody may ask for.
pub(super) const OPEN: [&str; 3] = ["/metrics", "/healthz", "/readyz"];
/// What begins so can be changed by a request that a page of another site cannot send.
const API: &str = "/api/";
/// A header that says as much as a body in JSON.
const OWN_HEADER: &str = "x-waypost";

/// Who may ask.
#[derive(Clone, Debug)]
pub struct Access {
    reach: Reach,
    token: Option<Arc<Token>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Socket,
    Loopback,
    Exposed,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error(
        "this port can be reached from other machines and has no token: it answers /metrics, /healthz and /readyz only; set admin: {{address: …, token_file: FILE}} in the configuration, or ask on loopback or a Unix socket"
    )]
    Exposed,
    #[error(
        "this port wants its token, and there was none: send Authorization: Bearer TOKEN, or use waypost ctl --token-file FILE"
    )]
    NoToken,
    #[error("this is not the token of this port")]
    WrongToken,
    #[error(
        "Host names a place that may not be this one: ask for it by an address, as 127.0.0.1, or localhost; or set a token (admin: {{address: …, token_file: FILE}})"
    )]
    Host,
    #[error("this comes from a page of another site; ask from where this port is")]
    OtherSite,
    #[error(
        "a change must come as Content-Type: application/json or with the header X-Waypost: 1, which no page of another site can send"
    )]
    NoSign,
}

impl Access {
    /// To a port at this place.
    #[must_use]
    pub fn to(place: &AdminPlace, token: Option<Arc<Token>>) -> Self {
        let reach = match place {
            AdminPlace::Unix(_) => Reach::Socket,
            AdminPlace::Tcp(_) if place.is_local() => Reach::Loopback,
            AdminPlace::Tcp(_) => Reach::Exposed,
        };
        Self { reach, token }
    }

    fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        if OPEN.contains(&path) {
            return Ok(());
        }
        match (&self.token, self.reach) {
            (Some(_), _) if !wants_token(path) => {}
            (Some(token), _) => check_token(token, headers)?,
            (None, Reach::Exposed) => return Err(Refusal::Exposed),
            (None, Reach::Loopback) => check_host(headers)?,
            (None, Reach::Socket) => {}
        }
        // A link to the page may stand anywhere.
        if page::has(path) {
            return Ok(());
        }
        check_site(headers)?;
        let changes = !matches!(*method, Method::GET | Method::HEAD);
        if changes && path.starts_with(API) && !is_json(headers) && !headers.contains_key(OWN_HEADER) {
            return Err(Refusal::NoSign);
        }
        Ok(())
    }
}

/// Whether a port that has a token wants it for this path.
pub(super) fn wants_token(path: &str) -> bool {
    !OPEN.contains(&path) && !page::has(path)
}

/// Before every resource.
pub(super) async fn guard(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    match admin.access.check(request.method(), request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into(),
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let problem = Problem::of(refusal);
        match refusal {
            // RFC 6750 §3: a word on what is wrong only where a token was shown.
            Refusal::NoToken => problem
                .with(StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer realm=\"waypost\"")]),
            Refusal::WrongToken => problem.with(
                StatusCode::UNAUTHORIZED,
                [(header::WWW_AUTHENTICATE, "Bearer realm=\"waypost\", error=\"invalid_token\"")],
            ),
            _ => problem.answer(StatusCode::FORBIDDEN),
        }
    }
}

/// RFC 6750 §2.1. The scheme is in any case (RFC 9110 §11.1).
fn check_token(token: &Token, headers: &HeaderMap) -> Result<(), Refusal> {
    let shown = headers.get(header::AUTHORIZATION).ok_or(Refusal::NoToken)?.as_bytes();
    let (scheme, shown) = shown.split_at_checked(7).ok_or(Refusal::NoToken)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Err(Refusal::NoToken);
    }
    if token.is(shown.trim_ascii()) { Ok(()) } else { Err(Refusal::WrongToken) }
}

/// A name may be anybody's; an address is the one that was connected to, or the request did not come by DNS.
fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(host) = headers.get(header::HOST) else { return Ok(()) };
    let host = host_of(host.to_str().map_err(|_| Refusal::Host)?);
    let is_ours = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok();
    if is_ours { Ok(()) } else { Err(Refusal::Host) }
}

/// What a browser says of the page that asks. Other clients say nothing.
fn check_site(headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(site) = headers.get("sec-fetch-site") {
        let is_ours = [&b"same-origin"[..], b"none"].contains(&site.as_bytes());
        return if is_ours { Ok(()) } else { Err(Refusal::OtherSite) };
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin, host) {
        (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Refusal::OtherSite),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|written| written.to_str().ok());
    let media = media.and_then(|written| written.split(';').next()).unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json")
}

/// Without port and brackets.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(place: &str, token: Option<&Arc<Token>>) -> Access {
        Access::to(&AdminPlace::parse(place).unwrap(), token.cloned())
    }

    fn check(access: &Access, request: &str, headers: &[(&'static str, &str)]) -> Result<(), Refusal> {
        let (method, path) = request.split_once(' ').unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        access.check(&method.parse().unwrap(), path, &map)
    }

    const STATUS: &str = "GET /api/v1/status";
    const DRAIN: &str = "POST /api/v1/drain";
    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[test]
    fn beyond_this_machine_only_metrics_and_probes_are_open() {
        for (place, expected) in [
            ("0.0.0.0:9560", Err(Refusal::Exposed)),
            ("[::]:9560", Err(Refusal::Exposed)),
            ("192.0.2.1:9560", Err(Refusal::Exposed)),
            ("127.0.0.2:9560", Ok(())),
            ("[::1]:9560", Ok(())),
            ("[::ffff:127.0.0.1]:9560", Ok(())),
            ("unix:/run/a", Ok(())),
        ] {
            let access = access(place, None);
            for request in [STATUS, "GET /dns/cache", "POST /-/reload", "GET /no-such-path"] {
                assert_eq!(check(&access, request, &[]), expected, "{place} {request}");
            }
            for open in OPEN {
                assert_eq!(check(&access, &format!("GET {open}"), &[("host", "prometheus.example")]), Ok(()));
            }
        }
    }

    #[test]
    fn with_a_token_nobody_is_let_in_without_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t"), "0123456789abcdef\n").unwrap();
        let token = Arc::new(Token::read(&dir.path().join("t")).unwrap());
        for place in ["0.0.0.0:9560", "127.0.0.1:9560", "unix:/run/a"] {
            let access = access(place, Some(&token));
            for (shown, expected) in [
                ("Bearer 0123456789abcdef", Ok(())),
                ("bearer  0123456789abcdef", Ok(())),
                ("Bearer 0123456789abcdeg", Err(Refusal::WrongToken)),
                ("Bearer ", Err(Refusal::WrongToken)),
                ("Basic 0123456789abcdef", Err(Refusal::NoToken)),
                ("0123456789abcdef", Err(Refusal::NoToken)),
                ("", Err(Refusal::NoToken)),
            ] {
                // Whoever has the token may come by any name.
                let headers = [("authorization", shown), ("host", "waypost.example")];
                assert_eq!(check(&access, STATUS, &headers), expected, "{place} {shown:?}");
            }
            assert_eq!(check(&access, STATUS, &[]), Err(Refusal::NoToken));
            assert_eq!(check(&access, "GET /metrics", &[]), Ok(()));
        }
    }

    #[test]
    fn the_page_comes_before_the_token_but_only_where_the_rest_is() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t"), "0123456789abcdef\n").unwrap();
        let token = Arc::new(Token::read(&dir.path().join("t")).unwrap());
        let by_link = [("host", "waypost.example"), ("sec-fetch-site", "cross-site")];
        for file in &page::FILES {
            let request = format!("GET {}", file.path);
            assert_eq!(check(&access("0.0.0.0:9560", Some(&token)), &request, &by_link), Ok(()));
            assert_eq!(check(&access("0.0.0.0:9560", None), &request, &[]), Err(Refusal::Exposed));
            assert_eq!(check(&access("127.0.0.1:9560", None), &request, &by_link), Err(Refusal::Host));
            assert_eq!(check(&access("127.0.0.1:9560", None), &request, &by_link[1..]), Ok(()));
        }
        assert_eq!(check(&access("0.0.0.0:9560", Some(&token)), STATUS, &by_link), Err(Refusal::NoToken));
    }

    #[test]
    fn a_name_that_dns_leads_here_is_no_way_in() {
        let access = access("127.0.0.1:9560", None);
        for (host, expected) in [
            ("127.0.0.1:9560", Ok(())),
            ("127.0.0.1", Ok(())),
            ("[::1]:9560", Ok(())),
            ("localhost:9560", Ok(())),
            ("LOCALHOST", Ok(())),
            ("evil.example:9560", Err(Refusal::Host)),
            ("localhost.evil.example", Err(Refusal::Host)),
            ("127.0.0.1.evil.example", Err(Refusal::Host)),
            ("", Err(Refusal::Host)),
        ] {
            assert_eq!(check(&access, STATUS, &[("host", host)]), expected, "{host}");
        }
    }

    #[test]
    fn a_page_of_another_site_changes_and_reads_nothing() {
        let access = access("127.0.0.1:9560", None);
        let host = ("host", "127.0.0.1:9560");
        for (headers, expected) in [
            (vec![host, JSON], Ok(())),
            (vec![host, ("x-waypost", "1")], Ok(())),
            (vec![host], Err(Refusal::NoSign)),
            (vec![host, ("content-type", "text/plain")], Err(Refusal::NoSign)),
            (vec![host, JSON, ("origin", "http://127.0.0.1:9560")], Ok(())),
            (vec![host, JSON, ("sec-fetch-site", "same-origin")], Ok(())),
            (vec![host, JSON, ("sec-fetch-site", "none")], Ok(())),
            (vec![host, JSON, ("origin", "http://127.0.0.1:80")], Err(Refusal::OtherSite)),
            (vec![host, JSON, ("origin", "https://evil.example")], Err(Refusal::OtherSite)),
            (vec![host, JSON, ("origin", "null")], Err(Refusal::OtherSite)),
            (vec![host, JSON, ("sec-fetch-site", "cross-site")], Err(Refusal::OtherSite)),
            (vec![host, JSON, ("sec-fetch-site", "same-site")], Err(Refusal::OtherSite)),
        ] {
            assert_eq!(check(&access, DRAIN, &headers), expected, "{headers:?}");
        }
        // What curl sends to the paths of old is no page's doing; what a page sends is.
        assert_eq!(check(&access, "POST /-/reload", &[host]), Ok(()));
        for request in ["POST /-/reload", "POST /diff", STATUS] {
            let of_a_page = [host, ("origin", "https://evil.example")];
            assert_eq!(check(&access, request, &of_a_page), Err(Refusal::OtherSite), "{request}");
        }
    }
}
