//! Pure. Ranges that overlap others in part are left out, so that what is left is nested.
//!
//! In:    rows of ranges and prefixes, in any order.
//! Out:   those that stay: outer before inner ones, by their first numbers.
//! Never: compares each with each.

use std::cmp::Reverse;

use super::{
    Kind, Twins,
    rows::{LENGTH_BITS, end_of, settle, text_of},
    run::Item,
};
use crate::limits::NESTED_RANGES_MAX;

/// The 15-digit numbers of a row: the first, and the first behind them.
fn ends(item: &Item) -> (u64, u64) {
    #[allow(clippy::cast_possible_truncation)]
    let length = item.key as u32 & ((1 << LENGTH_BITS) - 1);
    let start = item.key >> LENGTH_BITS;
    (start, end_of(start, length, item.span))
}

/// Rows with one key.
struct Group {
    start: u64,
    end: u64,
    /// The first line of them.
    line: u32,
    rows: Vec<Item>,
    /// The line of an earlier one that it overlaps.
    left_out_for: Option<u32>,
}

/// The rows that stay.
pub(super) fn resolve(kind: Kind, lane: usize, mut items: Vec<Item>, twins: &mut Twins) -> Vec<Item> {
    items.sort_unstable_by_key(|item| {
        let (start, end) = ends(item);
        // Of equal ranges that with fewer digits is the outer one.
        (start, Reverse(end), item.key, item.line, item.tuple)
    });
    let mut groups: Vec<Group> = Vec::new();
    for same in items.chunk_by(|a, b| (a.key, a.span) == (b.key, b.span)) {
        let mut rows = same.to_vec();
        settle(kind, &mut rows, twins, &|row| text_of(kind, lane, row));
        let Some((start, end)) = rows.first().map(ends) else { continue };
        let line = rows.iter().map(|row| row.line).min().unwrap_or(0);
        groups.push(Group { start, end, line, rows, left_out_for: None });
    }
    drop(items);
    if overlap(&groups) {
        leave_out(&mut groups);
    }
    leave_out_deep(&mut groups);
    let mut kept = Vec::new();
    for group in groups {
        match group.left_out_for {
            None => kept.extend(group.rows),
            Some(first) => {
                for row in &group.rows {
                    twins.add(false, first, row.line, || text_of(kind, lane, row));
                }
            }
        }
    }
    kept
}

/// Whether any two overlap in part.
fn overlap(groups: &[Group]) -> bool {
    let mut around: Vec<u64> = Vec::new();
    groups.iter().any(|group| {
        while around.pop_if(|end| *end <= group.start).is_some() {}
        let across = around.last().is_some_and(|&end| group.end > end);
        around.push(group.end);
        across
    })
}

/// Leaves out each that overlaps, in part, one with a lower line that is not left out.
fn leave_out(groups: &mut [Group]) {
    let mut places: Vec<u64> = groups.iter().flat_map(|group| [group.start, group.end]).collect();
    places.sort_unstable();
    places.dedup();
    let place = |number: u64| places.partition_point(|&it| it < number);
    let mut by_line: Vec<usize> = (0..groups.len()).collect();
    by_line.sort_by_key(|&index| groups.get(index).map(|group| group.line));
    // At each first number the greatest end of a range that begins there; at each end the lowest first.
    let mut farthest = Tree::new(places.len());
    let mut earliest = Tree::new(places.len());
    for index in by_line {
        let Some(group) = groups.get_mut(index) else { continue };
        let (start, end) = (place(group.start), place(group.end));
        let inside = start + 1..end;
        let after = farthest.best(inside.clone()).filter(|&(far, _)| far > group.end);
        let before = earliest.best(inside).filter(|&(early, _)| u64::MAX - early < group.start);
        if let Some((_, line)) = after.or(before) {
            group.left_out_for = Some(line);
            continue;
        }
        farthest.raise(start, (group.end, group.line));
        earliest.raise(end, (u64::MAX - group.start, group.line));
    }
}

/// Leaves out what lies in [`NESTED_RANGES_MAX`] others: a lookup goes through all of them.
fn leave_out_deep(groups: &mut [Group]) {
    let mut around: Vec<(u64, u32)> = Vec::new();
    for group in groups.iter_mut().filter(|group| group.left_out_for.is_none()) {
        while around.pop_if(|(end, _)| *end <= group.start).is_some() {}
        if around.len() >= NESTED_RANGES_MAX {
            group.left_out_for = around.last().map(|&(_, line)| line);
            continue;
        }
        around.push((group.end, group.line));
    }
}

/// The greatest value of any stretch, with its line.
struct Tree {
    size: usize,
    nodes: Vec<(u64, u32)>,
}

impl Tree {
    fn new(places: usize) -> Self {
        let size = places.next_power_of_two();
        Self { size, nodes: vec![(0, 0); size * 2] }
    }

    fn raise(&mut self, place: usize, value: (u64, u32)) {
        let mut node = self.size + place;
        while node > 0 {
            if let Some(it) = self.nodes.get_mut(node) {
                *it = value.max(*it);
            }
            node /= 2;
        }
    }

    fn best(&self, places: std::ops::Range<usize>) -> Option<(u64, u32)> {
        let (mut low, mut high) = (self.size + places.start, self.size + places.end);
        let mut best = None;
        while low < high {
            if low % 2 == 1 {
                best = best.max(self.nodes.get(low).copied());
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                best = best.max(self.nodes.get(high).copied());
            }
            low /= 2;
            high /= 2;
        }
        best
    }
}
