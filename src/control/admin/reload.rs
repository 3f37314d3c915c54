//! Outside. `POST /-/reload`: what came of it.
//!
//! In:    a request, without a body.
//! Out:   the [`Report`](super::super::reload::Report) as JSON.
//! Never: holds the control thread up: the load is done on its own thread.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    super::reload::{Cause, Outcome, Refused},
    Admin,
    answer::json,
};

/// Why nothing was loaded.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NotReloaded {
    result: Outcome,
    error: String,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>) -> Response {
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
            let report = NotReloaded { result: Outcome::Failed, error: refused.to_string() };
            json(StatusCode::SERVICE_UNAVAILABLE, &report)
        }
    }
}
