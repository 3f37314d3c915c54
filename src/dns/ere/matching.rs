//! Pure. Where an ERE matches, by POSIX: leftmost, then longest (POSIX.1 §9.1, `regcomp`). Which part each
//! group has is for `groups.rs`.
//!
//! In:    a tree; a subject of at most [`NAPTR_SUBJECT_BYTES_MAX`] bytes: longer ones match nothing.
//! Out:   the spans of groups 1 to 9.
//! Never: tries one way and then another; allocates.
//!
//! For each node, inner ones first, and each start: the ends that it can match up to, as the bits of a
//! word. That is all there is to know, so nothing is ever taken back. A step is one start or end looked
//! at. A composition of two nodes takes at most (n+1)(n+2)/2 for a subject of n bytes: 153 for an E.164
//! number. A node of one to k parts takes k; a repetition with bounds takes 2·2·⌈log₂(n+2)⌉ + 2, so an
//! expression takes less than a million in the worst of cases, which its 255 bytes cannot reach:
//! those known take 40,000 (`hostile_expressions_are_cheap`).

use super::{
    Groups, groups,
    parse::{Id, Node, Tree},
};
use crate::limits::{NAPTR_NODES_MAX, NAPTR_SUBJECT_BYTES_MAX};

/// Places between the bytes of a subject, its ends included: those of an E.164 number, and the most.
const E164_PLACES: usize = 1 + 15 + 1;
pub(super) const PLACES_MAX: usize = NAPTR_SUBJECT_BYTES_MAX + 1;
const _: () = assert!(PLACES_MAX <= u64::BITS as usize && E164_PLACES <= PLACES_MAX);

/// Words for the ends: any expression on an E.164 number, 34 kB of stack. On a longer subject a large
/// expression does not match.
const WORDS_MAX: usize = NAPTR_NODES_MAX * E164_PLACES;

/// Ends by start.
type Ends = [u64; PLACES_MAX];

/// The groups of the match of `tree` in `subject`. The work done is added to `steps`.
pub(super) fn find(tree: &Tree, subject: &[u8], steps: &mut usize) -> Option<Groups> {
    // An ERE here is of ASCII; a number is.
    if subject.len() > NAPTR_SUBJECT_BYTES_MAX || !subject.is_ascii() {
        return None;
    }
    let places = subject.len().checked_add(1)?;
    let mut words = [0; WORDS_MAX];
    let words = words.get_mut(..tree.nodes.len().checked_mul(places)?)?;
    for (id, node) in tree.nodes.iter().enumerate() {
        let (before, rest) = words.split_at_mut_checked(id.checked_mul(places)?)?;
        let mut forward = Forward { subject, table: Table { words: before, places }, steps };
        let ends = forward.ends(tree, node);
        rest.get_mut(..places)?.copy_from_slice(ends.get(..places)?);
    }
    let table = Table { words, places };
    let whole = Id::try_from(tree.nodes.len().checked_sub(1)?).ok()?;
    let (start, end) = (0..places).find_map(|start| Some((start, longest(table.ends(whole, start))?)))?;
    Some(groups::choose(tree, table, whole, (start, end), steps))
}

/// Ends by node and start, of the nodes seen so far.
#[derive(Clone, Copy)]
pub(super) struct Table<'w> {
    words: &'w [u64],
    pub(super) places: usize,
}

impl<'w> Table<'w> {
    pub(super) fn row(self, id: Id) -> &'w [u64] {
        let start = usize::from(id) * self.places;
        self.words.get(start..start + self.places).unwrap_or_default()
    }

    pub(super) fn ends(self, id: Id, start: usize) -> u64 {
        self.row(id).get(start).copied().unwrap_or_default()
    }
}

/// The way up: what each node can match.
struct Forward<'a> {
    subject: &'a [u8],
    table: Table<'a>,
    steps: &'a mut usize,
}

