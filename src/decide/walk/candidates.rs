//! Pure. The routes that may hold for a call, by the indices of the lists it walks.
//!
//! In:    the place of the walk, the values of the call as the routes so far left them.
//! Out:   the next route to look at.
//! Never: allocates. Where a call has more keys than there is room for, each route is looked at.

use super::{
    super::{
        call::Call,
        condition::{into_temp, param_value},
        scratch::Work,
    },
    Next, Place,
};
use crate::{
    limits::{CURSORS_MAX, JUMPS_MAX},
    route::{
        Route, Setting, Then,
        dispatch::{Dispatch, Field, Found, NodeId},
    },
};

/// What was found in each list that the walk is in, that of the lowest depth first.
#[derive(Debug)]
pub(super) struct Candidates {
    cursors: [Cursor; CURSORS_MAX],
    levels: [Level; JUMPS_MAX],
    changes: Changes,
}

/// Routes that share a key, ascending, without those that are passed.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// Position of the first; [`PASSED`] when none is left.
    front: u32,
    /// The others, in the positions of the index.
    start: u32,
    end: u32,
}

const PASSED: u32 = u32::MAX;

/// What is known at one depth of the walk.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// The cursors from here on are its own.
    start: usize,
    end: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing was looked up.
    #[default]
    New,
    /// With the values that these many changes left.
    LookedUp(Changes),
    /// There is no room for what was found.
    TooMuch(Changes),
}

/// How often routes may have changed what is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Changes {
    number: u32,
    params: u32,
}

impl Default for Candidates {
    fn default() -> Self {
        Self {
            cursors: [Cursor { front: PASSED, start: 0, end: 0 }; CURSORS_MAX],
            levels: [Level::default(); JUMPS_MAX],
            changes: Changes::default(),
        }
    }
}

impl Next for Candidates {
    fn next(&mut self, place: Place, call: &Call<'_>, work: &mut Work) -> usize {
        if place.at == 0 {
            self.enter(place.depth);
        }
        let Some(Some(dispatch)) = call.context.table.dispatch.get(place.list) else { return place.at };
        let level = self.looked_up(place, dispatch, call, work);
        if let State::TooMuch(_) = level.state {
            return place.at;
        }
        let at = position(place.at);
        let cursors = self.cursors.get_mut(level.start..level.end).unwrap_or_default();
        let first = cursors.iter_mut().map(|cursor| cursor.advanced_to(at, dispatch.positions())).min();
        first.filter(|&front| front != PASSED).map_or(place.len, |front| front as usize)
    }

    fn acted(&mut self, route: &Route) {
        let is_dip = matches!(route.then, Then::Dip(_));
        let sets = |of: fn(&Setting) -> bool| is_dip || route.set.iter().any(of);
        self.changes.number +=
            u32::from(sets(|setting| matches!(setting, Setting::Number(_) | Setting::Normalise(_))));
        self.changes.params += u32::from(sets(|setting| matches!(setting, Setting::Param(..))));
    }
}

impl Candidates {
    /// A list is begun.
    fn enter(&mut self, depth: usize) {
        let below = depth.checked_sub(1).and_then(|below| self.levels.get(below));
        let start = below.map_or(0, |level| level.end);
        if let Some(level) = self.levels.get_mut(depth) {
            *level = Level { start, end: start, state: State::New };
        }
    }

    /// What is found at the depth of the walk, by the values as they are now.
    fn looked_up(&mut self, place: Place, dispatch: &Dispatch, call: &Call<'_>, work: &mut Work) -> Level {
        let mut level = self.levels.get(place.depth).copied().unwrap_or_default();
        let is_current = match level.state {
            State::New => false,
            State::LookedUp(then) | State::TooMuch(then) => {
                let matters = dispatch.changes();
                (!matters.number || then.number == self.changes.number)
                    && (!matters.params || then.params == self.changes.params)
            }
        };
        if !is_current {
            let at = position(place.at);
            let mut found = Finds { cursors: &mut self.cursors, end: level.start, at, dispatch };
            level.state = match found.all(call, work) {
                Some(()) => State::LookedUp(self.changes),
                None => State::TooMuch(self.changes),
            };
            level.end = match level.state {
                State::LookedUp(_) => found.end,
                State::New | State::TooMuch(_) => level.start,
            };
            if let Some(known) = self.levels.get_mut(place.depth) {
                *known = level;
            }
        }
        level
    }
}

