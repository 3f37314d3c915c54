//! Pure. Rows on their way into a table, sorted and packed as they come.
//!
//! In:    key, tuple and line of rows, keys in order.
//! Out:   the same, in the same order.
//! Never: holds much more than the table will.

use super::{
    packed::{bits, put, width_of, words_of},
    words::Words,
};
use crate::limits::WORDS_MAPPED_FROM_BYTES;

/// Rows of a block.
const BLOCK: usize = 64;
/// Words of a piece of memory. Each has a mapping of its own: they are given back one by one while the table is
/// written, and a large one would be that much more at the highest point.
const PIECE_WORDS: usize = WORDS_MAPPED_FROM_BYTES / size_of::<u64>();
/// Words before the packed ones of a block: the first key; line, widths and count.
const HEAD_WORDS: usize = 2;
/// In the second of them: each line is one more than that before it, or more.
const LINES_FOLLOW: u64 = 1 << 31;
/// The bits of the width beside it.
const LINE_WIDTH: u8 = 0x7f;

/// A row on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    /// Its number within its lane.
    pub(super) key: u64,
    /// How many numbers of the same length follow in its range.
    pub(super) span: u64,
    /// Its values.
    pub(super) tuple: u32,
    /// Where it stands.
    pub(super) line: u32,
}

/// Sorted rows.
#[derive(Debug, Default)]
pub(super) struct Run {
    pieces: Vec<Words>,
    /// Words in use of the last piece.
    used: usize,
    open: Vec<Item>,
}

impl Run {
    /// Adds a row; its key must not be lower than the last one. The span is not kept.
    pub(super) fn push(&mut self, item: Item) {
        self.open.push(item);
        if self.open.len() == BLOCK {
            self.close();
        }
    }

    /// Packs the open block.
    pub(super) fn close(&mut self) {
        let Some(first) = self.open.first().copied() else { return };
        let most = |of: &dyn Fn(&Item) -> u64| self.open.iter().map(of).max().unwrap_or(0);
        let line = self.open.iter().map(|item| item.line).min().unwrap_or(0);
        // Lines that follow one another, as those of a sorted file, need no bits.
        let follow = (u64::from(line)..).zip(&self.open).all(|(least, item)| u64::from(item.line) >= least);
        let step = u32::from(follow);
        let beyond = |(index, item): (u32, &Item)| u64::from(item.line - line - index * step);
        let most_beyond = (0..).zip(&self.open).map(beyond).max().unwrap_or(0);
        let widths = [
            width_of(most(&|item| item.key.saturating_sub(first.key))),
            width_of(most(&|item| u64::from(item.tuple))),
            width_of(most_beyond),
        ];
        let [key_width, tuple_width, line_width] = widths;
        let row_width = key_width + tuple_width + line_width;
        let size = HEAD_WORDS + words_of(self.open.len() * row_width as usize);
        // What follows the last block of a piece is zero: a block of no rows.
        if self.pieces.is_empty() || self.used + size >= PIECE_WORDS {
            self.pieces.push(Words::zeroed(PIECE_WORDS));
            self.used = 0;
        }
        let Some(piece) = self.pieces.last_mut() else { return };
        let piece: &mut [u64] = piece;
        let at = self.used + HEAD_WORDS;
        let described = (u64::from(line) << 32)
            | (self.open.len() as u64)
            | (u64::from(key_width) << 8)
            | (u64::from(tuple_width) << 16)
            | (u64::from(line_width) << 24)
            | if follow { LINES_FOLLOW } else { 0 };
        if let Some(head) = piece.get_mut(self.used..at) {
            head.copy_from_slice(&[first.key, described]);
        }
        for (index, item) in (0..).zip(&self.open) {
            let mut bit = index as usize * row_width as usize;
            let values = [item.key - first.key, u64::from(item.tuple), beyond((index, item))];
            for (value, width) in values.into_iter().zip(widths) {
                put(piece, at, bit, width, value);
                bit += width as usize;
            }
        }
        self.used += size;
        self.open.clear();
    }

