//! Outside. `GET /api/v1/rates`: what there was to do, second by second.
//!
//! In:    nothing.
//! Out:   the last minutes, the oldest second first.
//! Never: asks a loop.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Admin, answer::json};
use crate::control::rates::Second;

/// The last minutes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Rates")]
pub(super) struct RatesTold {
    /// The oldest first.
    seconds: Vec<Second>,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>) -> Response {
    let seconds = admin.sampling.rates().iter().copied().collect();
    json(StatusCode::OK, &RatesTold { seconds })
}
