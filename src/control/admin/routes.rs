//! Outside. `GET /api/v1/routes`: the routes in service, where each is written, how often and when it last answered.
//!
//! In:    `limit`, `from` (the place of the first one), `name` (a part of it).
//! Out:   [`RoutesTold`].
//! Never: asks a loop; tells more than [`ROUTES_SHOWN_MAX`] at once.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Admin,
    answer::{Problem, told},
    query::{number, pairs},
};
use crate::{
    limits::{ROUTES_MAX, ROUTES_SHOWN_DEFAULT, ROUTES_SHOWN_MAX},
    route::RouteTable,
    snapshot::Snapshot,
};

/// Some of the routes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Routes")]
pub(super) struct RoutesTold {
    /// Of the table that they are in.
    generation: u64,
    /// All those that have the name asked for.
    total: usize,
    /// In the order of the table.
    routes: Vec<RouteTold>,
}

/// A route in service.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Route")]
struct RouteTold {
    name: String,
    /// The list that it stands in.
    list: Option<String>,
    /// In the routes directory.
    file: String,
    line: u32,
    /// Answers since the start. Routes of one name share one count.
    hits: u64,
    /// The second of the last one; null when there was none yet.
    last_hit_unix_s: Option<i64>,
}

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    limit: usize,
    from: usize,
    name: Option<String>,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let wanted = Wanted::read(query.as_deref().unwrap_or_default());
    told(match wanted {
        Err(what) => Err((StatusCode::BAD_REQUEST, Problem::of(what))),
        // A hundred thousand counters are read beside the control thread.
        Ok(wanted) => tokio::task::spawn_blocking(move || wanted.of(&admin))
            .await
            .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, Problem::of(error))),
    })
}

impl Wanted {
    fn read(query: &str) -> Result<Self, String> {
        let mut wanted = Self { limit: ROUTES_SHOWN_DEFAULT, from: 0, name: None };
        for pair in pairs(query) {
            match pair? {
                ("limit", value) => wanted.limit = number("limit", &value, ROUTES_SHOWN_MAX)?,
                ("from", value) => wanted.from = number("from", &value, ROUTES_MAX)?,
                ("name", value) => wanted.name = Some(value),
                (key, _) => {
                    return Err(format!("there is no parameter \"{key}\", expected limit, from or name"));
                }
            }
        }
        Ok(wanted)
    }

    fn of(&self, admin: &Admin) -> RoutesTold {
        let snapshot = admin.table().load_full();
        let (hits, lists) = (admin.sampling.hits(), lists(&snapshot.table));
        let last = hits.of(&snapshot);
        let is_wanted = |(_, (name, _)): &(usize, (&str, u64))| {
            self.name.as_deref().is_none_or(|wanted| name.contains(wanted))
        };
        let total = snapshot.hits_by_name().enumerate().filter(is_wanted).count();
        let route = |(index, (name, hits)): (usize, (&str, u64))| {
            let place = snapshot.table.routes.get(index).map(|route| &route.place);
            RouteTold {
                name: name.to_owned(),
                list: lists.get(index).copied().flatten().map(str::to_owned),
                file: place.map(|place| place.file.to_string()).unwrap_or_default(),
                line: place.map_or(0, |place| place.line),
                hits,
                last_hit_unix_s: last(index),
            }
        };
        let routes = wanted_of(&snapshot, is_wanted).skip(self.from).take(self.limit).map(route).collect();
        RoutesTold { generation: snapshot.generation, total, routes }
    }
}

fn wanted_of<'s>(
    snapshot: &'s Snapshot,
    is_wanted: impl Fn(&(usize, (&'s str, u64))) -> bool,
) -> impl Iterator<Item = (usize, (&'s str, u64))> {
    snapshot.hits_by_name().enumerate().filter(is_wanted)
}

/// The list of each route.
fn lists(table: &RouteTable) -> Vec<Option<&str>> {
    let mut lists = vec![None; table.routes.len()];
    for list in &table.lists {
        for route in &list.routes {
            if let Some(place) = lists.get_mut(*route) {
                *place = Some(&*list.name);
            }
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_routes_are_told_as_may_be() {
        let most = format!("limit={ROUTES_SHOWN_MAX}&from=7&name=a%20b");
        let wanted = Wanted { limit: ROUTES_SHOWN_MAX, from: 7, name: Some("a b".to_owned()) };
        assert_eq!(Wanted::read(&most), Ok(wanted));
        assert_eq!(Wanted::read(""), Ok(Wanted { limit: ROUTES_SHOWN_DEFAULT, from: 0, name: None }));
        for (query, expected) in [
            (
                format!("limit={}", ROUTES_SHOWN_MAX + 1),
                "limit: found \"10001\", expected a number from 0 to 10000",
            ),
            ("from=x".to_owned(), "from: found \"x\", expected a number from 0 to 100000"),
            ("all".to_owned(), "there is no parameter \"all\", expected limit, from or name"),
            ("name=%ff".to_owned(), "name is not UTF-8"),
        ] {
            assert_eq!(Wanted::read(&query).unwrap_err(), expected);
        }
    }
}