impl Forward<'_> {
    fn ends(&mut self, tree: &Tree, node: &Node) -> Ends {
        let len = self.subject.len();
        let mut ends = [0; PLACES_MAX];
        match node {
            Node::Byte(set) => {
                for (start, (byte, ends)) in self.subject.iter().zip(&mut ends).enumerate() {
                    let is_in = set.checked_shr(u32::from(*byte)).is_some_and(|set| set & 1 == 1);
                    *ends = if is_in { place(start + 1) } else { 0 };
                }
                *self.steps += len;
            }
            Node::Start => ends.iter_mut().take(1).for_each(|ends| *ends = place(0)),
            Node::End => ends.iter_mut().skip(len).take(1).for_each(|ends| *ends = place(len)),
            Node::Sequence(kids) => {
                ends = self.nothing();
                for kid in tree.kids(kids) {
                    ends = self.compose(&ends, self.table.row(*kid));
                }
            }
            Node::Choice(kids) => {
                for kid in tree.kids(kids) {
                    ends.iter_mut().zip(self.table.row(*kid)).for_each(|(ends, more)| *ends |= more);
                    *self.steps += self.table.places;
                }
            }
            Node::Group { inner, .. } => {
                ends.iter_mut().zip(self.table.row(*inner)).for_each(|(ends, inner)| *ends = *inner);
                *self.steps += self.table.places;
            }
            Node::Repeat { inner, least, most } => ends = self.repeat(*inner, *least, *most),
        }
        ends
    }

    fn repeat(&mut self, inner: Id, least: u8, most: Option<u8>) -> Ends {
        let mut once = [0; PLACES_MAX];
        once.iter_mut().zip(self.table.row(inner)).for_each(|(once, inner)| *once = *inner);
        let (must, may) = bounds(least, most, self.table.places);
        let must = self.power(once, must);
        let may = match most {
            None => self.closure(&once),
            Some(_) => {
                let nothing = self.nothing();
                once.iter_mut().zip(nothing).for_each(|(once, nothing)| *once |= nothing);
                self.power(once, may)
            }
        };
        self.compose(&must, &may)
    }

    /// `once`, `count` times, by squares.
    fn power(&mut self, mut once: Ends, mut count: usize) -> Ends {
        let mut all = self.nothing();
        while count > 0 {
            if count % 2 == 1 {
                all = self.compose(&all, &once);
            }
            count /= 2;
            if count > 0 {
                once = self.compose(&once, &once);
            }
        }
        all
    }

    /// `once` any number of times: from the last start to the first, each by those after it.
    fn closure(&mut self, once: &Ends) -> Ends {
        let mut all = [0; PLACES_MAX];
        for start in (0..self.table.places).rev() {
            let further = once.get(start).copied().unwrap_or_default() & !place(start);
            let ends = place(start) | self.follow(further, &all);
            all.iter_mut().skip(start).take(1).for_each(|all| *all = ends);
        }
        all
    }

    fn compose(&mut self, first: &Ends, then: &[u64]) -> Ends {
        let mut both = [0; PLACES_MAX];
        for (both, first) in both.iter_mut().zip(first).take(self.table.places) {
            *both = self.follow(*first, then);
        }
        both
    }

    /// The ends of `then` from all of `starts`.
    fn follow(&mut self, mut starts: u64, then: &[u64]) -> u64 {
        let mut ends = 0;
        while starts != 0 {
            ends |= then.get(starts.trailing_zeros() as usize).copied().unwrap_or_default();
            starts &= starts - 1;
            *self.steps += 1;
        }
        ends
    }

    fn nothing(&self) -> Ends {
        let mut ends = [0; PLACES_MAX];
        ends.iter_mut().take(self.table.places).enumerate().for_each(|(start, end)| *end = place(start));
        ends
    }
}

/// Repetitions that must be, and that may be besides. More than there are places change nothing: one of
/// them is empty, and may be repeated or left out.
pub(super) fn bounds(least: u8, most: Option<u8>, places: usize) -> (usize, usize) {
    let may = most.map_or(places, |most| usize::from(most.saturating_sub(least)));
    (usize::from(least).min(places), may.min(places))
}

/// The bit of a place.
pub(super) fn place(place: usize) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or_default()
}

pub(super) fn longest(ends: u64) -> Option<usize> {
    ends.checked_ilog2().and_then(|place| usize::try_from(place).ok())
}
