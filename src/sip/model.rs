//! Pure. Requests that are like one read before: those of one peer differ in a number, a tag and a branch, and hardly in
//! anything else.
//!
//! In:    a request without fault, and how it was read; later, the bytes of others.
//! Out:   what [`super::parse`] makes of bytes that differ from it in nothing that parsing depends on.
//! Never: takes bytes for alike of which that is not proved; decides what the answer is. Without it, every answer is the same
//!        and takes longer.

use std::ops::Range;

use memchr::memchr;

use super::{
    HeaderIndex, HeaderName, Parsed, Request,
    header::Line,
    lanes::{BLOCK, LANES, alphanumeric_in, are_equal, byte_in, differing, plain_in},
    parse,
    scan::place_in,
};
use crate::limits::{
    MESSAGE_BYTES_MAX, MODEL_HEAD_BYTES_MAX, MODEL_LINES_MAX, MODEL_MISSES_MAX, MODELS_MAX, MODELS_PER_SET,
};

mod reading;

use reading::Reading;

/// What [`parse()`] makes of `bytes`, without reading them again where they are like a model.
pub fn parse_like<'a>(bytes: &'a [u8], index: &'a mut HeaderIndex, models: &'a mut Models) -> Parsed<'a> {
    let set = set_of(bytes);
    if let Some(place) = models.find(set, bytes) {
        return Parsed::Sound(models.slots[place % MODELS_MAX].read(bytes));
    }
    parse_unlike(bytes, index, models, set)
}

// Inlined, it would take registers from what most requests need.
#[inline(never)]
fn parse_unlike<'a>(
    bytes: &'a [u8],
    index: &'a mut HeaderIndex,
    models: &mut Models,
    set: usize,
) -> Parsed<'a> {
    let parsed = parse(bytes, index);
    if let Parsed::Sound(request) = &parsed {
        models.missed(set, bytes, request);
    }
    parsed
}

/// Requests that others are like, in sets: the first lines of a request tell the set, its length which of them it may be like.
#[derive(Debug)]
pub struct Models {
    slots: Box<[Model; MODELS_MAX]>,
}

impl Default for Models {
    fn default() -> Self {
        Self::new()
    }
}

impl Models {
    /// Takes the memory once.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: Box::new(std::array::from_fn(|_| Model::none())) }
    }

    /// The place of the one that these bytes are like.
    #[inline]
    fn find(&mut self, set: usize, bytes: &[u8]) -> Option<usize> {
        let first = set % SETS * MODELS_PER_SET;
        let models = self.slots.get_mut(first..first + MODELS_PER_SET)?;
        let within = models.iter().position(|model| model.is_like(bytes))?;
        models.get_mut(within)?.misses_left = MODEL_MISSES_MAX;
        Some(first + within)
    }

    /// The one of a set that was met least of late gives way to the last of many that are like none, so that learning costs
    /// little where nothing is alike.
    fn missed(&mut self, set: usize, bytes: &[u8], request: &Request<'_>) {
        let first = set % SETS * MODELS_PER_SET;
        let models = self.slots.iter_mut().skip(first).take(MODELS_PER_SET);
        let Some(model) = models.min_by_key(|model| model.misses_left) else { return };
        model.misses_left = model.misses_left.saturating_sub(1);
        if model.misses_left == 0 {
            // Also where nothing can be learnt of it: not to find that out each time.
            model.misses_left = MODEL_MISSES_MAX;
            model.learn(bytes, request);
        }
    }
}

const SETS: usize = MODELS_MAX / MODELS_PER_SET;

