//! Pure. Which part of a match each group of an ERE has: the choice of glibc's `regexec`.
//!
//! In:    a tree; what each node can match, from `matching.rs`; the match, the longest of the leftmost.
//! Out:   the spans of groups 1 to 9.
//! Never: takes a choice back: each is made of what is known to lead to the end of the match.
//!
//! POSIX.1 §9.1 would have the earlier subpattern the longest: `^(1|12)(.*)` on `123` with `12` and `3`.
//! glibc takes the first alternative that lets the rest match: `1` and `23`. A zone is written and tried
//! with tools that call glibc, and every peer makes of its records what glibc does: so do we. Its rules,
//! as seen from outside (`tests/ere.rs` asks it):
//!
//! - of alternatives the first that leads to the end; of repetitions as many as do, each chosen likewise;
//! - a group keeps what it had in an earlier repetition if it has no part in the last one;
//! - the expression is written out: `x+` as `xx*`, `x{2,4}` as `xx((x)?x)?`. Of the optional copies only
//!   the first written is known as one: if it is empty, all groups are again as after the last that was
//!   not. In a copy none is known.

use super::{
    GROUPS_MAX, Groups,
    matching::{PLACES_MAX, Table, bounds, longest, place},
    parse::{Id, Node, Tree},
};
use crate::limits::NAPTR_NODES_MAX;

/// Start and end by group; `None`: not yet opened.
type Marks = [Option<(usize, usize)>; GROUPS_MAX];

/// The groups of the match from `start` to `end` of node `whole`.
pub(super) fn choose(
    tree: &Tree,
    table: Table,
    whole: Id,
    (start, end): (usize, usize),
    steps: &mut usize,
) -> Groups {
    let (marks, kept) = (Marks::default(), Marks::default());
    let mut walk = Walk { tree, table, follow: [0; NAPTR_NODES_MAX], marks, kept, steps };
    walk.node(whole, start, place(end), true);
    let mut groups = Groups { count: usize::from(tree.groups).min(GROUPS_MAX), ..Groups::default() };
    for (span, mark) in groups.spans.iter_mut().zip(walk.marks) {
        *span = mark.map_or(0..0, |(start, end)| start..end);
    }
    groups
}

struct Walk<'a> {
    tree: &'a Tree,
    table: Table<'a>,
    /// For each part of the sequences on the way: where it may end, so that the rest can follow.
    follow: [u64; NAPTR_NODES_MAX],
    marks: Marks,
    /// Those after the last group that was not empty.
    kept: Marks,
    steps: &'a mut usize,
}

/// A node that is repeated.
#[derive(Clone, Copy)]
struct Repeated {
    inner: Id,
    must: usize,
    may: usize,
    /// Not in a copy.
    is_written: bool,
}

/// How far the repetitions are.
#[derive(Clone, Copy)]
struct At {
    place: usize,
    /// The last one was empty. Those after it are, too, as long as that leads to the end: they change
    /// nothing, and are passed over.
    empty: bool,
}

/// One repetition.
#[derive(Clone, Copy)]
struct Turn {
    /// Where it may end.
    follow: u64,
    /// Known as optional.
    is_optional: bool,
    is_written: bool,
}