/// Look-ups of one list.
struct Finds<'c> {
    cursors: &'c mut [Cursor; CURSORS_MAX],
    end: usize,
    at: u32,
    dispatch: &'c Dispatch,
}

impl Finds<'_> {
    /// Looks up all values that the index asks for; `None` when there is too much for the cursors.
    fn all(&mut self, call: &Call<'_>, work: &mut Work) -> Option<()> {
        // Nodes that are to be asked; each comes of a key, as a cursor does.
        let mut nodes: [NodeId; CURSORS_MAX] = [0; CURSORS_MAX];
        let mut count = 1_usize;
        while let Some(next) = count.checked_sub(1) {
            count = next;
            let node = *nodes.get(next)?;
            self.add(self.dispatch.always(node))?;
            for (field, probes) in self.dispatch.questions(node) {
                if !value(field, call, work) {
                    continue;
                }
                for found in self.dispatch.find(node, probes, &work.temp) {
                    if let Found::Node(node) = found {
                        *nodes.get_mut(count)? = node;
                        count += 1;
                    } else {
                        self.add(found)?;
                    }
                }
            }
        }
        Some(())
    }

    fn add(&mut self, found: Found) -> Option<()> {
        let mut cursor = match found {
            Found::One(front) => Cursor { front, start: 0, end: 0 },
            Found::Many(start, end) => Cursor::between(start, end, self.at, self.dispatch.positions()),
            Found::Node(_) => return Some(()),
        };
        if cursor.advanced_to(self.at, self.dispatch.positions()) != PASSED {
            *self.cursors.get_mut(self.end)? = cursor;
            self.end += 1;
        }
        Some(())
    }
}

impl Cursor {
    /// Those of a slice that are not before `at`. Ten thousand may share a key: they are not gone through.
    fn between(start: u32, end: u32, at: u32, positions: &[u32]) -> Self {
        let all = positions.get(start as usize..end as usize).unwrap_or_default();
        let before = if at == 0 { 0 } else { position(all.partition_point(|&position| position < at)) };
        let front = all.get(before as usize).copied().unwrap_or(PASSED);
        Self { front, start: start + before + 1, end }
    }

    /// The first that is not before `at`.
    fn advanced_to(&mut self, at: u32, positions: &[u32]) -> u32 {
        while self.front < at {
            let next = if self.start < self.end { positions.get(self.start as usize) } else { None };
            self.front = next.copied().unwrap_or(PASSED);
            self.start += 1;
        }
        self.front
    }
}

/// A list has at most [`crate::limits::ROUTES_MAX`] routes.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(PASSED)
}

/// Puts a value into `work.temp` as the index knows it; `false` when the call does not have it: then no
/// condition on it holds.
fn value(field: &Field, call: &Call<'_>, work: &mut Work) -> bool {
    into_temp(work, |work, out| match field {
        Field::Source => {
            match call.arrival.source.ip().to_canonical() {
                std::net::IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
                std::net::IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
            }
            true
        }
        Field::Listener => {
            out.extend_from_slice(call.arrival.listener.as_bytes());
            true
        }
        Field::Method => {
            out.extend_from_slice(call.request.method_token());
            true
        }
        Field::Number(party) => call.number(*party, work, out),
        Field::Routing => call.routing(work, out),
        Field::User(party) => call.user_name(*party, out),
        Field::Host(party) => call.host(*party, out) && in_small_letters(out),
        Field::Param(name) => param_value(name, call, work, out) && in_small_letters(out),
    })
}

fn in_small_letters(text: &mut [u8]) -> bool {
    text.make_ascii_lowercase();
    true
}
