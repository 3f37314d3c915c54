//! Pure. Whole numbers: in order by segments, and within a segment scattered over lines of cache.
//!
//! In:    words of an image.
//! Out:   where a number is, and its value; all numbers in order.
//! Never: trusts what the words say: a wrong image gives wrong answers, and nothing worse.
//!
//! A lookup waits for memory once. What describes the segments is small enough for the processor's caches, and tells the one
//! line where the number must be, with its value beside it. A line that is too small for its numbers sends those
//! that came last to other lines of the segment, which are many enough for all of them.

use std::num::NonZeroU64;

use super::{
    directory::{Directory, Stretch},
    image::{Facts, ImageFault},
    line::{self, LINE_WORDS, Line},
    packed::{touch, width_of},
    scatter::{Lines, Mixer},
    sorted::{LANE_WORDS, LANES},
};
use crate::limits::NUMBERS_AHEAD_MAX;

/// Numbers of a segment: enough for lines to be filled evenly, few enough that what describes all segments of a hundred
/// million stays in the cache.
pub(super) const SEGMENT: usize = 1 << 15;
/// To how much of their room lines are filled, in parts of 100. With less, memory is lost; with more, too many numbers
/// have no room in their line, and a lookup of these reads two.
const FILLED: u64 = 85;
/// The lines for those: they must have room for all.
const FILLED_AGAIN: u64 = 50;
/// Bits of the counts of lines in what describes a segment; what is left of a word is for the bits of its numbers.
const COUNT_BITS: u32 = 26;

/// What describes a segment: its first number; how many lines it has, and the bits of its numbers.
pub(super) type Described = [u64; DESCRIBED_WORDS];
pub(super) const DESCRIBED_WORDS: usize = 2;

/// Where the numbers of a segment are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    base: u64,
    mixer: Mixer,
    first_line: usize,
    lines: Lines,
    /// After them, for numbers that have no room there.
    further: Option<Lines>,
}

impl Segment {
    /// For these numbers, in order.
    pub(super) fn plan(numbers: &[u64], value_width: u32) -> Described {
        let (base, last) = (numbers.first().copied().unwrap_or(0), numbers.last().copied().unwrap_or(0));
        let width = width_of(last.saturating_sub(base));
        let mixer = Mixer::of(width);
        let all: Vec<_> = numbers.iter().map(|number| mixer.mixed(number.wrapping_sub(base))).collect();
        let Some(count) = NonZeroU64::new(all.len() as u64) else { return [base, 0] };
        let lines = Lines::filled(count, FILLED, width, value_width);
        let without_room = left_over(all, lines);
        let head = lines.count.get() | (u64::from(width) << (2 * COUNT_BITS));
        let Some(count) = NonZeroU64::new(without_room.len() as u64) else { return [base, head] };
        let mut further = Lines::filled(count, FILLED_AGAIN, width, value_width);
        // With as many lines as there are numbers of these bits each has a line of its own.
        while !left_over(without_room.clone(), further).is_empty() {
            let count = further.count.saturating_add(further.count.get() / 8 + 1);
            further = Lines::of(count, width, value_width);
        }
        [base, head | (further.count.get() << COUNT_BITS)]
    }

    /// From what describes it.
    pub(super) fn read([base, head]: Described, first_line: usize, value_width: u32) -> Self {
        let count = |shift: u32| NonZeroU64::new((head >> shift) & ((1 << COUNT_BITS) - 1));
        #[allow(clippy::cast_possible_truncation)]
        let width = (head >> (2 * COUNT_BITS)) as u32 & 63;
        let lines = Lines::of(count(0).unwrap_or(NonZeroU64::MIN), width, value_width);
        let further = count(COUNT_BITS).map(|count| Lines::of(count, width, value_width));
        Self { base, mixer: Mixer::of(width), first_line, lines, further }
    }

    /// How many lines it has.
    pub(super) fn line_count(&self) -> usize {
        to_usize(self.lines.count.get() + self.further.map_or(0, |lines| lines.count.get()))
    }

    /// Where a mixed number may be: the lines, and the first of them.
    #[inline(always)]
    fn lines(&self) -> impl Iterator<Item = (usize, Lines)> {
        let behind = self.first_line.wrapping_add(to_usize(self.lines.count.get()));
        std::iter::once((self.first_line, self.lines)).chain(self.further.map(|lines| (behind, lines)))
    }

    /// Writes a number and its value.
    pub(super) fn put(&self, words: &mut [u64], facts: &Facts, number: u64, value: u64) {
        let mixed = self.mixer.mixed(number.wrapping_sub(self.base));
        for (first, lines) in self.lines() {
            let (index, left) = lines.place(mixed);
            let Some(line) = line_mut(words, facts, first.wrapping_add(to_usize(index))) else { return };
            if line::push(line, left, value, lines.fields) {
                return;
            }
        }
    }

