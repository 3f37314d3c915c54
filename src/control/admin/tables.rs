//! Outside. `GET /api/v1/tables`: the number tables in service.
//!
//! In:    nothing.
//! Out:   [`TablesTold`].
//! Never: reads a file.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Admin, answer::json};
use crate::{numbers::Kind, route::NumberTable};

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tables")]
pub(super) struct TablesTold {
    /// Of the route table that they belong to.
    generation: u64,
    tables: Vec<TableTold>,
}

/// A number table.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NumberTable")]
struct TableTold {
    name: String,
    /// In the routes directory.
    file: String,
    kind: KindTold,
    /// Rows.
    entries: usize,
    /// Memory that it takes.
    bytes: usize,
    columns: Vec<String>,
}

/// What a look-up finds.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TableKind")]
enum KindTold {
    /// Whole numbers.
    Exact,
    /// The longest prefix.
    Prefix,
    /// The longest prefix, with a row for each carrier.
    Rates,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.table().load();
    let tables = snapshot.table.tables.iter().map(TableTold::of).collect();
    json(StatusCode::OK, &TablesTold { generation: snapshot.generation, tables })
}

impl TableTold {
    fn of(table: &NumberTable) -> Self {
        Self {
            name: table.name().to_owned(),
            file: table.file().to_owned(),
            kind: match table.table().shape().kind {
                Kind::Exact => KindTold::Exact,
                Kind::Prefix => KindTold::Prefix,
                Kind::Deck => KindTold::Rates,
            },
            entries: table.len(),
            bytes: table.table().resident_bytes(),
            columns: table.columns().iter().map(|name| name.to_string()).collect(),
        }
    }
}
