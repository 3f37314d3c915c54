//! Pure. Old routes, new routes, calls: which would be answered differently, and how.
//!
//! In:    two route tables, one call at a time, the time for calendars.
//! Out:   the cause of each difference; a [`Report`] with all counts and the first calls that differ.
//! Never: asks DNS, knows a rule of its own: both sides are decided by [`crate::decide::decide`].
//!
//! A call that needs DNS is compared by the questions it asks, then by the answer it gets when DNS says
//! nothing: what DNS would say is not known here.

mod calls;
mod cause;
mod made;
mod report;
mod shown;

pub use calls::{Format, LineFault, Lines, Written};
pub use cause::Cause;
pub(crate) use cause::contacts;
pub use made::By;
pub use report::{Pair, PassedOver, Report, Skipped};
pub use shown::{CallShown, ContactShown, Difference, HeaderShown, SideShown};

use std::{collections::HashMap, fmt::Display};

use crate::{
    decide::{Arrival, Settings},
    route::{RouteId, RouteTable},
};

use made::Side;
use report::Tally;

/// Compares two tables, call by call.
#[derive(Debug)]
pub struct Comparer<'a> {
    settings: Settings,
    old: Side<'a>,
    new: Side<'a>,
    /// The route of the new table that has the name of this old one.
    renamed: Vec<Option<RouteId>>,
    unix_s: i64,
    tally: Tally,
}

impl<'a> Comparer<'a> {
    /// Nothing compared yet. The first `shown_max` calls that differ are kept whole.
    #[must_use]
    pub fn new(
        settings: &Settings,
        old: &'a RouteTable,
        new: &'a RouteTable,
        unix_s: i64,
        shown_max: usize,
    ) -> Self {
        let by_name: HashMap<&str, RouteId> =
            new.routes.iter().enumerate().map(|(id, route)| (&*route.name, id)).collect();
        let renamed = old.routes.iter().map(|route| by_name.get(&*route.name).copied()).collect();
        Self {
            // Requests of a list are made, and not as long as those that come: their length says nothing.
            settings: Settings { amplification_max_milli: None, ..settings.clone() },
            old: Side::new(old),
            new: Side::new(new),
            renamed,
            unix_s,
            tally: Tally::new(shown_max),
        }
    }

    /// Decides one call by both tables. `place` is where it was read.
    pub fn call(&mut self, request: &[u8], arrival: &Arrival<'_>, place: impl Display) -> Cause {
        let Self { settings, old, new, unix_s, .. } = self;
        old.decide(request, arrival, settings, *unix_s);
        new.decide(request, arrival, settings, *unix_s);
        let is_same_route = self.is_same_route();
        let (old, new) = (&self.old, &self.new);
        let cause = cause::of(old, new, is_same_route);
        self.tally.count(cause, (old.by(), new.by()), !old.asks().is_empty() || !new.asks().is_empty());
        if cause.is_difference() && self.tally.has_room() {
            self.tally.show(Difference {
                call: shown::call(request, arrival, place.to_string()),
                cause,
                old: shown::side(old),
                new: shown::side(new),
            });
        }
        cause
    }

    /// Something that was read is no call.
    pub fn skip(&mut self, why: &str, place: impl Display) {
        self.tally.skip(why, place);
    }

    /// Something of a capture is none of the calls, as most of a capture is.
    pub fn pass_over(&mut self, why: &'static str) {
        self.tally.pass_over(why);
    }

    /// How many calls were compared.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.tally.calls()
    }

    /// Everything found so far.
    #[must_use]
    pub fn report(self) -> Report {
        let Self { old, new, tally, .. } = self;
        tally.report(old.table(), new.table())
    }

    fn is_same_route(&self) -> bool {
        match (self.old.by(), self.new.by()) {
            (By::Route(old), By::Route(new)) => self.renamed.get(old).copied().flatten() == Some(new),
            (old, new) => old == new,
        }
    }
}

#[cfg(test)]
mod tests;
