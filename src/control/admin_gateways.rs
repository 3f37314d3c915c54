//! Outside. `POST /gateways/NAME/down`, `up` and `auto`: what an operator says of a gateway.
//!
//! In:    the name of a gateway of the routes in service, and the mark.
//! Out:   its state as JSON; 404 when there is no such gateway, or no such mark.
//! Never: changes a route file: a restart forgets the marks.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::health::Gateways;
use crate::health::Mark;

/// Marks a gateway.
pub(super) fn mark(gateways: &Gateways, name: &str, mark: &str) -> (StatusCode, Value) {
    let Some(mark) = [Mark::Auto, Mark::Up, Mark::Down].into_iter().find(|known| known.name() == mark) else {
        return not_found(&format!("a gateway is marked down, up or auto, not {mark}"));
    };
    match gateways.mark(name, mark) {
        Ok(state) => (StatusCode::OK, json!(state)),
        Err(error) => not_found(&error.to_string()),
    }
}

fn not_found(error: &str) -> (StatusCode, Value) {
    (StatusCode::NOT_FOUND, json!({ "error": error }))
}
