//! Pure. Sorted numbers in blocks, and over the first numbers of these a directory of equal stretches of numbers.
//!
//! In:    words of an image.
//! Out:   where the last number is that is not greater than another.
//! Never: trusts what the words say: a wrong image gives wrong answers, and nothing worse.

use super::{
    block::{self, BLOCK, BLOCK_WORDS, Block, Part},
    directory::{Directory, Stretch},
    image::{Facts, ImageFault},
    packed::{Packed, touch},
};
use crate::limits::NUMBERS_AHEAD_MAX;

/// Numbers of one length with or without `+` are a lane.
pub(super) const LANES: usize = 32;
/// Words that describe a lane.
pub(super) const LANE_WORDS: usize = 2;

/// Numbers that are sorted by themselves.
#[derive(Debug)]
struct Lane {
    id: usize,
    first_block: usize,
    first_entry: usize,
    entries: usize,
    /// The first number of each block. They are searched, and stay in the cache; where numbers lie close together, there are
    /// many in one stretch.
    bases: Box<[Base]>,
    directory: Directory,
}

type Base = [u64; 1];

/// A block, and the number that is searched in it.
#[derive(Clone, Copy)]
struct Place<'l> {
    lane: &'l Lane,
    /// Which block of the lane.
    block: usize,
    wanted: u64,
}

impl Lane {
    #[inline(always)]
    fn place(&self, stretch: Stretch, wanted: u64) -> Option<Place<'_>> {
        let (block, _) = stretch.last_until(&self.bases, wanted)?;
        Some(Place { lane: self, block, wanted })
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
        let all_blocks: &[Block] = all.slice(words).as_chunks().0;
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
            let of_lane = all_blocks.get(block..).and_then(|rest| rest.get(..blocks)).ok_or(wrong)?;
            let bases: Box<[Base]> = of_lane.iter().map(|&[base, ..]| [base]).collect();
            let directory = Directory::over(&bases);
            lanes.push(Lane { id, first_block: block, first_entry: entry, entries, bases, directory });
            block += blocks;
            entry += entries;
        }
        let whole = block * BLOCK_WORDS == all.len && entry == facts.numeric;
        if whole { Ok(Self { lanes, by_id, blocks: all, keys, beside }) } else { Err(wrong) }
    }

    /// Memory beside the image, in bytes.
    pub(super) fn resident_bytes(&self) -> usize {
        let of_lane = |lane: &Lane| {
            size_of::<Lane>() + size_of_val::<[Base]>(&lane.bases) + lane.directory.resident_bytes()
        };
        self.lanes.iter().map(of_lane).sum()
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
        let part = self.part(words, lane.place(lane.directory.stretch(wanted)?, wanted)?)?;
        part.touch(words);
        let (first, count) = part.entries();
        [first, first + count].into_iter().for_each(|entry| self.touch_beside(words, entry));
        part.last(words)
    }

    /// Reads what is read next of an entry.
    #[inline(always)]
    fn touch_beside(&self, words: &[u64], entry: usize) {
        for section in &self.beside {
            let before = entry.wrapping_mul(section.width as usize) / u64::BITS as usize;
            touch(words, section.at.wrapping_add(before));
        }
    }

    /// That number, if it is the one of this entry.
    #[inline(always)]
    fn proved(&self, words: &[u64], lane: &Lane, wanted: u64, entry: usize) -> Option<(usize, u64)> {
        let index = entry.checked_sub(lane.first_entry).filter(|index| *index < lane.entries)?;
        let (at, within) = (index / BLOCK, index % BLOCK);
        let block = self.block(words, lane, at)?;
        let found = block::number(words, self.keys.at, block, within)?;
        let behind = if within + 1 < BLOCK {
            block::number(words, self.keys.at, block, within + 1)
        } else {
            lane.bases.get(at + 1).map(|&[base]| base)
        };
        let is_last = index + 1 == lane.entries || behind? > wanted;
        (found <= wanted && is_last).then_some((entry, found))
    }

    /// Finds what [`Sorted::last_until`] will, of several numbers with their lanes, and reads what is read next of the entries:
    /// each step of all of them before the next, so that they wait for memory together and not one after the other.
    pub(super) fn look_ahead(
        &self,
        words: &[u64],
        wanted: &[Option<(usize, u64)>; NUMBERS_AHEAD_MAX],
    ) -> [Option<(usize, u64)>; NUMBERS_AHEAD_MAX] {
        let stretches = wanted.map(|wanted| {
            let (lane, wanted) = wanted?;
            let lane = self.lane(lane)?;
            Some((lane, lane.directory.stretch(wanted)?, wanted))
        });
        for (lane, stretch, _) in stretches.iter().flatten() {
            stretch.touch(&lane.bases);
        }
        let places = stretches.map(|stretch| {
            let (lane, stretch, wanted) = stretch?;
            lane.place(stretch, wanted)
        });
        for place in places.iter().flatten() {
            touch(words, self.word_of(place.lane, place.block));
        }
        let parts = places.map(|place| self.part(words, place?));
        // What is read stands by itself: beside a search, the processor would see but two reads at one time.
        parts.iter().flatten().for_each(|part| part.touch(words));
        let found = parts.map(|part| part?.last(words));
        found.iter().flatten().for_each(|(entry, _)| self.touch_beside(words, *entry));
        found
    }

    #[inline(always)]
    fn lane(&self, id: usize) -> Option<&Lane> {
        self.lanes.get(usize::from(*self.by_id.get(id)?))
    }

    /// Where a block of a lane is described.
    #[inline(always)]
    fn word_of(&self, lane: &Lane, block: usize) -> usize {
        self.blocks.at.wrapping_add(lane.first_block.wrapping_add(block).wrapping_mul(BLOCK_WORDS))
    }

    #[inline(always)]
    fn block<'w>(&self, words: &'w [u64], lane: &Lane, block: usize) -> Option<&'w Block> {
        words.get(self.word_of(lane, block)..)?.first_chunk()
    }

    /// The part of its block where a number is searched.
    #[inline(always)]
    fn part(&self, words: &[u64], Place { lane, block, wanted }: Place<'_>) -> Option<Part> {
        let before = block * BLOCK;
        let size = BLOCK.min(lane.entries.checked_sub(before)?);
        Part::of(self.block(words, lane, block)?, (lane.first_entry + before, size), self.keys.at, wanted)
    }

    /// The lane and the number of an entry.
    pub(super) fn get(&self, words: &[u64], entry: usize) -> Option<(usize, u64)> {
        let of = |lane: &&Lane| entry >= lane.first_entry && entry - lane.first_entry < lane.entries;
        let lane = self.lanes.iter().find(of)?;
        let within = entry - lane.first_entry;
        let block = self.block(words, lane, within / BLOCK)?;
        Some((lane.id, block::number(words, self.keys.at, block, within % BLOCK)?))
    }
}