    /// The rows, after [`Run::close`].
    pub(super) fn iter(&self) -> impl Iterator<Item = Item> + '_ {
        Rows { pieces: self.pieces.iter(), piece: None, at: 0, block: Vec::new(), next: 0 }
    }

    /// The rows, after [`Run::close`]; memory is given back on the way.
    pub(super) fn into_rows(self) -> impl Iterator<Item = Item> {
        Rows { pieces: self.pieces.into_iter(), piece: None, at: 0, block: Vec::new(), next: 0 }
    }
}

struct Rows<P, W> {
    pieces: P,
    piece: Option<W>,
    at: usize,
    block: Vec<Item>,
    next: usize,
}

impl<W: AsRef<[u64]>, P: Iterator<Item = W>> Iterator for Rows<P, W> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(&item) = self.block.get(self.next) {
                self.next += 1;
                return Some(item);
            }
            if !self.read_block() {
                // The piece that was read is given back here.
                self.piece = Some(self.pieces.next()?);
                self.at = 0;
            }
        }
    }
}

impl<W: AsRef<[u64]>, P> Rows<P, W> {
    /// Whether there was one more in the piece.
    #[allow(clippy::cast_possible_truncation)]
    fn read_block(&mut self) -> bool {
        let Some(words) = self.piece.as_ref().map(AsRef::as_ref) else { return false };
        let Some(&[key, described]) = words.get(self.at..).and_then(|rest| rest.first_chunk::<2>()) else {
            return false;
        };
        let byte = |shift: u32| (described >> shift) as u8;
        let (count, line) = (usize::from(byte(0)), (described >> 32) as u32);
        let widths = [byte(8), byte(16), byte(24) & LINE_WIDTH].map(u32::from);
        let step = u32::from(described & LINES_FOLLOW != 0);
        let row_width = widths.iter().sum::<u32>() as usize;
        let at = self.at + HEAD_WORDS;
        self.block.clear();
        self.next = 0;
        for index in 0..count {
            let mut bit = index * row_width;
            let [distance, tuple, lines] = widths.map(|width| {
                let value = read(words, at, bit, width);
                bit += width as usize;
                value
            });
            self.block.push(Item {
                key: key + distance,
                span: 0,
                tuple: tuple as u32,
                line: line + lines as u32 + index as u32 * step,
            });
        }
        self.at = at + words_of(count * row_width);
        count > 0
    }
}

/// As [`bits`], also in the last word of the last piece, which has no other after it.
fn read(words: &[u64], at: usize, bit: usize, width: u32) -> u64 {
    bits(words, at, bit, width).unwrap_or_else(|| {
        let last = [words.get(at + bit / 64).copied().unwrap_or(0), 0];
        bits(&last, 0, bit % 64, width).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back(mut rows in prop::collection::vec((0_u64..1 << 54, any::<u32>(), any::<u32>()), 0..300)) {
            rows.sort_unstable();
            let items: Vec<_> =
                rows.iter().map(|&(key, tuple, line)| Item { key, span: 0, tuple, line }).collect();
            let mut run = Run::default();
            items.iter().for_each(|&item| run.push(item));
            run.close();
            prop_assert_eq!(run.iter().collect::<Vec<_>>(), &items[..]);
            prop_assert_eq!(run.into_rows().collect::<Vec<_>>(), items);
        }
    }

    #[test]
    fn pieces_follow_each_other() {
        let items: Vec<_> = (0..1_500_000_u32)
            .map(|row| Item {
                key: u64::from(row) * 1_000_003,
                span: 0,
                tuple: row.reverse_bits(),
                line: row,
            })
            .collect();
        let mut run = Run::default();
        items.iter().for_each(|&item| run.push(item));
        run.close();
        assert!(run.pieces.len() > 2);
        assert!(run.pieces.iter().all(|piece| piece.len() == PIECE_WORDS));
        assert!(run.iter().eq(items.iter().copied()) && run.into_rows().eq(items.iter().copied()));
    }
}