impl Walk<'_> {
    /// Where node `id`, from `start`, ends: at one of `ends`.
    fn node(&mut self, id: Id, start: usize, ends: u64, is_written: bool) -> Option<usize> {
        let tree = self.tree;
        *self.steps += 1;
        match tree.nodes.get(usize::from(id))? {
            Node::Group { .. } => self.turn(id, start, Turn { follow: ends, is_optional: false, is_written }),
            Node::Sequence(kids) => self.sequence(tree.kids(kids), start, ends, is_written),
            Node::Choice(kids) => {
                let fits = |kid: &&Id| self.table.ends(**kid, start) & ends != 0;
                let kid = tree.kids(kids).iter().find(fits)?;
                self.node(*kid, start, ends, is_written)
            }
            Node::Repeat { inner, least, most } if self.group(*inner).is_some() => {
                let (must, may) = bounds(*least, *most, self.table.places);
                let repeated = Repeated { inner: *inner, must, may, is_written };
                if most.is_some() {
                    self.counted(repeated, start, ends)
                } else {
                    self.any(repeated, start, ends)
                }
            }
            Node::Repeat { .. } | Node::Byte(_) | Node::Start | Node::End => {
                longest(self.table.ends(id, start) & ends)
            }
        }
    }

    /// Number and inside of a group.
    fn group(&self, id: Id) -> Option<(Id, Id)> {
        match self.tree.nodes.get(usize::from(id))? {
            Node::Group { number, inner } => Some((*number, *inner)),
            _ => None,
        }
    }

    fn sequence(&mut self, kids: &[Id], start: usize, ends: u64, is_written: bool) -> Option<usize> {
        let mut follow = ends;
        for kid in kids.iter().rev() {
            if let Some(of_kid) = self.follow.get_mut(usize::from(*kid)) {
                *of_kid = follow;
            }
            follow = self.before(*kid, follow);
        }
        let mut at = start;
        for kid in kids {
            let follow = self.follow.get(usize::from(*kid)).copied()?;
            at = self.node(*kid, at, follow, is_written)?;
        }
        Some(at)
    }

    /// A group once.
    fn turn(&mut self, id: Id, start: usize, turn: Turn) -> Option<usize> {
        let (number, inner) = self.group(id)?;
        let index = usize::from(number).checked_sub(1)?;
        self.open(index, start);
        let end = self.node(inner, start, turn.follow, turn.is_written)?;
        self.close(index, end, turn.is_optional);
        Some(end)
    }

    fn open(&mut self, index: usize, start: usize) {
        if let Some(mark) = self.marks.get_mut(index) {
            *mark = Some((start, start));
        }
    }

    fn close(&mut self, index: usize, end: usize, is_optional: bool) {
        let Some(Some((start, mark))) = self.marks.get_mut(index) else { return };
        *mark = end;
        if *start < end {
            self.kept = self.marks;
        } else if is_optional && self.kept.get(index).is_some_and(Option::is_some) {
            self.marks = self.kept;
        }
    }

    /// `x{n,m}`.
    fn counted(&mut self, repeated: Repeated, start: usize, ends: u64) -> Option<usize> {
        // From where exactly so many lead to the end.
        let mut exactly = [0; PLACES_MAX + 1];
        self.powers(repeated.inner, ends, exactly.iter_mut().take(repeated.may + 1));
        let follow = exactly.iter().fold(0, |all, from| all | from);
        let mut at = self.must(repeated, start, follow)?;
        let reaches = |count: &usize| exactly.get(*count).is_some_and(|from| from & place(at.place) != 0);
        let count = (0..=repeated.may).rev().find(reaches)?;
        for (left, follow) in exactly.iter().enumerate().take(count).rev() {
            // The others are copies of it.
            let is_first = left + 1 == repeated.may;
            let turn = Turn {
                follow: *follow,
                is_optional: repeated.is_written && is_first,
                is_written: repeated.is_written && is_first && repeated.must == 0,
            };
            at = self.once_more(repeated, at, turn)?;
        }
        Some(at.place)
    }

    /// `x{n,}`.
    fn any(&mut self, repeated: Repeated, start: usize, ends: u64) -> Option<usize> {
        let (mut from, mut more) = (ends, self.before(repeated.inner, ends));
        while more & !from != 0 {
            from |= more;
            more = self.before(repeated.inner, from);
        }
        let mut at = self.must(repeated, start, from)?;
        let is_written = repeated.is_written && repeated.must == 0;
        let mut turn = Turn { follow: from, is_optional: repeated.is_written, is_written };
        loop {
            if self.table.ends(repeated.inner, at.place) & turn.follow == 0 {
                return Some(at.place);
            }
            at = self.once_more(repeated, at, turn)?;
            turn.follow = from;
            if at.empty {
                if ends & place(at.place) != 0 {
                    return Some(at.place);
                }
                turn.follow &= !place(at.place);
            }
        }
    }

    /// The repetitions that must be, so that one of `ends` is reached.
    fn must(&mut self, repeated: Repeated, start: usize, ends: u64) -> Option<At> {
        let mut follow = [0; PLACES_MAX];
        self.powers(repeated.inner, ends, follow.iter_mut().take(repeated.must));
        let mut at = At { place: start, empty: false };
        for (left, follow) in follow.iter().enumerate().take(repeated.must).rev() {
            let is_written = repeated.is_written && left + 1 == repeated.must;
            at = self.once_more(repeated, at, Turn { follow: *follow, is_optional: false, is_written })?;
        }
        Some(at)
    }

    fn once_more(&mut self, repeated: Repeated, at: At, turn: Turn) -> Option<At> {
        if at.empty && turn.follow & place(at.place) != 0 {
            let index = usize::from(self.group(repeated.inner)?.0).checked_sub(1)?;
            self.open(index, at.place);
            self.close(index, at.place, turn.is_optional);
            return Some(at);
        }
        let end = self.turn(repeated.inner, at.place, turn)?;
        Some(At { place: end, empty: end == at.place })
    }

    /// From where node `id`, 0, 1, 2, … times, can end at one of `ends`.
    fn powers<'p>(&mut self, id: Id, ends: u64, powers: impl Iterator<Item = &'p mut u64>) {
        let (mut from, mut last) = (ends, 0);
        for power in powers {
            *power = from;
            if from != last {
                last = from;
                from = self.before(id, from);
            }
        }
    }

    /// Where node `id` can start, to end at one of `ends`.
    fn before(&mut self, id: Id, ends: u64) -> u64 {
        if ends == 0 {
            return 0;
        }
        let starts = self.table.row(id).iter().enumerate().filter(|(_, of_start)| **of_start & ends != 0);
        *self.steps += self.table.places;
        starts.fold(0, |starts, (start, _)| starts | place(start))
    }
}
