//! Outside. The last reloads: when, why, what came of each.
//!
//! In:    each reload, when it has ended.
//! Out:   the last [`RELOADS_KEPT_MAX`] of them, the newest first.
//! Never: keeps a table.

use std::collections::{HashMap, VecDeque};

use schemars::JsonSchema;
use serde::Serialize;

use super::reload::{Outcome, Report};
use crate::{
    limits::RELOADS_KEPT_MAX,
    route::{Route, RouteTable},
};

/// One reload, or several of the same kind one after the other.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Past {
    /// When the last of them ended, in seconds since 1970.
    pub unix_s: i64,
    /// Who asked: `SIGHUP`, `HTTP`, `a change of the files`.
    pub causes: Vec<String>,
    /// How many in a row came to the same: nothing changed, or the same fault in the same files.
    pub times: u64,
    /// What was told to those who asked.
    #[serde(flatten)]
    pub report: Report,
    /// What the new table has that the old one had not; nothing where no new one came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
}

/// Routes by their names, in the table before and in the table after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Changes {
    /// Only in the new one.
    pub added: usize,
    /// Only in the old one.
    pub removed: usize,
    /// In both, with other conditions, settings or deeds. None where gateways, groups, tables, lists or number
    /// rules came, went or moved: routes name them by their place.
    pub changed: Option<usize>,
}

/// The reloads kept.
#[derive(Clone, Debug, Default)]
pub struct History {
    newest_last: VecDeque<Past>,
}

impl History {
    /// Keeps one. What is no news is counted with the one before.
    pub fn add(&mut self, past: Past, is_news: bool) {
        if let Some(last) = self.newest_last.back_mut()
            && !is_news
            && (last.report.result, &last.report.error) == (past.report.result, &past.report.error)
            && last.report.result != Outcome::Loaded
            && last.causes == past.causes
        {
            let times = last.times.saturating_add(1);
            *last = Past { times, ..past };
            return;
        }
        if self.newest_last.len() >= RELOADS_KEPT_MAX {
            self.newest_last.pop_front();
        }
        self.newest_last.push_back(past);
    }

    /// The newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Past> {
        self.newest_last.iter().rev()
    }
}

impl Changes {
    /// From one table to the next.
    #[must_use]
    pub fn between(old: &RouteTable, new: &RouteTable) -> Self {
        let (before, after) = (by_name(old), by_name(new));
        let missing_in = |some: &ByName<'_>, others: &ByName<'_>| {
            some.keys().filter(|name| !others.contains_key(*name)).count()
        };
        let differs = |(name, routes): &(&&str, &Vec<&Route>)| {
            before.get(**name).is_some_and(|others| !are_alike(others, routes))
        };
        Self {
            added: missing_in(&after, &before),
            removed: missing_in(&before, &after),
            changed: names_of_parts(old)
                .eq(names_of_parts(new))
                .then(|| after.iter().filter(differs).count()),
        }
    }
}

type ByName<'t> = HashMap<&'t str, Vec<&'t Route>>;

fn by_name(table: &RouteTable) -> ByName<'_> {
    let mut routes = ByName::new();
    for route in &table.routes {
        routes.entry(&route.name).or_default().push(route);
    }
    routes
}

/// Where they stand in the file is no part of what they do.
fn are_alike(some: &[&Route], others: &[&Route]) -> bool {
    let meant = |route: &Route| format!("{:?} {:?} {:?}", route.when, route.set, route.then);
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| meant(one) == meant(other))
}

/// All that routes refer to by its place.
fn names_of_parts(table: &RouteTable) -> impl Iterator<Item = (u8, &str)> {
    let gateways = table.gateways.iter().map(|it| (0, &*it.name));
    let groups = table.groups.iter().map(|it| (1, &*it.name));
    let tables = table.tables.iter().map(|it| (2, it.name()));
    let lists = table.lists.iter().map(|it| (3, &*it.name));
    let normalisations = table.normalisations.iter().map(|it| (4, it.name()));
    gateways.chain(groups).chain(tables).chain(lists).chain(normalisations)
}
