//! Pure. Sorted numbers in blocks: the first of each block whole, the others as packed distances from it,
//! and over the first ones a tree of sixteen branches.
//!
//! In:    words of an image.
//! Out:   where the last number is that is not greater than another.
//! Never: trusts what the words say: a wrong image gives wrong answers, and nothing worse.

use super::{
    image::{Facts, ImageFault},
    packed::{Packed, bits},
};

/// Numbers of a block. Their distances are two or three lines of cache.
pub(super) const BLOCK: usize = 64;
/// Branches of the tree: two lines of cache.
const FAN: usize = 16;
/// `FAN` to this power is more than there are blocks.
const LEVELS_MAX: usize = 8;
/// Numbers of one length with or without `+` are a lane.
pub(super) const LANES: usize = 32;
/// Words that describe a lane.
pub(super) const LANE_WORDS: usize = 2;

/// Numbers that are sorted by themselves.
#[derive(Clone, Copy, Debug)]
struct Lane {
    id: usize,
    first_block: usize,
    first_entry: usize,
    entries: usize,
    /// Where the levels of its tree begin and how long they are, from the leaves to the top.
    levels: [(usize, usize); LEVELS_MAX],
    depth: usize,
}

/// All lanes of a table.
#[derive(Debug)]
pub(super) struct Sorted {
    lanes: Vec<Lane>,
    /// Index into `lanes` by id; one that is out of it for none.
    by_id: [u8; LANES],
    heads: Packed,
    keys: Packed,
    /// What is read next of the entry that is found.
    beside: Packed,
}

/// Reads a word that will be wanted soon, so that memory brings it while others are looked at.
#[inline(always)]
fn touch(words: &[u64], at: usize) {
    std::hint::black_box(words.get(at).copied().unwrap_or(0));
}

/// The levels of a tree over so many blocks, without the lowest.
pub(super) fn upper_levels(blocks: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(blocks), |&below| (below > FAN).then(|| below.div_ceil(FAN))).skip(1)
}

/// The tree over `bases`, without the lowest level, lowest first.
pub(super) fn upper_of(bases: &[u64]) -> impl Iterator<Item = u64> + '_ {
    let steps = upper_levels(bases.len()).zip(std::iter::successors(Some(FAN), |step| step.checked_mul(FAN)));
    steps.flat_map(|(_, step)| bases.iter().copied().step_by(step))
}

/// What describes a block: where its distances begin, and their width.
pub(super) fn head(word: usize, width: u32) -> u64 {
    ((word as u64) << 8) | u64::from(width)
}

/// The opposite.
#[inline]
pub(super) fn head_parts(head: u64) -> (usize, u32) {
    #[allow(clippy::cast_possible_truncation)]
    let width = (head & 63) as u32;
    (usize::try_from(head >> 8).unwrap_or(usize::MAX), width)
}

impl Sorted {
    /// No numbers.
    pub(super) fn none() -> Self {
        let none = Packed::default();
        Self { lanes: Vec::new(), by_id: [u8::MAX; LANES], heads: none, keys: none, beside: none }
    }

    /// From the sections of an image.
    pub(super) fn read(words: &[u64], facts: &Facts) -> Result<Self, ImageFault> {
        let Facts { lanes: described, bases, upper, heads, keys, .. } = *facts;
        let beside = if facts.climb.len > 0 { facts.climb } else { facts.row_tuples };
        let wrong = ImageFault::Inconsistent("its numbers are not as many as it says");
        let mut lanes: Vec<Lane> = Vec::new();
        let mut by_id = [u8::MAX; LANES];
        let (mut block, mut entry, mut upper_at) = (0_usize, 0_usize, 0_usize);
        if described.len % LANE_WORDS != 0 || described.len > LANES * LANE_WORDS {
            return Err(wrong);
        }
        for lane in described.slice(words).chunks_exact(LANE_WORDS) {
            let number =
                |at: usize| lane.get(at).and_then(|&word| usize::try_from(word).ok()).unwrap_or(usize::MAX);
            let (id, entries) = (number(0), number(1));
            let place = by_id.get_mut(id).filter(|place| **place == u8::MAX);
            let (Some(place), true) = (place, entries <= facts.numeric) else { return Err(wrong) };
            *place = u8::try_from(lanes.len()).unwrap_or(u8::MAX);
            let blocks = entries.div_ceil(BLOCK);
            let mut levels = [(0, 0); LEVELS_MAX];
            let mut depth = 1;
            if let Some(lowest) = levels.first_mut() {
                *lowest = (bases.at + block, blocks);
            }
            for size in upper_levels(blocks) {
                if let Some(level) = levels.get_mut(depth) {
                    *level = (upper.at + upper_at, size);
                }
                depth += 1;
                upper_at += size;
            }
            lanes.push(Lane { id, first_block: block, first_entry: entry, entries, levels, depth });
            block += blocks;
            entry += entries;
        }
        let whole =
            block == bases.len && block == heads.len && entry == facts.numeric && upper_at == upper.len;
        if whole { Ok(Self { lanes, by_id, heads, keys, beside }) } else { Err(wrong) }
    }

