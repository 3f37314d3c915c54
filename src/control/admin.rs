//! Outside. The admin HTTP port: metrics, probes, reload, the DNS cache.
//!
//! In:    HTTP/1.1 requests, one to a connection, heads and time bounded, bodies not looked at.
//! Out:   text for people and probes, JSON for `POST /-/reload` and `GET /dns/cache`.
//! Never: waits long for the loop, or makes it wait; keeps its own thread, which is the resolver's too, at
//! work for long; asks who the caller is: it listens on loopback unless told otherwise.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, RawQuery, Request, State},
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::limits::{
    ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_BYTES_MAX, ADMIN_HEAD_MS_MAX, ADMIN_REQUEST_MS_MAX, DIFFS_AT_ONCE_MAX,
    SCRAPES_AT_ONCE_MAX,
};

use super::{
    admin_diff,
    admin_dns::DnsCache,
    admin_gateways,
    diff::Differ,
    health::Gateways,
    metrics::{MEDIA_TYPE, Metrics},
    reload::{Cause, Outcome, Refused, Reloader},
};

/// What a load balancer should know.
#[derive(Debug, Default)]
pub struct Readiness {
    serving: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    /// The table is loaded and the listeners are bound.
    pub fn serve(&self) {
        self.serving.store(true, Ordering::Relaxed);
    }

    /// No new work, please.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// What is not ready.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if !self.serving.load(Ordering::Relaxed) {
            missing.push("the route table is not loaded");
        }
        if self.draining.load(Ordering::Relaxed) {
            missing.push("the server is draining");
        }
        missing
    }
}

/// What the port is about.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Admin {
    pub metrics: Metrics,
    pub reloader: Reloader,
    pub readiness: Arc<Readiness>,
    pub dns_cache: DnsCache,
    pub differ: Arc<Differ>,
    pub gateways: Gateways,
}

/// Paths, with the method and what they are for: what a wrong path is answered with.
const PATHS: [(&str, &str, &str); 7] = [
    ("GET", "/metrics", "metrics for Prometheus"),
    ("GET", "/healthz", "200 while the process runs"),
    ("GET", "/readyz", "200 while calls should be sent here, else 503 and why"),
    ("GET", "/dns/cache", "what DNS has said: ?name=NAME&type=NAPTR, SRV, A or AAAA"),
    ("POST", "/diff", "calls as the body: which would the route files of now answer differently? ?limit=N"),
    (
        "POST",
        "/gateways/NAME/down",
        "leaves a gateway out of Contact lists; up: never; auto: as its probes say",
    ),
    ("POST", "/-/reload", "reads the route files again: 200, or 422 with every fault and its place"),
];

/// Binds the port. The error names it and says what to do.
pub fn bind(address: SocketAddr) -> Result<StdListener, String> {
    let listen = || {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listen().map_err(|error: io::Error| {
        let remedy = if error.kind() == io::ErrorKind::AddrInUse {
            "another process has it; set `admin` to a free port, or to off"
        } else {
            "set `admin` to an address of this machine, or to off"
        };
        format!("admin address {address} cannot be had: {error}: {remedy}")
    })
}

/// Serves for ever.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    let router = router(admin);
    let room = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
                    drop(place);
                });
            }
            // Out of file descriptors, as a rule: it may be over in a moment.
            Err(error) => {
                tracing::warn!("admin port: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(ADMIN_HEAD_MS_MAX))
        .max_buf_size(ADMIN_HEAD_BYTES_MAX)
        // One request to a connection: an idle one must not hold a place.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let ended = tokio::time::timeout(Duration::from_millis(ADMIN_REQUEST_MS_MAX), serving).await;
    if let Ok(Err(error)) = ended {
        tracing::debug!("admin connection: {error}");
    }
}

fn router(admin: Arc<Admin>) -> Router {
    let scrapes = Arc::new(Semaphore::new(SCRAPES_AT_ONCE_MAX));
    let diffs = Arc::new(Semaphore::new(DIFFS_AT_ONCE_MAX));
    let diff = move |State(admin): State<Arc<Admin>>, request| diff(admin, diffs, request);
    let metrics = move |State(admin): State<Arc<Admin>>| metrics(admin, scrapes);
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/dns/cache", get(dns_cache))
        .route("/diff", post(diff))
        .route("/gateways/{name}/{mark}", post(mark_gateway))
        .route("/-/reload", post(reload))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(admin)
}

/// Rendered on a thread beside: it reads megabytes of /proc, and DNS answers would wait meanwhile.
async fn metrics(admin: Arc<Admin>, scrapes: Arc<Semaphore>) -> Response {
    let rendered = match scrapes.acquire_owned().await {
        Ok(place) => tokio::task::spawn_blocking(move || {
            // Held to the end of the work, should the caller go before it.
            let _place = place;
            admin.metrics.render().map_err(|error| error.to_string())
        })
        .await
        .unwrap_or_else(|error| Err(error.to_string())),
        Err(error) => Err(error.to_string()),
    };
    match rendered {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}\n")).into_response(),
    }
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let missing = admin.readiness.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    let text = missing.iter().map(|what| format!("not ready: {what}\n")).collect::<String>();
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn dns_cache(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let (status, shown) = admin.dns_cache.show(query.as_deref().unwrap_or_default()).await;
    json(status, &shown)
}

async fn diff(admin: Arc<Admin>, room: Arc<Semaphore>, request: Request) -> Response {
    match admin_diff::answer(Arc::clone(&admin.differ), room, request).await {
        Ok(compared) => json(StatusCode::OK, &compared),
        Err((status, refused)) => json(status, &refused),
    }
}

async fn mark_gateway(
    State(admin): State<Arc<Admin>>,
    Path((name, mark)): Path<(String, String)>,
) -> Response {
    let (status, shown) = admin_gateways::mark(&admin.gateways, &name, &mark);
    json(status, &shown)
}

async fn reload(State(admin): State<Arc<Admin>>) -> Response {
    let report = match admin.reloader.request(Cause::Http) {
        Ok(report) => report.await.map_err(|_| Refused::Ended),
        Err(refused) => Err(refused),
    };
    match report {
        Ok(report) => {
            let failed = report.result == Outcome::Failed;
            json(if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &report)
        }
        Err(refused) => {
            let report = serde_json::json!({ "result": Outcome::Failed, "error": refused.to_string() });
            json(StatusCode::SERVICE_UNAVAILABLE, &report)
        }
    }
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_string_pretty(value) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
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
