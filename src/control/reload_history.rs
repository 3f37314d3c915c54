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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::file::{Source, parse};

    fn table(text: &str) -> RouteTable {
        let source = Source { path: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
        parse(&[source]).unwrap().build_from(&|_| Ok(Vec::new())).unwrap().0
    }

    fn past(result: Outcome, unix_s: i64) -> Past {
        let report = Report {
            result,
            generation: 1,
            hash: String::new(),
            routes: 0,
            duration_ms: 0,
            error: None,
            diagnostics: Vec::new(),
            files_at_fault: false,
        };
        Past { unix_s, causes: vec!["HTTP".to_owned()], times: 1, report, changes: None }
    }

    fn kept(history: &History) -> Vec<(i64, u64)> {
        history.iter().map(|past| (past.unix_s, past.times)).collect()
    }

    #[test]
    fn the_oldest_reload_makes_room_and_what_is_no_news_takes_none() {
        let mut history = History::default();
        for unix_s in 0..=i64::try_from(RELOADS_KEPT_MAX).unwrap() {
            history.add(past(Outcome::Loaded, unix_s), true);
        }
        assert_eq!(history.iter().count(), RELOADS_KEPT_MAX);
        assert_eq!(history.iter().last().map(|past| past.unix_s), Some(1));

        let mut history = History::default();
        for (outcome, unix_s, is_news) in [
            (Outcome::Failed, 1, true),
            (Outcome::Failed, 2, false),
            (Outcome::Failed, 3, false),
            (Outcome::Failed, 4, true),
            (Outcome::Unchanged, 5, false),
            (Outcome::Unchanged, 6, false),
            (Outcome::Loaded, 7, true),
        ] {
            history.add(past(outcome, unix_s), is_news);
        }
        assert_eq!(kept(&history), [(7, 1), (6, 2), (4, 1), (3, 3)]);
    }

    #[test]
    fn routes_are_told_apart_by_their_names_and_compared_by_what_they_do() {
        let old = "gateways: { a: sip:a.example }\nroutes:\n  - { name: uk, when: { number: '+44*' }, answer: { contacts: [a] } }\n  - { name: rest, answer: 404 }\n";
        let changes = |new: &str| Changes::between(&table(old), &table(new));
        let none = Changes { added: 0, removed: 0, changed: Some(0) };
        assert_eq!(changes(old), none);
        assert_eq!(changes(&old.replace("routes:", "# moved\nroutes:")), none, "its place is no part of it");
        assert_eq!(changes(&old.replace("+44*", "+441*")), Changes { changed: Some(1), ..none });
        assert_eq!(changes(&old.replace("404", "480")), Changes { changed: Some(1), ..none });
        assert_eq!(
            changes(&old.replace("name: rest", "name: all")),
            Changes { added: 1, removed: 1, ..none }
        );
        let moved = old.replace("gateways: {", "gateways: { b: sip:b.example,").replace("[a]", "[b, a]");
        assert_eq!(changes(&moved), Changes { changed: None, ..none }, "another gateway came before it");
    }
}
