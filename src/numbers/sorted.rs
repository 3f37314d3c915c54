//! Pure. Sorted numbers in blocks: the first of each block whole, the others as packed distances from it,
//! and over the first ones a directory of equal stretches of numbers.
//!
//! In:    words of an image.
//! Out:   where the last number is that is not greater than another.
//! Never: trusts what the words say: a wrong image gives wrong answers, and nothing worse.

use super::{
    directory::{BLOCK_WORDS, Block, Directory, Stretch},
    image::{Facts, ImageFault},
    packed::{Packed, bits},
};
use crate::limits::NUMBERS_AHEAD_MAX;

/// Numbers of a block. Their distances are a few lines of cache, which come together; what describes the
/// blocks stays in the cache.
pub(super) const BLOCK: usize = 128;
/// Numbers of one length with or without `+` are a lane.
pub(super) const LANES: usize = 32;
/// Words that describe a lane.
pub(super) const LANE_WORDS: usize = 2;
/// Words of a line of cache.
const LINE_WORDS: usize = 8;

/// Numbers that are sorted by themselves.
#[derive(Debug)]
struct Lane {
    id: usize,
    first_block: usize,
    first_entry: usize,
    entries: usize,
    directory: Directory,
}

/// The block of a number.
#[derive(Clone, Copy)]
struct Place {
    /// The entry of its first number, and how many it has.
    first: usize,
    size: usize,
    base: u64,
    /// Where its distances begin among all, and their width.
    at: usize,
    width: u32,
}

impl Lane {
    #[inline(always)]
    fn place(&self, blocks: &[Block], stretch: Stretch, wanted: u64) -> Option<Place> {
        let (block, [base, described]) = stretch.last_until(blocks, wanted)?;
        let (at, width) = head_parts(described);
        let size = BLOCK.min(self.entries.checked_sub(block * BLOCK)?);
        Some(Place { first: self.first_entry + block * BLOCK, size, base, at, width })
    }
}

/// All lanes of a table.
#[derive(Debug)]
pub(super) struct Sorted {
    lanes: Vec<Lane>,
    /// Index into `lanes` by id; one that is out of it for none.
    by_id: [u8; LANES],
    blocks: Packed,
    keys: Packed,
    /// What is read next of the entry that is found.
    beside: [Packed; 2],
}

/// Reads a word that will be wanted soon, so that memory brings it while others are looked at.
#[inline(always)]
pub(super) fn touch(words: &[u64], at: usize) {
    std::hint::black_box(words.get(at).copied().unwrap_or(0));
}

