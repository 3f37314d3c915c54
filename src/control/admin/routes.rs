//! Outside. `GET /api/v1/routes`: the routes in service, where each is written, how often and when it last answered.
//!
//! In:    `limit`, `from` (how many to pass over), `name` (a part of it), `order`.
//! Out:   [`RoutesTold`].
//! Never: asks a loop; tells more than [`ROUTES_SHOWN_MAX`] at once.

use std::{cmp::Reverse, sync::Arc};

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
};

/// Some of the routes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Routes")]
pub(super) struct RoutesTold {
    /// Of the table that they are in.
    generation: u64,
    /// All those that have the name asked for.
    total: usize,
    /// In the order of the table, unless another one was asked for.
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
    order: Order,
}

/// Which come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Those that are tried first.
    Table,
    Name,
    /// Those that answered most.
    Hits,
    /// Those that answered last.
    Last,
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
        let mut wanted = Self { limit: ROUTES_SHOWN_DEFAULT, from: 0, name: None, order: Order::Table };
        for pair in pairs(query) {
            match pair? {
                ("limit", value) => wanted.limit = number("limit", &value, ROUTES_SHOWN_MAX)?,
                ("from", value) => wanted.from = number("from", &value, ROUTES_MAX)?,
                ("name", value) => wanted.name = Some(value),
                ("order", value) => wanted.order = Order::read(&value)?,
                (key, _) => {
                    return Err(format!(
                        "there is no parameter \"{key}\", expected limit, from, name or order"
                    ));
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
        let mut wanted: Vec<_> = snapshot.hits_by_name().enumerate().filter(is_wanted).collect();
        // Of two alike the one that is tried first comes first.
        match self.order {
            Order::Table => {}
            Order::Name => wanted.sort_by_key(|(_, (name, _))| *name),
            Order::Hits => wanted.sort_by_key(|(_, (_, hits))| Reverse(*hits)),
            Order::Last => wanted.sort_by_key(|(index, _)| Reverse(last(*index))),
        }
        let route = |&(index, (name, hits)): &(usize, (&str, u64))| {
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
        let routes = wanted.iter().skip(self.from).take(self.limit).map(route).collect();
        RoutesTold { generation: snapshot.generation, total: wanted.len(), routes }
    }
}

impl Order {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "name" => Ok(Self::Name),
            "hits" => Ok(Self::Hits),
            "last" => Ok(Self::Last),
            _ => Err(format!("order: found \"{text}\", expected table, name, hits or last")),
        }
    }
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
        let most = format!("limit={ROUTES_SHOWN_MAX}&from=7&name=a%20b&order=hits");
        let name = Some("a b".to_owned());
        let wanted = Wanted { limit: ROUTES_SHOWN_MAX, from: 7, name, order: Order::Hits };
        assert_eq!(Wanted::read(&most), Ok(wanted));
        assert_eq!(
            Wanted::read(""),
            Ok(Wanted { limit: ROUTES_SHOWN_DEFAULT, from: 0, name: None, order: Order::Table })
        );
        for (query, expected) in [
            (
                format!("limit={}", ROUTES_SHOWN_MAX + 1),
                "limit: found \"10001\", expected a number from 0 to 10000",
            ),
            ("from=x".to_owned(), "from: found \"x\", expected a number from 0 to 100000"),
            ("all".to_owned(), "there is no parameter \"all\", expected limit, from, name or order"),
            ("order=size".to_owned(), "order: found \"size\", expected table, name, hits or last"),
            ("name=%ff".to_owned(), "name is not UTF-8"),
        ] {
            assert_eq!(Wanted::read(&query).unwrap_err(), expected);
        }
    }
}
