//! Pure. A block of sorted numbers: the first of them whole, the others as packed distances from it.
//!
//! In:    words of an image.
//! Out:   where the last number is that is not greater than another.
//! Never: trusts what the words say: a wrong image gives wrong answers, and nothing worse.
//!
//! ```text
//!  described   the first number; where the distances are, and their width; each sixteenth distance, from the 16th on
//!  distances   of all numbers, the first included
//! ```
//!
//! What describes a block is one line of cache, and tells in which of its parts a number is searched: two or three lines of
//! the ten or so that the distances take.

use super::{
    image::Facts,
    line::LINE_WORDS,
    packed::{bits, put, touch},
};

/// Numbers of a block.
pub(super) const BLOCK: usize = 128;
/// What describes it.
pub(super) type Block = [u64; BLOCK_WORDS];
/// A line of cache.
pub(super) const BLOCK_WORDS: usize = LINE_WORDS;

/// Numbers of a part.
const PART: usize = 16;
/// Before the distances that stand in what describes a block.
const HEAD_WORDS: usize = 2;
/// Numbers have 15 digits.
const WIDTH_MAX: usize = 50;

const _: () = assert!((BLOCK / PART - 1) * WIDTH_MAX <= (BLOCK_WORDS - HEAD_WORDS) * u64::BITS as usize);

/// What describes a block with numbers from `base` on, whose distances begin at this word and have this width. The rest of it is for
/// [`put_number`].
pub(super) fn described(base: u64, at: usize, width: u32) -> Block {
    let mut block = [0; BLOCK_WORDS];
    block[0] = base;
    block[1] = ((at as u64) << 8) | u64::from(width);
    block
}

/// Where the distances of a block begin, and their width.
#[inline(always)]
fn distances_of(block: &Block) -> (usize, u32) {
    #[allow(clippy::cast_possible_truncation)]
    let width = (block[1] & 63) as u32;
    (usize::try_from(block[1] >> 8).unwrap_or(usize::MAX), width)
}

/// Writes a number, the one after `within` others of its block, over zeros.
pub(super) fn put_number(words: &mut [u64], facts: &Facts, block: usize, within: usize, number: u64) {
    let described = facts.blocks.at.wrapping_add(block.wrapping_mul(BLOCK_WORDS));
    let Some(block) = words.get(described..).and_then(|rest| rest.first_chunk()) else { return };
    let (at, width) = distances_of(block);
    let (step, distance) = (width as usize, number.wrapping_sub(block[0]));
    put(words, facts.keys.at.wrapping_add(at), within * step, width, distance);
    if within.is_multiple_of(PART)
        && let Some(index) = (within / PART).checked_sub(1)
    {
        put(words, described.wrapping_add(HEAD_WORDS), index * step, width, distance);
    }
}

/// The number after `within` others; `keys_at` is where distances begin.
#[inline(always)]
pub(super) fn number(words: &[u64], keys_at: usize, block: &Block, within: usize) -> Option<u64> {
    let (at, width) = distances_of(block);
    let distance = bits(words, keys_at.wrapping_add(at), within.wrapping_mul(width as usize), width)?;
    Some(block[0].wrapping_add(distance))
}

/// The part of a block in which a number is searched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The entry of the first number of the block.
    entry: usize,
    base: u64,
    /// What is searched.
    distance: u64,
    /// Where the distances of the block begin, and their width.
    at: usize,
    width: u32,
    /// Numbers of the block before the part, and those of the part.
    before: usize,
    size: usize,
    /// The first distance of the part.
    least: u64,
}

impl Part {
    /// Of a block with so many numbers, of which the first is the number `entry` and not greater than `wanted`.
    #[inline(always)]
    pub(super) fn of(
        block: &Block,
        (entry, size): (usize, usize),
        keys_at: usize,
        wanted: u64,
    ) -> Option<Self> {
        let (at, width) = distances_of(block);
        let base = block[0];
        let distance = wanted.wrapping_sub(base);
        let (part, least) =
            last_until(&block[HEAD_WORDS..], 0, 0, width, (size.div_ceil(PART), 0), distance)?;
        let before = part * PART;
        let size = PART.min(size.saturating_sub(before));
        Some(Self { entry, base, distance, at: keys_at.wrapping_add(at), width, before, size, least })
    }

    /// The entry of the last number that is not greater than the wanted one, and that number.
    #[inline(always)]
    pub(super) fn last(&self, words: &[u64]) -> Option<(usize, u64)> {
        let second = (self.before + 1) * self.width as usize;
        let (index, distance) =
            last_until(words, self.at, second, self.width, (self.size, self.least), self.distance)?;
        Some((self.entry + self.before + index, self.base.wrapping_add(distance)))
    }

    /// The entry of its first number, and how many it has.
    #[inline]
    pub(super) fn entries(&self) -> (usize, usize) {
        (self.entry + self.before, self.size)
    }