    /// The entry of the last number of a lane that is not greater than `wanted`, and that number.
    #[inline]
    pub(super) fn last_until(&self, words: &[u64], lane: usize, wanted: u64) -> Option<(usize, u64)> {
        let lane = self.lanes.get(usize::from(*self.by_id.get(lane)?))?;
        let mut node = 0;
        let mut base = 0;
        let heads = self.heads.at.wrapping_add(lane.first_block);
        for &(at, len) in lane.levels.get(..lane.depth)?.iter().rev() {
            let from = node * FAN;
            let branches = words.get(at.wrapping_add(from)..at.wrapping_add(len.min(from + FAN)))?;
            if at == lane.levels.first()?.0 {
                touch(words, heads.wrapping_add(from));
                touch(words, heads.wrapping_add(from + FAN / 2));
            }
            // All at once, not by halves: both lines of cache come at the same time.
            let last = if let Some(branches) = branches.first_chunk::<FAN>() {
                branches.iter().map(|&it| usize::from(it <= wanted)).sum::<usize>()
            } else {
                branches.iter().filter(|&&it| it <= wanted).count()
            };
            let last = last.checked_sub(1)?;
            node = from + last;
            base = branches.get(last).copied()?;
        }
        let (at, width) = head_parts(self.heads.get(words, lane.first_block + node)?);
        let at = self.keys.at.wrapping_add(at);
        let mut size = BLOCK.min(lane.entries.checked_sub(node * BLOCK)?);
        let step = width as usize;
        let block = words.get(at..)?;
        // The words of the distances, and one more.
        let block = block.get(..block.len().min(size * step / 64 + 2))?;
        touch(words, at.wrapping_add(size * step / 128));
        touch(words, at.wrapping_add(size * step / 64));
        let beside = (lane.first_entry + node * BLOCK) * self.beside.width as usize / 64;
        touch(words, self.beside.at.wrapping_add(beside));
        touch(words, self.beside.at.wrapping_add(beside + self.beside.width as usize / 2));
        let distance = wanted - base;
        let (mut low, mut found) = (0_usize, 0);
        // Six steps for a whole block. Which way they go is not to be guessed: no branches.
        while size > 1 {
            let half = size / 2;
            let there = bits(block, 0, (low + half) * step, width)?;
            let go = there <= distance;
            low = std::hint::select_unpredictable(go, low + half, low);
            found = std::hint::select_unpredictable(go, there, found);
            size -= half;
        }
        Some((lane.first_entry + node * BLOCK + low, base.wrapping_add(found)))
    }

    /// The lane and the number of an entry.
    pub(super) fn get(&self, words: &[u64], entry: usize) -> Option<(usize, u64)> {
        let of = |lane: &&Lane| entry >= lane.first_entry && entry - lane.first_entry < lane.entries;
        let lane = self.lanes.iter().find(of)?;
        let within = entry - lane.first_entry;
        let block = within / BLOCK;
        let (at, width) = head_parts(self.heads.get(words, lane.first_block + block)?);
        let &(bases, _) = lane.levels.first()?;
        let base = words.get(bases.wrapping_add(block)).copied()?;
        let distance = bits(words, self.keys.at.wrapping_add(at), (within % BLOCK) * width as usize, width)?;
        Some((lane.id, base.wrapping_add(distance)))
    }
}