/// The set of a request: by the length of its first line, and what the second begins with. If that is a Via, as it mostly is,
/// it has the host of who sent it.
fn set_of(bytes: &[u8]) -> usize {
    const BEFORE_HOST: usize = b"Via: SIP/2.0/UDP ".len();
    let Some(end) = memchr(b'\n', bytes) else { return 0 };
    let window = bytes.get(end + 1 + BEFORE_HOST..).and_then(<[u8]>::first_chunk::<LANES>);
    let Some(window) = window else { return 0 };
    // A parameter is of one call.
    let unwanted = 8 * (LANES - byte_in(window, b';')) as u32;
    let host = u128::from_le_bytes(*window).checked_shl(unwanted).unwrap_or_default();
    let mixed = (host as u64 ^ (host >> 64) as u64 ^ end as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}

/// A request, and where others may differ from it.
#[derive(Debug)]
struct Model {
    /// How many more that are not like it.
    misses_left: u16,
    /// Of its bytes up to the body; nothing for none.
    head_len: usize,
    /// They themselves. The last block is the last so many bytes of them.
    text: [[u8; BLOCK]; BLOCKS_MAX],
    /// How many bytes it has with its body, which is as long as Content-Length says.
    len: usize,
    marks: [Marks; BLOCKS_MAX],
    lines: [Line; MODEL_LINES_MAX],
    line_count: usize,
    reading: Reading,
}

const BLOCKS_MAX: usize = MODEL_HEAD_BYTES_MAX / BLOCK;
const _: () = assert!(MODEL_HEAD_BYTES_MAX.is_multiple_of(BLOCK));

impl Model {
    /// What nothing is like.
    fn none() -> Self {
        Self {
            misses_left: 0,
            head_len: 0,
            text: [[0; BLOCK]; BLOCKS_MAX],
            len: 0,
            marks: [Marks::default(); BLOCKS_MAX],
            lines: [Line::NONE; MODEL_LINES_MAX],
            line_count: 0,
            reading: Reading::default(),
        }
    }

    /// Whether the bytes differ from it only where nothing is read.
    fn is_like(&self, bytes: &[u8]) -> bool {
        // First what tells those of other lengths apart.
        let ends_here = |head: &&[u8]| bytes.len() <= MESSAGE_BYTES_MAX && head.ends_with(b"\n\r\n");
        let Some(head) = bytes.get(..self.head_len).filter(ends_here) else { return false };
        let count = head.len().div_ceil(BLOCK);
        let Some((last, before)) = self.text.get(..count).and_then(<[_]>::split_last) else {
            return false;
        };
        let Some(end) = head.last_chunk::<BLOCK>() else { return false };
        let (whole, _) = head.as_chunks::<BLOCK>();
        let Some((marks_last, marks)) = self.marks.get(..count).and_then(<[_]>::split_last) else {
            return false;
        };
        let mut has_other_numbers = false;
        let mut is_alike = |mine, theirs, marks: &Marks| match marks.judge(mine, theirs) {
            Some(other_numbers) => {
                has_other_numbers |= other_numbers;
                true
            }
            None => false,
        };
        let is_alike =
            before.iter().zip(whole).zip(marks).all(|((mine, theirs), marks)| is_alike(mine, theirs, marks))
                && is_alike(last, end, marks_last);
        let is_sound =
            if has_other_numbers { self.reading.numbers_are_sound(bytes) } else { bytes.len() >= self.len };
        is_alike && is_sound
    }

    fn read<'a>(&'a self, bytes: &'a [u8]) -> Request<'a> {
        self.reading.read(bytes, self.lines.get(..self.line_count).unwrap_or_default())
    }

    /// Becomes this request; `None`: it is none that others can be compared with.
    fn learn(&mut self, bytes: &[u8], request: &Request<'_>) -> Option<()> {
        let head = bytes.get(..request.head_len)?;
        let count = head.len().div_ceil(BLOCK);
        let (text, lines) = (self.text.get_mut(..count)?, self.lines.get_mut(..request.lines.len())?);
        let last = head.last_chunk()?;
        let reading = Reading::of(request)?;
        let numbers = numbers_of(request);
        let free = free_of(request, numbers);
        lines.copy_from_slice(request.lines);
        let (whole, _) = head.as_chunks();
        text.iter_mut().zip(whole.iter().take(count - 1).chain([last])).for_each(|(to, from)| *to = *from);
        let starts = (0..count - 1).map(|block| block * BLOCK).chain([head.len() - BLOCK]);
        for ((marks, text), start) in self.marks.iter_mut().zip(text).zip(starts) {
            *marks = Marks { free: free.from(start) & plain_in(text), numbers: numbers.from(start) };
        }
        self.line_count = lines.len();
        (self.head_len, self.reading) = (head.len(), reading);
        self.len = head.len() + request.content_length.map_or(0, |_| request.body.len());
        Some(())
    }
}

/// Bytes of a block, a bit for each.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    /// Those in whose place any letter, any digit, and any of `-._` may stand.
    free: u64,
    /// Those among them that are judged by what they say.
    numbers: u64,
}