    /// Reads the lines of cache that have distances of it, and that of the number behind it, which proves its last one.
    #[inline(always)]
    pub(super) fn touch(&self, words: &[u64]) {
        let word = |number: usize| self.at.wrapping_add(number * self.width as usize / u64::BITS as usize);
        let (first, last) = (word(self.before), word(self.before + self.size + 1));
        (first..last).step_by(LINE_WORDS).for_each(|word| touch(words, word));
        touch(words, last);
    }
}

/// The last of `size` distances that is not greater than another, and which it is; the first of them is `least`, the second
/// begins with the bit `second` after the word `at`.
#[inline(always)]
fn last_until(
    words: &[u64],
    at: usize,
    second: usize,
    width: u32,
    (mut size, least): (usize, u64),
    distance: u64,
) -> Option<(usize, u64)> {
    let (mut low, mut found) = (0_usize, least);
    // Which way the steps go is not to be guessed: no branches.
    while size > 1 {
        let half = size / 2;
        let there = bits(words, at, second.wrapping_add((low + half - 1) * width as usize), width)?;
        let go = there <= distance;
        low = std::hint::select_unpredictable(go, low + half, low);
        found = std::hint::select_unpredictable(go, there, found);
        size -= half;
    }
    Some((low, found))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numbers::{
        Kind,
        packed::{Packed, width_of, words_of},
    };

    const KEYS_AT: usize = BLOCK_WORDS;
    const ENTRY: usize = 1000;

    /// A block of these numbers, and its words.
    fn words_of_block(numbers: &[u64]) -> (Block, Vec<u64>) {
        let width = width_of(numbers[numbers.len() - 1] - numbers[0]);
        let raw = |at, len| Packed { at, len, width: 64 };
        let distances = words_of(numbers.len() * width as usize);
        let mut words = described(numbers[0], 0, width).to_vec();
        words.resize(KEYS_AT + distances + 2, 0);
        let facts = Facts {
            blocks: raw(0, BLOCK_WORDS),
            keys: raw(KEYS_AT, distances),
            ..Facts::empty(Kind::Prefix, 1)
        };
        for (within, number) in numbers.iter().enumerate() {
            put_number(&mut words, &facts, 0, within, *number);
        }
        (*words.first_chunk().unwrap(), words)
    }

    fn check(numbers: &[u64]) {
        let (block, words) = words_of_block(numbers);
        let near = |number: &u64| [*number, number + 1, number.saturating_sub(1).max(numbers[0])];
        for wanted in numbers.iter().flat_map(near) {
            let part = Part::of(&block, (ENTRY, numbers.len()), KEYS_AT, wanted).unwrap();
            let index = numbers.partition_point(|number| *number <= wanted) - 1;
            assert_eq!(part.last(&words), Some((ENTRY + index, numbers[index])), "{wanted} in {numbers:?}");
            let (first, size) = part.entries();
            assert!((first..first + size).contains(&(ENTRY + index)) && size <= PART, "{wanted}");
            assert_eq!(number(&words, KEYS_AT, &block, index), Some(numbers[index]));
        }
    }

    proptest! {
        #[test]
        fn the_last_that_is_not_greater_is_found(
            base in 0_u64..1 << 49,
            width in 0_u32..WIDTH_MAX as u32,
            distances in prop::collection::btree_set(any::<u64>(), 0..BLOCK),
        ) {
            let mut distances: Vec<_> = distances.iter().map(|distance| distance % (1 << width)).collect();
            distances.push(0);
            distances.sort_unstable();
            distances.dedup();
            let numbers: Vec<_> = distances.iter().map(|distance| base + distance).collect();
            check(&numbers);
        }

        #[test]
        fn any_words_are_safe(words: [u64; 2 * BLOCK_WORDS], size in 0..=BLOCK, wanted: u64, keys_at: usize) {
            for keys_at in [keys_at, BLOCK_WORDS] {
                let part = Part::of(words.first_chunk().unwrap(), (ENTRY, size), keys_at, wanted);
                if let Some(part) = part {
                    let _ = part.last(&words);
                    part.touch(&words);
                }
            }
        }
    }

    /// As many as there can be, as far apart as they can be.
    #[test]
    fn a_full_block_of_the_widest_distances() {
        let most = (1_u64 << WIDTH_MAX) - 1;
        let numbers: Vec<_> = (0..BLOCK as u64).map(|index| index * (most / (BLOCK as u64 - 1))).collect();
        assert_eq!(width_of(numbers[BLOCK - 1]), WIDTH_MAX as u32);
        check(&numbers);
    }

    #[test]
    fn what_describes_a_block_is_a_line_of_cache() {
        assert_eq!(size_of::<Block>(), super::super::line::LINE_BYTES);
    }
}
