//! Outside. `GET /healthz` and `GET /readyz`.
//!
//! In:    a probe.
//! Out:   200, or 503 with what is missing.
//! Never: asks a loop.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::Admin;

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let missing = admin.readiness.missing();
    if missing.is_empty() {
        let kept = admin.reloader.status().last_known_good;
        let more = if kept {
            "serving the last known good routes: those of now gave no table, see the log\n"
        } else {
            ""
        };
        return format!("ready\n{more}").into_response();
    }
    let text = missing.iter().map(|what| format!("not ready: {what}\n")).collect::<String>();
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
