//! Outside. Which path is answered by which resource.
//!
//! In:    requests.
//! Out:   the answer of the resource; for a wrong path those that there are, for a wrong method the right one.
//! Never: knows what a resource does.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{Method, StatusCode, Uri},
    routing::{get, post},
};
use tokio::sync::Semaphore;

use super::{Admin, diff, dns_cache, probes, reload, scrape};
use crate::limits::{DIFFS_AT_ONCE_MAX, SCRAPES_AT_ONCE_MAX};

/// Paths, with the method and what they are for: what a wrong path is answered with.
const PATHS: [(&str, &str, &str); 6] = [
    ("GET", "/metrics", "metrics for Prometheus"),
    ("GET", "/healthz", "200 while the process runs"),
    ("GET", "/readyz", "200 while calls should be sent here, else 503 and why"),
    ("GET", "/dns/cache", "what DNS has said: ?name=NAME&type=NAPTR, SRV, A or AAAA"),
    ("POST", "/diff", "calls as the body: which would the route files of now answer differently? ?limit=N"),
    ("POST", "/-/reload", "reads the route files again: 200, or 422 with every fault and its place"),
];

/// All paths.
pub(super) fn router(admin: Arc<Admin>) -> Router {
    let scrapes = Arc::new(Semaphore::new(SCRAPES_AT_ONCE_MAX));
    let diffs = Arc::new(Semaphore::new(DIFFS_AT_ONCE_MAX));
    let diff = move |State(admin): State<Arc<Admin>>, request| diff::answer(admin, diffs, request);
    let metrics = move |State(admin): State<Arc<Admin>>| scrape::answer(admin, scrapes);
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/dns/cache", get(dns_cache::answer))
        .route("/diff", post(diff))
        .route("/-/reload", post(reload::answer))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(admin)
}

async fn not_found() -> Result<(StatusCode, String), Infallible> {
    let line = |(method, path, what): (&str, &str, &str)| format!("{method:<4} {path:<10} {what}\n");
    Ok((StatusCode::NOT_FOUND, PATHS.map(line).concat()))
}

/// The router adds Allow.
async fn not_allowed(method: Method, uri: Uri) -> (StatusCode, String) {
    let path = uri.path();
    let allowed =
        PATHS.iter().find(|(_, known, _)| *known == path).map_or("another method", |(allowed, ..)| allowed);
    (StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not for {path}, use {allowed}\n"))
}
