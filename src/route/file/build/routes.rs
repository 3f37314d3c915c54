//! Pure. One route: its name, conditions, settings and what it does.

use super::{Builder, names::shown};
use crate::route::{
    Condition, Route, Then,
    file::{marks::At, written::RouteWritten},
};

/// Longest name of a route, in bytes: it is a metric label.
const ROUTE_NAME_BYTES_MAX: usize = 64;

/// Digits in a row that no route name may have: it is a metric label, and must not hold a number.
const DIGITS_IN_A_ROW: usize = 7;

impl Builder<'_> {
    /// `default_name` is where the route stands, as FILE#N.
    pub(super) fn route(&mut self, at: At<'_>, written: &RouteWritten, default_name: String) -> Route {
        let name = written.name.as_ref().map_or(default_name, |name| name.0.clone());
        if let Some(fault) = route_name_fault(&name) {
            let kind = if written.name.is_some() { "name" } else { "default name, that of the file," };
            self.error(at.key("name"), format!("the {kind} `{name}` {fault}"));
        }
        let name_place = at.key("name").place();
        if let Some(first) = self.route_places.get(&name).map(shown) {
            self.findings
                .error(&name_place, format!("two routes are named `{name}`; the first is at {first}"));
        } else {
            self.route_places.insert(name.clone(), name_place);
        }
        let when =
            written.when.as_ref().map(|when| self.conditions(at.key("when"), when)).unwrap_or_default();
        let set = written.set.as_ref().map(|set| self.settings(at.key("set"), set)).unwrap_or_default();
        let then = self.then(at, written).unwrap_or(Then::Next);
        if written.set.is_none() && acts(written).next().is_none() && !when.iter().any(looks_up) {
            self.error(at, "the route does nothing; add `answer`, `dip`, `enum`, `jump`, `silence` or `set`");
        }
        Route { name: name.into(), place: at.place(), when, set, then }
    }

    fn then(&mut self, at: At<'_>, written: &RouteWritten) -> Option<Then> {
        let given: Vec<&str> = acts(written).collect();
        if let [first, second, ..] = given.as_slice() {
            let message =
                format!("both `{first}` and `{second}`; a route does one thing, so make two routes of it");
            self.error(at.key(second), message);
            return None;
        }
        if let Some(answer) = &written.answer {
            return self.answer(at.key("answer"), answer).map(|answer| Then::Answer(Box::new(answer)));
        }
        if let Some(lookup) = &written.enum_lookup {
            return self.enum_route(at.key("enum"), lookup).map(|lookup| Then::Enum(Box::new(lookup)));
        }
        if let Some(dip) = &written.dip {
            return self.dip(at.key("dip"), dip).map(|dip| Then::Dip(Box::new(dip)));
        }
        if let Some(list) = &written.jump {
            let list = self.names.lists.find_or_say("list", "lists", &list.0);
            // List 0 is the main one.
            return self.findings.ok(&at.key("jump").place(), list).map(|list| Then::Jump(list + 1));
        }
        match written.silence {
            Some(true) => Some(Then::Silence),
            Some(false) => {
                self.error(at.key("silence"), "`silence: false` does nothing; write true, or take it out");
                None
            }
            None => None,
        }
    }
}

/// The keys that say what the route does, as far as they are given.
fn acts(written: &RouteWritten) -> impl Iterator<Item = &'static str> {
    [
        ("dip", written.dip.is_some()),
        ("answer", written.answer.is_some()),
        ("enum", written.enum_lookup.is_some()),
        ("jump", written.jump.is_some()),
        ("silence", written.silence.is_some()),
    ]
    .into_iter()
    .filter(|(_, given)| *given)
    .map(|(key, _)| key)
}

/// A lookup is something done: the row it finds stands for the rest of the decision.
fn looks_up(condition: &Condition) -> bool {
    match condition {
        Condition::In(..) => true,
        Condition::Any(choices) => choices.iter().flatten().any(looks_up),
        _ => false,
    }
}

/// Why a text cannot name a route; the sentence lacks its subject.
fn route_name_fault(name: &str) -> Option<String> {
    if name.trim().is_empty() || name.len() > ROUTE_NAME_BYTES_MAX {
        return Some(format!("has {} bytes; expected 1 to {ROUTE_NAME_BYTES_MAX}", name.len()));
    }
    if name.contains(|char: char| char.is_control()) {
        return Some("holds a line break or control character".to_owned());
    }
    let digits = |text: &str| text.len() >= DIGITS_IN_A_ROW;
    if name.split(|char: char| !char.is_ascii_digit()).any(digits) {
        return Some(format!(
            "holds {DIGITS_IN_A_ROW} digits in a row; names are metric labels, and may not hold a phone number"
        ));
    }
    if has_address(name) {
        return Some("holds an IP address; names are metric labels, and may not hold one".to_owned());
    }
    None
}

fn has_address(name: &str) -> bool {
    let v4 = name
        .split(|char: char| !char.is_ascii_digit() && char != '.')
        .any(|word| word.trim_matches('.').parse::<std::net::Ipv4Addr>().is_ok());
    let v6 = name
        .split(|char: char| !char.is_ascii_hexdigit() && char != ':')
        .any(|word| word.len() > 2 && word.parse::<std::net::Ipv6Addr>().is_ok());
    v4 || v6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_names_hold_no_number_and_no_address() {
        for name in ["emergency", "ported numbers", "uk 441632", "1.2.3", "20-emergency#1", "a::b: c"] {
            assert_eq!(route_name_fault(name), None, "{name}");
        }
        for name in ["", " ", "to +4416320", "x 192.0.2.1 y", "x 2001:db8::1", "a\tb", &"x".repeat(65)] {
            assert!(route_name_fault(name).is_some(), "{name}");
        }
        assert_eq!(route_name_fault(&"x".repeat(64)), None);
    }
}