impl Marks {
    /// Whether two blocks differ only where they may, and there in bytes that are as good as each other: `None` if not, else
    /// whether they have other numbers.
    #[inline(always)]
    fn judge(self, mine: &[u8; BLOCK], theirs: &[u8; BLOCK]) -> Option<bool> {
        if are_equal(mine, theirs) {
            return Some(false);
        }
        let differing = differing(mine, theirs);
        let are_plain = || differing & !alphanumeric_in(theirs) == 0 || differing & !plain_in(theirs) == 0;
        let is_alike = differing & !self.free == 0 && are_plain();
        is_alike.then_some(differing & self.numbers != 0)
    }
}

/// The bytes of a request in whose place others may stand if they are letters, digits and `-._`, which end nothing: these are
/// not read for what they say, or are judged again.
fn free_of(request: &Request<'_>, numbers: Bits) -> Bits {
    let mut free = numbers;
    let bytes = request.bytes;
    let mut vias = 0;
    for line in request.lines {
        vias += usize::from(line.name == HeaderName::Via);
        // What an answer echoes, or routes ask for, is looked at when that is wanted.
        let is_not_parsed = !line.name.is_read() || (line.name == HeaderName::Via && vias > 1);
        if is_not_parsed {
            free.add(line.value_place());
        }
    }
    let user = request.uri.user_name();
    // Digits of an escape are no letters of the user.
    if !user.contains(&b'%') {
        free.add(place_in(bytes, user));
    }
    // A branch that is the cookie and nothing more is a fault.
    let branch = request.top_via.via.branch.and_then(|branch| branch.get(b"z9hG4bK".len()..));
    free.add(place_in(bytes, branch.unwrap_or_default()));
    for address in [&request.from.read, &request.to.read] {
        let behind_scheme = memchr(b':', address.uri).and_then(|at| address.uri.get(at..));
        let quoted = Some(address.display).filter(|display| display.starts_with(b"\""));
        for part in [behind_scheme, quoted, address.tag()] {
            free.add(place_in(bytes, part.unwrap_or_default()));
        }
    }
    free.add(place_in(bytes, request.call_id()));
    free
}

fn numbers_of(request: &Request<'_>) -> Bits {
    let mut numbers = Bits { bits: [0; BLOCKS_MAX + 1] };
    Reading::numbers_of(request).into_iter().flatten().for_each(|number| numbers.add(number));
    numbers
}

/// Bytes of a head.
#[derive(Clone, Copy)]
struct Bits {
    bits: [u64; BLOCKS_MAX + 1],
}

impl Bits {
    fn add(&mut self, place: Range<usize>) {
        let (first, last) = (place.start / BLOCK, place.end / BLOCK);
        for (block, bits) in self.bits.iter_mut().enumerate().skip(first).take(last + 1 - first) {
            let from = place.start.saturating_sub(block * BLOCK);
            let to = place.end.saturating_sub(block * BLOCK).min(BLOCK);
            *bits |= ((1_u128 << to) - (1_u128 << from)) as u64;
        }
    }

    /// Those of the block that begins at a byte.
    fn from(&self, start: usize) -> u64 {
        let bits = |block: usize| u128::from(self.bits.get(block).copied().unwrap_or_default());
        let both = bits(start / BLOCK) | bits(start / BLOCK + 1) << BLOCK;
        (both >> (start % BLOCK)) as u64
    }
}

#[cfg(test)]
mod tests;