    /// The number at a place of one of its lines.
    fn number(&self, at: usize, line: &Line, place: usize) -> u64 {
        let index = at.wrapping_sub(self.first_line) as u64;
        let (index, lines) = match (index.checked_sub(self.lines.count.get()), self.further) {
            (Some(index), Some(further)) => (index, further),
            _ => (index, self.lines),
        };
        let mixed = lines.mixed(index, line::left(line, place, lines.fields));
        self.base.wrapping_add(self.mixer.unmixed(mixed))
    }
}

/// Those of the mixed numbers that have no room in their lines.
fn left_over(mut numbers: Vec<u64>, lines: Lines) -> Vec<u64> {
    let mut counts = vec![0_usize; to_usize(lines.count.get())];
    numbers.retain(|number| {
        let (index, _) = lines.place(*number);
        let Some(count) = counts.get_mut(to_usize(index)) else { return false };
        *count += 1;
        *count > lines.fields.places
    });
    numbers
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A line by its number.
#[inline(always)]
fn line<'w>(words: &'w [u64], facts: &Facts, index: usize) -> Option<&'w Line> {
    words.get(facts.keys.at.wrapping_add(index.wrapping_mul(LINE_WORDS))..)?.first_chunk()
}

fn line_mut<'w>(words: &'w mut [u64], facts: &Facts, index: usize) -> Option<&'w mut Line> {
    words.get_mut(facts.keys.at.wrapping_add(index.wrapping_mul(LINE_WORDS))..)?.first_chunk_mut()
}

/// Numbers of one length with or without `+`.
#[derive(Debug)]
struct Lane {
    id: usize,
    segments: Vec<Segment>,
    /// What describes them in the image: their bases are searched.
    described: Box<[Described]>,
    directory: Directory,
}

impl Lane {
    /// The segment where a number of a stretch may be, and the number mixed as it is there.
    #[inline(always)]
    fn mixed(&self, stretch: Stretch, wanted: u64) -> Option<(&Segment, u64)> {
        let (index, _) = stretch.last_until(&self.described, wanted)?;
        let segment = self.segments.get(index)?;
        let distance = wanted.wrapping_sub(segment.base);
        segment.mixer.takes(distance).then(|| (segment, segment.mixer.mixed(distance)))
    }
}

/// All whole numbers of a table.
#[derive(Debug)]
pub(super) struct Segments {
    lanes: Vec<Lane>,
    /// Index into `lanes` by id; one that is out of it for none.
    by_id: [u8; LANES],
    /// An entry is the line of a number and its place there, in this many bits. There are 2^32 of them, and about half are
    /// numbers: more than a file of the greatest size has rows.
    place_bits: u32,
}

impl Segments {
    /// No numbers.
    pub(super) fn none() -> Self {
        Self { lanes: Vec::new(), by_id: [u8::MAX; LANES], place_bits: 0 }
    }

    /// From the sections of an image.
    pub(super) fn read(words: &[u64], facts: &Facts) -> Result<Self, ImageFault> {
        let wrong = ImageFault::Inconsistent("its numbers are not as many as it says");
        let described: &[Described] = facts.blocks.slice(words).as_chunks().0;
        let lanes = facts.lanes.slice(words);
        if !lanes.len().is_multiple_of(LANE_WORDS)
            || lanes.len() > LANES * LANE_WORDS
            || !facts.blocks.len.is_multiple_of(DESCRIBED_WORDS)
        {
            return Err(wrong);
        }
        let mut all = Self::none();
        let mut places = 0;
        let (mut first, mut first_line, mut entries) = (0_usize, 0_usize, 0_usize);
        for lane in lanes.as_chunks::<LANE_WORDS>().0 {
            let [id, count] = lane.map(to_usize);
            let place = all.by_id.get_mut(id).filter(|place| **place == u8::MAX);
            let (Some(place), true) = (place, count <= facts.numeric) else { return Err(wrong) };
            *place = u8::try_from(all.lanes.len()).unwrap_or(u8::MAX);
            let blocks =
                described.get(first..).and_then(|rest| rest.get(..count.div_ceil(SEGMENT))).ok_or(wrong)?;
            let segments = blocks.iter().map(|block| {
                let segment = Segment::read(*block, first_line, facts.row_tuples.width);
                first_line = first_line.saturating_add(segment.line_count());
                segment
            });
            let segments: Vec<_> = segments.collect();
            let lines = segments.iter().flat_map(Segment::lines).map(|(_, lines)| lines);
            let most = lines.map(|lines| lines.fields.places).max();
            places = places.max(most.unwrap_or(0));
            let directory = Directory::over(blocks);
            all.lanes.push(Lane { id, segments, described: blocks.into(), directory });
            first += blocks.len();
            entries += count;
        }
        all.place_bits = width_of(places.saturating_sub(1) as u64);
        let whole = first == described.len()
            && first_line.checked_mul(LINE_WORDS) == Some(facts.keys.len)
            && entries == facts.numeric;
        if whole { Ok(all) } else { Err(wrong) }
    }

