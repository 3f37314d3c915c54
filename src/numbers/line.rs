//! Pure. One line of the processor's cache, with as many numbers and values as go into it.
//!
//! In:    what is left of a number when its line is known; its value.
//! Out:   where in the line it is, and the value.
//! Never: reads another line.
//!
//! ```text
//!  byte 0             from byte 1 on                  then                 from the end backwards
//!  numbers, CROWDED   eight bits of each: its tag     the rest of each     the value of each
//! ```
//!
//! Tags are compared sixteen at a time, and what is read besides is of the one that has the right tag. How wide the fields
//! are is known before the line is read. The order of bytes is the same on every machine.

use wide::u8x16;

use super::packed::low_bits;

/// Bytes of a line of cache.
pub(super) const LINE_BYTES: usize = 64;
/// Words of it.
pub(super) const LINE_WORDS: usize = LINE_BYTES / size_of::<u64>();
/// As words, as they stand in an image.
pub(super) type Line = [u64; LINE_WORDS];
/// Bits of a tag.
pub(super) const TAG_BITS: u32 = 8;
/// Numbers of a line at most: as many tags as are compared.
pub(super) const PLACES_MAX: usize = 2 * GROUP;

const GROUP: usize = 16;
const HEAD_BYTES: usize = 1;
const LINE_BITS: usize = LINE_BYTES * 8;
/// In byte 0: not all numbers of this line found a place in it.
const CROWDED: u8 = 0x80;
const COUNT: u8 = 0x3f;

/// How wide the fields of lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    /// Bits that are left of a number beyond its tag.
    rest_width: u32,
    value_width: u32,
    /// Numbers that go into a line.
    pub(super) places: usize,
    /// The first bit of the rests.
    rests: usize,
}

impl Fields {
    /// For rests and values of so many bits.
    pub(super) fn of(rest_width: u32, value_width: u32) -> Self {
        let each = (TAG_BITS + rest_width + value_width) as usize;
        let places = ((LINE_BITS - HEAD_BYTES * 8) / each).min(PLACES_MAX);
        Self { rest_width, value_width, places, rests: (HEAD_BYTES + places) * 8 }
    }

    #[inline(always)]
    fn rest(self, place: usize) -> usize {
        self.rests.wrapping_add(place.wrapping_mul(self.rest_width as usize))
    }
}

/// The first bit of a value.
#[inline(always)]
fn start_of_value(place: usize, value_width: u32) -> usize {
    LINE_BITS.wrapping_sub(place.wrapping_add(1).wrapping_mul(value_width as usize))
}

/// A number in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// The lowest bits of what is left.
    pub(super) tag: u8,
    /// The others.
    pub(super) rest: u64,
}

#[inline(always)]
fn bytes(line: &Line) -> &[u8; LINE_BYTES] {
    bytemuck::cast_ref(line)
}

/// Where it is.
#[inline(always)]
pub(super) fn find(line: &Line, left: Left, fields: Fields) -> Option<usize> {
    let bytes = bytes(line);
    let mut equal = tags_equal(bytes, left.tag);
    while equal != 0 {
        let place = equal.trailing_zeros() as usize;
        if field(bytes, fields.rest(place), fields.rest_width) == left.rest {
            // Behind the last one all is zero or no tag, which can be equal, too.
            return if place < count(line) { Some(place) } else { None };
        }
        equal &= equal - 1;
    }
    None
}

/// One bit for each of the tags that are equal to this one.
#[inline(always)]
fn tags_equal(bytes: &[u8; LINE_BYTES], tag: u8) -> u32 {
    let tags: &[u8; PLACES_MAX] = bytes[HEAD_BYTES..].first_chunk().unwrap_or(&[0; PLACES_MAX]);
    let groups: &[[u8; GROUP]; 2] = bytemuck::cast_ref(tags);
    let wanted = u8x16::splat(tag);
    let [low, high] = groups.map(|group| {
        // Sixteen bits of 32.
        #[allow(clippy::cast_sign_loss)]
        let equal = u8x16::new(group).cmp_eq(wanted).move_mask() as u32;
        equal
    });
    low | (high << GROUP)
}

/// How many numbers are in it.
#[inline(always)]
pub(super) fn count(line: &Line) -> usize {
    usize::from(bytes(line)[0] & COUNT).min(PLACES_MAX)
}

/// Whether others that should be here are elsewhere.
#[inline(always)]
pub(super) fn is_crowded(line: &Line) -> bool {
    bytes(line)[0] & CROWDED != 0
}

