//! Outside. `POST /diff`: calls in, which of them a reload would answer differently out.
//!
//! In:    the calls as the body, of a bounded length; text/plain is numbers, text/csv is CSV.
//! Out:   the [`Compared`] of `waypost diff --json`, or why not, as a refused reload has it.
//! Never: holds the control thread up: the work is done on a thread beside, one at a time.

use std::sync::Arc;

use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

use super::{
    super::diff::{Compared, Differ, DifferError},
    Admin,
    answer::json,
};
use crate::{
    compare::Format,
    limits::{ADMIN_BODY_MS_MAX, DIAGNOSTICS_MAX, DIFF_BODY_BYTES_MAX, DIFF_SHOWN_DEFAULT, DIFF_SHOWN_MAX},
    route::file::Diagnostic,
};

/// A refusal: the status, and the body.
type Refused = (StatusCode, NotCompared);

/// Why there is no comparison.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NotCompared {
    /// Always `failed`.
    result: &'static str,
    error: String,
    /// What is wrong with the route files, place by place.
    diagnostics: Vec<Diagnostic>,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    match compare(Arc::clone(&admin.differ), Arc::clone(&admin.rooms.diffs), request).await {
        Ok(compared) => json(StatusCode::OK, &compared),
        Err((status, refused)) => json(status, &refused),
    }
}

async fn compare(differ: Arc<Differ>, room: Arc<Semaphore>, request: Request) -> Result<Compared, Refused> {
    let format = format(request.headers())?;
    let shown_max = shown_max(request.uri().query().unwrap_or_default())?;
    let place = room
        .try_acquire_owned()
        .map_err(|_| refused(StatusCode::SERVICE_UNAVAILABLE, "another comparison is under way"))?;
    let within = Duration::from_millis(ADMIN_BODY_MS_MAX);
    let calls = match timeout(within, to_bytes(request.into_body(), DIFF_BODY_BYTES_MAX)).await {
        Ok(Ok(calls)) => calls,
        Ok(Err(_)) => {
            let why = format!("the calls did not come whole, or are longer than {DIFF_BODY_BYTES_MAX} bytes");
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, &why));
        }
        Err(_) => {
            let why = format!("the calls did not come within {} s", within.as_secs());
            return Err(refused(StatusCode::REQUEST_TIMEOUT, &why));
        }
    };
    let compared = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, should the caller go before it.
        let _place = place;
        differ.compare(&calls, format, shown_max)
    });
    match compared.await {
        Ok(Ok(compared)) => Ok(compared),
        Ok(Err(error)) => Err(not_compared(&error)),
        Err(error) => Err(refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())),
    }
}

fn refused(status: StatusCode, why: &str) -> Refused {
    (status, NotCompared { result: "failed", error: why.to_owned(), diagnostics: Vec::new() })
}

fn not_compared(error: &DifferError) -> Refused {
    let (status, diagnostics) = match error {
        DifferError::Refused(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.diagnostics()),
        DifferError::Calls(_) => (StatusCode::BAD_REQUEST, &[][..]),
        DifferError::NoListener => (StatusCode::INTERNAL_SERVER_ERROR, &[][..]),
    };
    let diagnostics = diagnostics.iter().take(DIAGNOSTICS_MAX).cloned().collect();
    (status, NotCompared { result: "failed", error: error.to_string(), diagnostics })
}

fn format(headers: &HeaderMap) -> Result<Format, Refused> {
    let Some(written) = headers.get(header::CONTENT_TYPE) else { return Ok(Format::Auto) };
    let written = written.to_str().unwrap_or_default();
    let media = written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "text/plain" => Ok(Format::Numbers),
        "text/csv" => Ok(Format::Csv),
        _ => {
            let why = "expected calls as text/plain (numbers and URIs) or text/csv, as with curl -H 'Content-Type: text/csv'";
            Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
        }
    }
}

fn shown_max(query: &str) -> Result<usize, Refused> {
    if query.is_empty() {
        return Ok(DIFF_SHOWN_DEFAULT);
    }
    let limit = query.strip_prefix("limit=").and_then(|limit| limit.parse().ok());
    limit.filter(|limit| *limit <= DIFF_SHOWN_MAX).ok_or_else(|| {
        refused(StatusCode::BAD_REQUEST, &format!("expected ?limit=N with N from 0 to {DIFF_SHOWN_MAX}"))
    })
}