    /// Memory beside the image, in bytes.
    pub(super) fn resident_bytes(&self) -> usize {
        let of = |lane: &Lane| {
            size_of::<Lane>()
                + size_of_val::<[Segment]>(&lane.segments)
                + size_of_val::<[Described]>(&lane.described)
                + lane.directory.resident_bytes()
        };
        self.lanes.iter().map(of).sum()
    }

    /// One more than the greatest entry. Some below have no number.
    pub(super) fn entries_end(&self, facts: &Facts) -> usize {
        (facts.keys.len / LINE_WORDS) << self.place_bits
    }

    /// The entry of a number of a lane.
    #[inline]
    pub(super) fn find(&self, words: &[u64], facts: &Facts, lane: usize, wanted: u64) -> Option<u32> {
        let lane = self.lane(lane)?;
        let (segment, mixed) = lane.mixed(lane.directory.stretch(wanted)?, wanted)?;
        for (first, lines) in segment.lines() {
            let (index, left) = lines.place(mixed);
            let at = first.wrapping_add(to_usize(index));
            let line = line(words, facts, at)?;
            if let Some(place) = line::find(line, left, lines.fields) {
                return self.entry(at, place);
            }
            if !line::is_crowded(line) {
                return None;
            }
        }
        None
    }

    /// Reads what [`Segments::find`] will read first, of several numbers with their lanes: each step of all of them before the
    /// next.
    pub(super) fn look_ahead(
        &self,
        words: &[u64],
        facts: &Facts,
        wanted: &[Option<(usize, u64)>; NUMBERS_AHEAD_MAX],
    ) {
        let stretches = wanted.map(|wanted| {
            let (lane, wanted) = wanted?;
            let lane = self.lane(lane)?;
            Some((lane, lane.directory.stretch(wanted)?, wanted))
        });
        let lines = stretches.map(|stretch| {
            let (lane, stretch, wanted) = stretch?;
            let (segment, mixed) = lane.mixed(stretch, wanted)?;
            let (first, lines) = segment.lines().next()?;
            Some(first.wrapping_add(to_usize(lines.place(mixed).0)))
        });
        for line in lines.into_iter().flatten() {
            touch(words, facts.keys.at.wrapping_add(line.wrapping_mul(LINE_WORDS)));
        }
    }

    #[inline(always)]
    fn lane(&self, id: usize) -> Option<&Lane> {
        self.lanes.get(usize::from(*self.by_id.get(id)?))
    }

    #[inline(always)]
    fn entry(&self, line: usize, place: usize) -> Option<u32> {
        u32::try_from((line << self.place_bits) | place).ok()
    }

    /// The line of an entry and the place there.
    #[inline(always)]
    fn place(&self, entry: u32) -> (usize, usize) {
        let entry = entry as usize;
        (entry >> self.place_bits, entry & ((1 << self.place_bits) - 1))
    }

    /// The value of an entry; any when there is none.
    #[inline]
    pub(super) fn value(&self, words: &[u64], facts: &Facts, entry: u32) -> u32 {
        let (at, place) = self.place(entry);
        let value = line(words, facts, at).map_or(0, |line| line::value(line, place, facts.row_tuples.width));
        u32::try_from(value).unwrap_or(0)
    }

    /// The lane and the number of an entry.
    pub(super) fn get(&self, words: &[u64], facts: &Facts, entry: u32) -> Option<(usize, u64)> {
        let (at, place) = self.place(entry);
        let line = line(words, facts, at).filter(|line| place < line::count(line))?;
        let begins = |lane: &Lane| lane.segments.first().is_some_and(|segment| segment.first_line <= at);
        let lane = self.lanes.iter().rev().find(|lane| begins(lane))?;
        let index = lane.segments.partition_point(|segment| segment.first_line <= at);
        let segment = lane.segments.get(index.checked_sub(1)?)?;
        Some((lane.id, segment.number(at, line, place)))
    }

    /// All entries, by lane and number: a segment at a time is sorted.
    pub(super) fn in_order<'t>(
        &'t self,
        words: &'t [u64],
        facts: &'t Facts,
    ) -> impl Iterator<Item = u32> + 't {
        let segments = self.lanes.iter().flat_map(|lane| &lane.segments);
        segments.flat_map(move |segment| {
            let mut numbers: Vec<(u64, u32)> = Vec::with_capacity(SEGMENT);
            let last =
                segment.first_line.saturating_add(segment.line_count()).min(facts.keys.len / LINE_WORDS);
            for at in segment.first_line..last {
                let Some(line) = line(words, facts, at) else { continue };
                for place in 0..line::count(line) {
                    let number = segment.number(at, line, place);
                    numbers.extend(self.entry(at, place).map(|entry| (number, entry)));
                }
            }
            numbers.sort_unstable();
            numbers.into_iter().map(|(_, entry)| entry)
        })
    }
}