/// A value.
#[inline(always)]
pub(super) fn value(line: &Line, place: usize, value_width: u32) -> u64 {
    field(bytes(line), start_of_value(place, value_width), value_width)
}

/// What is left of a number.
pub(super) fn left(line: &Line, place: usize, fields: Fields) -> Left {
    let bytes = bytes(line);
    let tag = bytes.get(HEAD_BYTES + place).copied().unwrap_or(0);
    Left { tag, rest: field(bytes, fields.rest(place), fields.rest_width) }
}

/// Adds a number to a line; says whether it had room.
pub(super) fn push(line: &mut Line, left: Left, value: u64, fields: Fields) -> bool {
    let place = count(line);
    let bytes: &mut [u8; LINE_BYTES] = bytemuck::cast_mut(line);
    if place >= fields.places {
        bytes[0] |= CROWDED;
        return false;
    }
    bytes[0] += 1;
    if let Some(tag) = bytes.get_mut(HEAD_BYTES + place) {
        *tag = left.tag;
    }
    put_field(bytes, fields.rest(place), fields.rest_width, left.rest);
    put_field(bytes, start_of_value(place, fields.value_width), fields.value_width, value);
    true
}

/// The eight bytes that have a field of at most 57 bits, and where it is in them; for any others some bytes.
#[inline(always)]
fn place_of(bit: usize) -> (usize, usize) {
    let byte = (bit / 8).min(LINE_BYTES - size_of::<u64>());
    (byte, bit.wrapping_sub(byte * 8) % 64)
}

/// `width` bits from the bit `bit` on, the lowest first.
#[inline(always)]
fn field(bytes: &[u8; LINE_BYTES], bit: usize, width: u32) -> u64 {
    let (byte, shift) = place_of(bit);
    let word = bytes.get(byte..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
    (u64::from_le_bytes(word) >> shift) & low_bits(width)
}

/// Writes them, over zeros.
fn put_field(bytes: &mut [u8; LINE_BYTES], bit: usize, width: u32, value: u64) {
    let (byte, shift) = place_of(bit);
    if let Some(word) = bytes.get_mut(byte..).and_then(|rest| rest.first_chunk_mut()) {
        *word = (u64::from_le_bytes(*word) | ((value & low_bits(width)) << shift)).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_is_found(
            rest_width in 0_u32..=42,
            value_width in 0_u32..=32,
            numbers in prop::collection::vec((any::<u8>(), any::<u64>(), any::<u64>()), 1..40),
            other: (u8, u64),
        ) {
            let fields = Fields::of(rest_width, value_width);
            let mut line = Line::default();
            let mut put: Vec<(Left, u64)> = Vec::new();
            for &(tag, rest, value) in &numbers {
                let left = Left { tag, rest: rest & low_bits(rest_width) };
                if put.iter().any(|(it, _)| *it == left) {
                    continue;
                }
                let has_room = put.len() < fields.places;
                prop_assert_eq!(push(&mut line, left, value, fields), has_room);
                prop_assert_eq!(is_crowded(&line), !has_room);
                if !has_room {
                    break;
                }
                put.push((left, value & low_bits(value_width)));
            }
            prop_assert_eq!(count(&line), put.len());
            for (place, &(it, its_value)) in put.iter().enumerate() {
                prop_assert_eq!(find(&line, it, fields), Some(place));
                prop_assert_eq!(left(&line, place, fields), it);
                prop_assert_eq!(value(&line, place, value_width), its_value);
            }
            let other = Left { tag: other.0, rest: other.1 & low_bits(rest_width) };
            let place = put.iter().position(|(it, _)| *it == other);
            prop_assert_eq!(find(&line, other, fields), place);
        }

        #[test]
        fn any_line_is_safe(line: Line, tag: u8, rest: u64, place in 0..PLACES_MAX, widths in (0_u32..=64, 0_u32..=64)) {
            let fields = Fields::of(widths.0, widths.1);
            let _ = find(&line, Left { tag, rest }, fields);
            let _ = (value(&line, place, widths.1), left(&line, place, fields));
        }
    }

    #[test]
    fn the_widest_fields_leave_room_for_some() {
        let places = |rest, value| Fields::of(rest, value).places;
        assert_eq!((places(42, 32), places(2, 15), places(0, 0)), (6, 20, PLACES_MAX));
    }
}
