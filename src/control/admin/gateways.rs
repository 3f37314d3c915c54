//! Outside. `GET /api/v1/gateways`: the gateways in service, the groups that each is in, which are up; and `POST
//! /api/v1/gateways/NAME/down`, `up` and `auto`: what an operator says of one.
//!
//! In:    the name of a gateway of the routes in service.
//! Out:   [`GatewaysTold`], or the state of the one that was marked; 404 when there is no such gateway.
//! Never: sends a gateway anything, or changes a route file: a restart forgets the marks.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Admin,
    answer::{Problem, json, told},
};
use crate::{
    control::health::GatewayState,
    health::Mark,
    route::{Gateway, RouteTable},
};

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Gateways")]
pub(super) struct GatewaysTold {
    /// Of the route table that they belong to.
    generation: u64,
    gateways: Vec<GatewayTold>,
}

/// A gateway.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Gateway")]
struct GatewayTold {
    name: String,
    /// As the route file has it.
    uri: String,
    /// Where it is written, in the routes directory.
    file: String,
    line: u32,
    groups: Vec<MembershipTold>,
    #[serde(flatten)]
    state: GatewayState,
}

/// A gateway's place in a group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Membership")]
struct MembershipTold {
    group: String,
    tier: u16,
    weight: u32,
}

/// A gateway that was marked, as it is now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MarkedGateway")]
pub(super) struct Marked {
    name: String,
    #[serde(flatten)]
    state: GatewayState,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.table().load();
    let gateways = gateways(&snapshot.table, admin.gateways.states(&snapshot.table));
    json(StatusCode::OK, &GatewaysTold { generation: snapshot.generation, gateways })
}

/// The name in the path, or why there is none.
type Name = Result<Path<String>, PathRejection>;

pub(super) async fn down(State(admin): State<Arc<Admin>>, name: Name) -> Response {
    mark(&admin, name, Mark::Down)
}

pub(super) async fn up(State(admin): State<Arc<Admin>>, name: Name) -> Response {
    mark(&admin, name, Mark::Up)
}

pub(super) async fn auto(State(admin): State<Arc<Admin>>, name: Name) -> Response {
    mark(&admin, name, Mark::Auto)
}

fn mark(admin: &Admin, name: Name, mark: Mark) -> Response {
    let marked =
        name.map_err(|error| (StatusCode::BAD_REQUEST, Problem::of(error))).and_then(|Path(name)| {
            let state = admin.gateways.mark(&name, mark);
            let state = state.map_err(|error| (StatusCode::NOT_FOUND, Problem::of(error)))?;
            Ok(Marked { name, state })
        });
    told(marked)
}

fn gateways(table: &RouteTable, states: Vec<GatewayState>) -> Vec<GatewayTold> {
    let mut groups = vec![Vec::new(); table.gateways.len()];
    for group in &table.groups {
        for member in &group.members {
            if let Some(groups) = groups.get_mut(member.gateway) {
                let (tier, weight) = (member.tier, member.weight);
                groups.push(MembershipTold { group: group.name.to_string(), tier, weight });
            }
        }
    }
    let told = |((gateway, groups), state): ((&Gateway, _), _)| GatewayTold {
        name: gateway.name.to_string(),
        uri: gateway.written.to_string(),
        file: gateway.place.file.to_string(),
        line: gateway.place.line,
        groups,
        state,
    };
    table.gateways.iter().zip(groups).zip(states).map(told).collect()
}
