//! Outside. `GET /api/v1/gateways`: the gateways in service, and the groups that each is in.
//!
//! In:    nothing.
//! Out:   [`GatewaysTold`].
//! Never: sends a gateway anything.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Admin, answer::json};
use crate::route::RouteTable;

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
}

/// A gateway's place in a group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Membership")]
struct MembershipTold {
    group: String,
    tier: u16,
    weight: u32,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.table().load();
    let gateways = gateways(&snapshot.table);
    json(StatusCode::OK, &GatewaysTold { generation: snapshot.generation, gateways })
}

fn gateways(table: &RouteTable) -> Vec<GatewayTold> {
    let mut groups = vec![Vec::new(); table.gateways.len()];
    for group in &table.groups {
        for member in &group.members {
            if let Some(groups) = groups.get_mut(member.gateway) {
                let (tier, weight) = (member.tier, member.weight);
                groups.push(MembershipTold { group: group.name.to_string(), tier, weight });
            }
        }
    }
    let told = |(gateway, groups): (&crate::route::Gateway, _)| GatewayTold {
        name: gateway.name.to_string(),
        uri: gateway.written.to_string(),
        file: gateway.place.file.to_string(),
        line: gateway.place.line,
        groups,
    };
    table.gateways.iter().zip(groups).map(told).collect()
}
