//! Pure. Where an ERE matches, by POSIX: leftmost, then longest, then each subpattern from left to right
//! as long as it can be (POSIX.1 §9.1, `regcomp`).
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
    GROUPS_MAX, Groups,
    parse::{Id, Node, Tree},
};
use crate::limits::{NAPTR_NODES_MAX, NAPTR_SUBJECT_BYTES_MAX};

/// Places between the bytes of a subject, its ends included: those of an E.164 number, and the most.
const E164_PLACES: usize = 1 + 15 + 1;
const PLACES_MAX: usize = NAPTR_SUBJECT_BYTES_MAX + 1;
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
    let mut groups = Groups { count: usize::from(tree.groups).min(GROUPS_MAX), ..Groups::default() };
    let mut spans = Spans { tree, table, follow: [0; NAPTR_NODES_MAX], groups: &mut groups, steps };
    spans.node(whole, start, end);
    Some(groups)
}

/// Ends by node and start, of the nodes seen so far.
#[derive(Clone, Copy)]
struct Table<'w> {
    words: &'w [u64],
    places: usize,
}

impl<'w> Table<'w> {
    fn row(self, id: Id) -> &'w [u64] {
        let start = usize::from(id) * self.places;
        self.words.get(start..start + self.places).unwrap_or_default()
    }

    fn ends(self, id: Id, start: usize) -> u64 {
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

/// The way down: which part of the match each group has.
struct Spans<'a> {
    tree: &'a Tree,
    table: Table<'a>,
    /// For each part of the sequences on the way: where it may end, so that the rest can follow.
    follow: [u64; NAPTR_NODES_MAX],
    groups: &'a mut Groups,
    steps: &'a mut usize,
}

impl Spans<'_> {
    /// Node `id` has matched from `start` to `end`. Each node is come to once.
    fn node(&mut self, id: Id, start: usize, end: usize) {
        let tree = self.tree;
        match tree.nodes.get(usize::from(id)) {
            Some(Node::Group { number, inner }) => {
                let index = usize::from(*number).checked_sub(1);
                if let Some(span) = index.and_then(|index| self.groups.spans.get_mut(index)) {
                    *span = start..end;
                }
                self.node(*inner, start, end);
            }
            Some(Node::Sequence(kids)) => self.sequence(tree.kids(kids), start, end),
            // POSIX does not say which of those that match the same; the first is what others take.
            Some(Node::Choice(kids)) => {
                let fits = |kid: &&Id| self.table.ends(**kid, start) & place(end) != 0;
                if let Some(kid) = tree.kids(kids).iter().find(fits) {
                    self.node(*kid, start, end);
                }
            }
            // POSIX, `regexec`: a group that took part several times has its last match, and those in it
            // what they have in that one.
            Some(Node::Repeat { inner, least, most }) => {
                let (must, may) = bounds(*least, *most, self.table.places);
                if let Some((start, end)) = self.last_repetition(*inner, must, may, start, end) {
                    self.node(*inner, start, end);
                }
            }
            Some(Node::Byte(_) | Node::Start | Node::End) | None => {}
        }
    }

    /// POSIX.1 §9.1: each subpattern, from left to right, the longest that lets the rest match.
    fn sequence(&mut self, kids: &[Id], start: usize, end: usize) {
        let mut follow = place(end);
        for kid in kids.iter().rev() {
            if let Some(of_kid) = self.follow.get_mut(usize::from(*kid)) {
                *of_kid = follow;
            }
            follow = self.before(*kid, follow);
        }
        let mut at = start;
        for kid in kids {
            let follow = self.follow.get(usize::from(*kid)).copied().unwrap_or_default();
            let Some(next) = longest(self.table.ends(*kid, at) & follow) else { return };
            self.node(*kid, at, next);
            at = next;
        }
    }

    /// The last repetition of those that make up a span, each the longest that lets the rest match: at
    /// least `must`, up to `may` more. POSIX.1 §9.1: an empty one only where there is no other, or to make
    /// up the number.
    #[inline(never)] // Its array is off the stack before the next node.
    fn last_repetition(
        &mut self,
        inner: Id,
        must: usize,
        may: usize,
        start: usize,
        end: usize,
    ) -> Option<(usize, usize)> {
        // From where the end can be reached, by the number of repetitions that are left.
        let mut reach = [0; 2 * PLACES_MAX + 1];
        let mut follow = 0;
        for (left, reach) in reach.iter_mut().enumerate().take(must + may + 1) {
            let here = if left <= may { place(end) } else { 0 };
            *reach = here | self.before(inner, follow);
            follow = *reach;
        }
        let (mut at, mut last) = (start, None);
        for left in (0..must + may).rev() {
            if at == end && left < may && last.is_some() {
                break;
            }
            let follow = reach.get(left).copied().unwrap_or_default();
            let Some(next) = longest(self.table.ends(inner, at) & follow) else { break };
            last = Some((at, next));
            at = next;
        }
        last
    }

    /// Where node `id` can start, to end at one of `ends`.
    fn before(&mut self, id: Id, ends: u64) -> u64 {
        let starts = self.table.row(id).iter().enumerate().filter(|(_, of_start)| **of_start & ends != 0);
        *self.steps += self.table.places;
        starts.fold(0, |starts, (start, _)| starts | place(start))
    }
}

/// Repetitions that must be, and that may be besides. More than there are places change nothing: one of
/// them is empty, and may be repeated or left out.
fn bounds(least: u8, most: Option<u8>, places: usize) -> (usize, usize) {
    let may = most.map_or(places, |most| usize::from(most.saturating_sub(least)));
    (usize::from(least).min(places), may.min(places))
}

/// The bit of a place.
fn place(place: usize) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or_default()
}

fn longest(ends: u64) -> Option<usize> {
    ends.checked_ilog2().and_then(|place| usize::try_from(place).ok())
}