/// Reads each line of the distances of a block.
#[inline(always)]
fn touch_lines(keys: &[u64]) {
    (0..keys.len()).step_by(LINE_WORDS).for_each(|line| touch(keys, line));
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

/// What describes the blocks.
#[inline]
fn described_in(words: &[u64], blocks: Packed) -> &[Block] {
    blocks.slice(words).as_chunks().0
}

impl Sorted {
    /// No numbers.
    pub(super) fn none() -> Self {
        let none = Packed::default();
        Self { lanes: Vec::new(), by_id: [u8::MAX; LANES], blocks: none, keys: none, beside: [none; 2] }
    }

    /// From the sections of an image.
    pub(super) fn read(words: &[u64], facts: &Facts) -> Result<Self, ImageFault> {
        let Facts { lanes: described, blocks: all, keys, .. } = *facts;
        let rows = if facts.runs.len > 0 { facts.runs } else { facts.row_tuples };
        let beside = [facts.climb, rows];
        let wrong = ImageFault::Inconsistent("its numbers are not as many as it says");
        let mut lanes: Vec<Lane> = Vec::new();
        let mut by_id = [u8::MAX; LANES];
        let (mut block, mut entry) = (0_usize, 0_usize);
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
            let of_lane =
                described_in(words, all).get(block..).and_then(|rest| rest.get(..blocks)).ok_or(wrong)?;
            let directory = Directory::over(of_lane);
            lanes.push(Lane { id, first_block: block, first_entry: entry, entries, directory });
            block += blocks;
            entry += entries;
        }
        let whole = block * BLOCK_WORDS == all.len && entry == facts.numeric;
        if whole { Ok(Self { lanes, by_id, blocks: all, keys, beside }) } else { Err(wrong) }
    }

    /// Memory beside the image, in bytes.
    pub(super) fn resident_bytes(&self) -> usize {
        self.lanes.iter().map(|lane| size_of::<Lane>() + lane.directory.resident_bytes()).sum()
    }

    /// The entry of the last number of a lane that is not greater than `wanted`, and that number. It may be `guess`: what
    /// [`Sorted::look_ahead`] has found for the same.
    #[inline]
    pub(super) fn last_until(
        &self,
        words: &[u64],
        lane: usize,
        wanted: u64,
        guess: Option<u32>,
    ) -> Option<(usize, u64)> {
        let lane = self.lane(lane)?;
        if let Some(found) = guess.and_then(|guess| self.proved(words, lane, wanted, guess as usize)) {
            return Some(found);
        }
        let place = lane.place(self.blocks_of(words, lane)?, lane.directory.stretch(wanted)?, wanted)?;
        let keys = self.keys_at(words, place)?;
        touch_lines(keys);
        for section in &self.beside {
            let first = place.first * section.width as usize / 64;
            for line in (0..section.width as usize * BLOCK / 64).step_by(LINE_WORDS) {
                touch(words, section.at.wrapping_add(first + line));
            }
        }
        Self::last_in(keys, place, wanted)
    }

    /// The same in its block.
    #[inline(always)]
    fn last_in(keys: &[u64], place: Place, wanted: u64) -> Option<(usize, u64)> {
        let Place { first, mut size, base, width, .. } = place;
        let step = width as usize;
        let distance = wanted - base;
        let (mut low, mut found) = (0_usize, 0);
        // Seven steps for a whole block. Which way they go is not to be guessed: no branches.
        while size > 1 {
            let half = size / 2;
            let there = bits(keys, 0, (low + half) * step, width)?;
            let go = there <= distance;
            low = std::hint::select_unpredictable(go, low + half, low);
            found = std::hint::select_unpredictable(go, there, found);
            size -= half;
        }
        Some((first + low, base.wrapping_add(found)))
    }

    /// That number, if it is the one of this entry.
    #[inline(always)]
    fn proved(&self, words: &[u64], lane: &Lane, wanted: u64, entry: usize) -> Option<(usize, u64)> {
        let index = entry.checked_sub(lane.first_entry).filter(|index| *index < lane.entries)?;
        let (block, within) = (index / BLOCK, index % BLOCK);
        let blocks = self.blocks_of(words, lane)?;
        let &[base, described] = blocks.get(block)?;
        let distance = wanted.checked_sub(base)?;
        let (at, width) = head_parts(described);
        let at = self.keys.at.wrapping_add(at);
        let found = bits(words, at, within * width as usize, width)?;
        let is_last = if index + 1 == lane.entries {
            true
        } else if within + 1 < BLOCK {
            bits(words, at, (within + 1) * width as usize, width)? > distance
        } else {
            blocks.get(block + 1).is_some_and(|&[next, _]| next > wanted)
        };
        (found <= distance && is_last).then(|| (entry, base.wrapping_add(found)))
    }

    /// Finds the entries that [`Sorted::last_until`] will, of several numbers with their lanes, and reads what is read next of
    /// them: each step of all of them before the next, so that they wait for memory together and not one after the other.
    pub(super) fn look_ahead(
        &self,
        words: &[u64],
        wanted: &[Option<(usize, u64)>; NUMBERS_AHEAD_MAX],
    ) -> [Option<u32>; NUMBERS_AHEAD_MAX] {
        let stretches = wanted.map(|wanted| {
            let (lane, wanted) = wanted?;
            let lane = self.lane(lane)?;
            Some((lane, lane.directory.stretch(wanted)?, wanted))
        });
        for (lane, stretch, _) in stretches.iter().flatten() {
            for block in stretch.ends() {
                let block = lane.first_block.wrapping_add(block);
                touch(words, self.blocks.at.wrapping_add(block.wrapping_mul(BLOCK_WORDS)));
            }
        }
        let places = stretches.map(|stretch| {
            let (lane, stretch, wanted) = stretch?;
            let place = lane.place(self.blocks_of(words, lane)?, stretch, wanted)?;
            Some((self.keys_at(words, place)?, place, wanted))
        });
        places.iter().flatten().for_each(|(keys, ..)| touch_lines(keys));
        let entries = places.map(|place| {
            let (keys, place, wanted) = place?;
            Self::last_in(keys, place, wanted).map(|(entry, _)| entry)
        });
        // Not while they are searched for: a search is so long that the processor would see but two of these at one time.
        for entry in entries.into_iter().flatten() {
            for section in &self.beside {
                touch(words, section.at.wrapping_add(entry * section.width as usize / 64));
            }
        }
        entries.map(|entry| u32::try_from(entry?).ok())
    }

    #[inline(always)]
    fn lane(&self, id: usize) -> Option<&Lane> {
        self.lanes.get(usize::from(*self.by_id.get(id)?))
    }

    #[inline(always)]
    fn blocks_of<'w>(&self, words: &'w [u64], lane: &Lane) -> Option<&'w [Block]> {
        described_in(words, self.blocks).get(lane.first_block..)
    }

    /// The words of the distances of a block, and one more.
    #[inline(always)]
    fn keys_at<'w>(&self, words: &'w [u64], place: Place) -> Option<&'w [u64]> {
        let keys = words.get(self.keys.at.wrapping_add(place.at)..)?;
        keys.get(..keys.len().min(place.size * place.width as usize / 64 + 2))
    }

    /// The lane and the number of an entry.
    pub(super) fn get(&self, words: &[u64], entry: usize) -> Option<(usize, u64)> {
        let of = |lane: &&Lane| entry >= lane.first_entry && entry - lane.first_entry < lane.entries;
        let lane = self.lanes.iter().find(of)?;
        let within = entry - lane.first_entry;
        let block = lane.first_block + within / BLOCK;
        let &[base, described] = described_in(words, self.blocks).get(block)?;
        let (at, width) = head_parts(described);
        let distance = bits(words, self.keys.at.wrapping_add(at), (within % BLOCK) * width as usize, width)?;
        Some((lane.id, base.wrapping_add(distance)))
    }
}
