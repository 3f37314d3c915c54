//! Pure. `routes:` and `lists:` of all files, and what can be wrong between routes.

use super::{Builder, DraftFile, names::shown, with_roots};
use crate::{
    limits::{JUMPS_MAX, ROUTES_MAX},
    route::{
        List, ListId, RouteId, Then,
        file::{marks::At, written::RouteWritten},
    },
};

impl Builder<'_> {
    pub(super) fn lists(&mut self, files: &[DraftFile]) {
        let mut main = Vec::new();
        for (file, root) in with_roots(files) {
            let written = file.written.routes.as_deref().unwrap_or_default();
            main.extend(self.routes(root.key("routes"), written, stem(&file.path)));
        }
        self.table.lists.push(List { name: "routes".into(), routes: main });
        for (file, root) in with_roots(files) {
            let section = root.key("lists");
            for (index, (name, written)) in file.written.lists.iter().flat_map(|it| &it.0).enumerate() {
                let prefix = format!("{}/{name}", stem(&file.path));
                let routes = self.routes(section.entry(index).1, written, &prefix);
                self.table.lists.push(List { name: name.as_str().into(), routes });
            }
        }
        self.check_jumps();
        self.check_reached();
        self.check_any_route(files);
    }

    fn routes(&mut self, at: At<'_>, written: &[RouteWritten], prefix: &str) -> Vec<RouteId> {
        let mut ids = Vec::new();
        for (index, route) in written.iter().enumerate() {
            let at = at.item(index);
            if self.table.routes.len() >= ROUTES_MAX {
                let message =
                    format!("more than {ROUTES_MAX} routes in all; put numbers into a table (`tables:`)");
                self.error(at, message);
                break;
            }
            let route = self.route(at, route, format!("{prefix}#{}", index + 1));
            ids.push(self.table.routes.len());
            self.table.routes.push(route);
        }
        ids
    }

    /// The lists a list jumps to, with the route that does.
    fn jumps(&self, list: ListId) -> Vec<(ListId, RouteId)> {
        let routes = self.table.lists.get(list).map(|list| list.routes.as_slice()).unwrap_or_default();
        let jump = |&id: &RouteId| match self.table.routes.get(id)?.then {
            Then::Jump(to) => Some((to, id)),
            _ => None,
        };
        routes.iter().filter_map(jump).collect()
    }

    /// Jumps may neither come back nor go deeper than the limit.
    fn check_jumps(&mut self) {
        let count = self.table.lists.len();
        // Jumps on the longest way from each list; lists are finished when all they jump to are.
        let mut depth: Vec<Option<usize>> = vec![None; count];
        let mut open = vec![false; count];
        for start in 0..count {
            let mut path: Vec<(ListId, Vec<(ListId, RouteId)>)> = Vec::new();
            if depth.get(start) == Some(&None) {
                path.push((start, self.jumps(start)));
                mark(&mut open, start, true);
            }
            while let Some((list, jumps)) = path.last_mut() {
                let list = *list;
                match jumps.pop() {
                    Some((to, route)) if open.get(to) == Some(&true) => {
                        let way: Vec<ListId> = path.iter().map(|(list, _)| *list).collect();
                        self.say_cycle(&way, to, route);
                    }
                    Some((to, _)) if depth.get(to) == Some(&None) => {
                        path.push((to, self.jumps(to)));
                        mark(&mut open, to, true);
                    }
                    Some(_) => {}
                    None => {
                        let deepest = self
                            .jumps(list)
                            .into_iter()
                            .filter_map(|(to, _)| depth.get(to).copied().flatten());
                        let here = deepest.map(|below| below + 1).max().unwrap_or(0);
                        if let Some(done) = depth.get_mut(list) {
                            *done = Some(here);
                        }
                        mark(&mut open, list, false);
                        path.pop();
                    }
                }
            }
        }
        let below = |list: ListId| depth.get(list).copied().flatten().map_or(0, |below| below + 1);
        let deepest = self.jumps(0).into_iter().max_by_key(|&(to, _)| below(to));
        // The main list is one of those that the walk keeps in mind.
        if let Some((to, route)) = deepest.filter(|&(to, _)| below(to) >= JUMPS_MAX)
            && let Some(place) = self.table.routes.get(route).map(|route| route.place.clone())
        {
            let message = format!(
                "{} jumps one inside the other from here on; expected at most {}",
                below(to),
                JUMPS_MAX - 1
            );
            self.findings.error(&place, message);
        }
    }

    fn say_cycle(&mut self, way: &[ListId], to: ListId, route: RouteId) {
        let Some(place) = self.table.routes.get(route).map(|route| route.place.clone()) else { return };
        let name = |list: ListId| self.table.lists.get(list).map_or("", |list| &*list.name);
        let from = way.iter().position(|&list| list == to).unwrap_or(0);
        let mut names: Vec<&str> = way.iter().skip(from).map(|&list| name(list)).collect();
        names.push(name(to));
        let message =
            format!("the jump goes round in a circle: {}; take one of these jumps out", names.join(" → "));
        self.findings.error(&place, message);
    }

    /// A route after one that always acts is never tried.
    fn check_reached(&mut self) {
        let table = &self.table;
        for list in &table.lists {
            let mut routes = list.routes.iter().filter_map(|&id| table.routes.get(id));
            let Some(last) = routes.find(|route| route.when.is_empty() && always_acts(&route.then)) else {
                continue;
            };
            if let Some(unreached) = routes.next() {
                let rest = match routes.count() {
                    0 => String::new(),
                    1 => ", nor is the one after it".to_owned(),
                    more => format!(", nor are the {more} after it"),
                };
                let message = format!(
                    "never tried{rest}: the route `{}` at {} has no `when` and answers every call",
                    last.name,
                    shown(&last.place)
                );
                self.findings.warning(&unreached.place, message);
            }
        }
    }

    fn check_any_route(&mut self, files: &[DraftFile]) {
        if !self.table.routes.is_empty() || self.findings.has_errors() {
            return;
        }
        if let Some(file) = files.first() {
            let message = format!(
                "no file has `routes:`, so every call is refused with {}",
                self.table.defaults.no_route_code
            );
            self.findings.warning(&super::super::start_of(&file.path), message);
        }
    }
}

fn mark(marks: &mut [bool], at: usize, value: bool) {
    if let Some(mark) = marks.get_mut(at) {
        *mark = value;
    }
}

fn always_acts(then: &Then) -> bool {
    match then {
        Then::Silence => true,
        Then::Answer(answer) => answer.code >= 400 || answer.empty.is_some(),
        Then::Enum(lookup) => {
            lookup.attributes.is_none()
                && lookup.not_found.is_final()
                && lookup.failed.is_final()
                && lookup.answer.empty.is_some()
        }
        Then::Next | Then::Jump(_) | Then::Dip(_) => false,
    }
}

/// `30-default` of `routes/30-default.yaml`.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
