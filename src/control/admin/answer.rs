//! Outside. Answers in JSON, and why there is none.
//!
//! In:    a value, or what is wrong.
//! Out:   a response.
//! Never: fails on a value that can be written.

use std::fmt::Display;

use axum::{
    body::to_bytes,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Duration, timeout};

use crate::limits::{ADMIN_BODY_BYTES_MAX, ADMIN_BODY_MS_MAX};

/// Why a request was not answered, and what to do.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    error: String,
}

impl Problem {
    pub(super) fn of(why: impl Display) -> Self {
        Self { error: why.to_string() }
    }

    pub(super) fn with<const N: usize>(
        self,
        status: StatusCode,
        headers: [(HeaderName, &'static str); N],
    ) -> Response {
        let mut response = self.answer(status);
        response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }

    pub(super) fn answer(&self, status: StatusCode) -> Response {
        json(status, self)
    }
}

/// A value with its status.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string_pretty(value) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// A value, or why there is none.
pub(super) fn told<T: Serialize>(answer: Result<T, (StatusCode, Problem)>) -> Response {
    match answer {
        Ok(value) => json(StatusCode::OK, &value),
        Err((status, problem)) => problem.answer(status),
    }
}

/// The body of a request, in bounded time.
pub(super) async fn body(request: Request, bytes_max: usize) -> Result<Vec<u8>, (StatusCode, Problem)> {
    let whole = timeout(Duration::from_millis(ADMIN_BODY_MS_MAX), to_bytes(request.into_body(), bytes_max));
    match whole.await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => {
            let why = format!("the body did not come whole, or is longer than {bytes_max} bytes");
            Err((StatusCode::PAYLOAD_TOO_LARGE, Problem::of(why)))
        }
        Err(_) => {
            let why = format!("the body did not come within {} s", ADMIN_BODY_MS_MAX / 1000);
            Err((StatusCode::REQUEST_TIMEOUT, Problem::of(why)))
        }
    }
}

/// The body of a request as JSON.
pub(super) async fn asked<T: DeserializeOwned>(request: Request) -> Result<T, (StatusCode, Problem)> {
    let bytes = body(request, ADMIN_BODY_BYTES_MAX).await?;
    // Nothing at all asks for nothing in particular.
    let bytes = if bytes.trim_ascii().is_empty() { b"{}" } else { &*bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        (StatusCode::BAD_REQUEST, Problem::of(format!("the body is not the JSON that is expected: {error}")))
    })
}
