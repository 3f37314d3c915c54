//! Outside. Answers in JSON.
//!
//! In:    a value.
//! Out:   a response.
//! Never: fails on a value that can be written.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_string_pretty(value) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
