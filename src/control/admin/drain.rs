//! Outside. `POST /api/v1/drain` and `/undrain`: whether load balancers send calls here.
//!
//! In:    the order.
//! Out:   how it stands then.
//! Never: refuses a call that comes nevertheless.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Admin,
    answer::{Problem, json},
};
use crate::net::Order;

/// How it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Draining {
    /// Whether /readyz and OPTIONS to the server say 503.
    draining: bool,
}

pub(super) async fn drain(State(admin): State<Arc<Admin>>) -> Response {
    admin.readiness.drain();
    ordered(&admin, Order::Drain)
}

pub(super) async fn undrain(State(admin): State<Arc<Admin>>) -> Response {
    if !admin.readiness.undrain() {
        return Problem::of("the server was told to end, and does: there is nothing to undrain")
            .answer(StatusCode::CONFLICT);
    }
    ordered(&admin, Order::Undrain)
}

fn ordered(admin: &Admin, order: Order) -> Response {
    let draining = admin.readiness.is_draining();
    tracing::info!(
        "{}, asked by the admin port",
        if draining { "draining" } else { "not draining any more" }
    );
    admin.dns_cache.handles.iter().for_each(|handle| handle.order(order));
    json(StatusCode::OK, &Draining { draining })
}
