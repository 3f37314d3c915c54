//! Pure. Searches of sixteen bytes at a time: how far a class of bytes reaches.
//!
//! In:    a text.
//! Out:   the length of its beginning that is of the class; what the tables of `class` say byte by byte.
//! Never: reads beyond the text.

use wide::{CmpEq, CmpGt, CmpLt, i8x16};

use super::class::{HOST, TOKEN, URI, VALUE, is, is_lws};

/// Bytes looked at together.
pub(super) const LANES: usize = 16;

/// Bytes of which [`marks`] are made.
pub(super) const BLOCK: usize = 64;

/// A bit for each byte that is no printing ASCII: line ends, and whatever else has to be looked at.
#[inline]
pub(super) fn marks(block: &[u8; BLOCK]) -> u64 {
    // DEL and what is beyond ASCII become negative, or zero.
    bits(block, |lanes| (lanes + i8x16::splat(1)).cmp_lt(i8x16::splat(b' ' as i8 + 1)))
}

/// Where this byte is for the first time; [`LANES`] where it is not.
#[inline]
pub(super) fn byte_in(window: &[u8; LANES], byte: u8) -> usize {
    let lanes: i8x16 = bytemuck::cast(*window);
    // A bit behind the last spares the case of none.
    (lanes.cmp_eq(i8x16::splat(byte as i8)).move_mask() | 1 << LANES).trailing_zeros() as usize
}

/// Whether a window is `wanted`, where `mask` has bits, once it has those of `more`.
#[inline]
pub(super) fn all_equal(
    window: &[u8; LANES],
    mask: &[u8; LANES],
    more: &[u8; LANES],
    wanted: &[u8; LANES],
) -> bool {
    let lanes = |bytes: &[u8; LANES]| -> i8x16 { bytemuck::cast(*bytes) };
    (lanes(window) & lanes(mask) | lanes(more)).cmp_eq(lanes(wanted)).all()
}

/// Whether two blocks are the same.
#[inline]
pub(super) fn are_equal(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> bool {
    equal_lanes(one, other).fold(i8x16::splat(-1), |all, equal| all & equal).all()
}

/// A bit for each byte in which two blocks differ.
#[inline]
pub(super) fn differing(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> u64 {
    // One bit for each of sixteen.
    let differing = |equal: i8x16| u64::from(!(equal.move_mask() as u16));
    equal_lanes(one, other).rev().fold(0, |bits, equal| bits << LANES | differing(equal))
}

/// Which bytes of two blocks are the same, sixteen at a time.
#[inline(always)]
fn equal_lanes(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> impl DoubleEndedIterator<Item = i8x16> {
    let lanes = |chunk: &[u8; LANES]| -> i8x16 { bytemuck::cast(*chunk) };
    let pairs = one.as_chunks::<LANES>().0.iter().zip(other.as_chunks::<LANES>().0);
    pairs.map(move |(one, other)| lanes(one).cmp_eq(lanes(other)))
}

/// A bit for each byte that is a letter, a digit or one of `-._`.
#[inline]
pub(super) fn plain_in(block: &[u8; BLOCK]) -> u64 {
    bits(block, plain)
}

/// A bit for each byte that is a letter or a digit: half of the work.
#[inline]
pub(super) fn alphanumeric_in(block: &[u8; BLOCK]) -> u64 {
    bits(block, |lanes| letters(lanes) | in_range(lanes, b'0', b'9'))
}

/// How far letters, digits and hyphens go, of which nearly all header names are.
#[inline]
pub(super) fn usual_name_len(window: &[u8; LANES]) -> usize {
    let lanes = bytemuck::cast(*window);
    let usual = letters(lanes) | in_range(lanes, b'0', b'9') | any_of(lanes, b"-");
    usual.move_mask().trailing_ones() as usize
}

/// Bytes of a URI of any scheme.
#[inline]
pub(super) fn uri_len(text: &[u8]) -> usize {
    let ends = |lanes| not_graphic(lanes) | any_of(lanes, b"<>\"");
    first(text, ends, |byte| !is(byte, URI))
}

/// Bytes of the value of a header parameter.
#[inline]
pub(super) fn value_len(text: &[u8]) -> usize {
    let ends = |lanes| in_range(lanes, 0, b' ') | any_of(lanes, b"\x7f<>\",;");
    first(text, ends, |byte| !is(byte, VALUE))
}

/// Bytes of a host name or IPv4 address.
#[inline]
pub(super) fn host_len(text: &[u8]) -> usize {
    first(text, |lanes| !plain(lanes), |byte| !is(byte, HOST))
}

/// Bytes of a token. Nearly all are letters, digits and `-._`.
#[inline]
pub(super) fn token_len(text: &[u8]) -> usize {
    let plain = host_len(text);
    let more = text.get(plain..).unwrap_or_default();
    plain + more.iter().position(|&byte| !is(byte, TOKEN)).unwrap_or(more.len())
}

/// Bytes before the first quote or backslash.
#[inline]
pub(super) fn unquoted_len(text: &[u8]) -> usize {
    first(text, |lanes| any_of(lanes, b"\"\\"), |byte| matches!(byte, b'"' | b'\\'))
}

/// Bytes before the first comma.
#[inline]
pub(super) fn comma_in(text: &[u8]) -> usize {
    first(text, |lanes| any_of(lanes, b","), |byte| byte == b',')
}

/// Bytes before the first white space.
#[inline]
pub(super) fn word_len(text: &[u8]) -> usize {
    first(text, |lanes| any_of(lanes, b" \t\r\n"), is_lws)
}

/// Most bytes that [`notable`] looks at.
pub(super) const NOTABLE_MAX: usize = BLOCK;

/// A bit for each byte that is not a letter, a digit or one of `-._`, which may stand nearly anywhere;
/// `None` for a text longer than [`NOTABLE_MAX`].
#[inline]
pub(super) fn notable(text: &[u8]) -> Option<u64> {
    let mut room = [b'a'; NOTABLE_MAX];
    room.get_mut(..text.len())?.copy_from_slice(text);
    Some(bits(&room, |lanes| !plain(lanes)))
}

/// The places of the bytes that [`notable`] tells of, one after the other, in a text of any length, and then its end.
#[derive(Clone, Copy)]
pub(super) struct Notable<'a> {
    text: &'a [u8],
    /// Where the block begins that is looked at, and the bits of it that are not given yet.
    block_at: usize,
    bits: u64,
}

impl<'a> Notable<'a> {
    #[inline]
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, block_at: 0, bits: notable_in(text) }
    }

    /// The next place; the length of the text behind the last, and from then on.
    #[inline]
    pub(super) fn next(&mut self) -> usize {
        while self.bits == 0 {
            self.block_at = self.block_at.saturating_add(BLOCK);
            match self.text.get(self.block_at..) {
                Some(rest) if !rest.is_empty() => self.bits = notable_in(rest),
                _ => return self.text.len(),
            }
        }
        let place = self.block_at + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        place
    }
}

/// The bits of the first [`BLOCK`] bytes of a text, or of all of a shorter one.
#[inline]
fn notable_in(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(block) => bits(block, |lanes| !plain(lanes)),
        None => notable(text).unwrap_or_default(),
    }
}

/// A bit for each byte that is marked.
#[inline]
fn bits(block: &[u8; BLOCK], mark: impl Fn(i8x16) -> i8x16) -> u64 {
    let (chunks, _) = block.as_chunks::<LANES>();
    chunks.iter().rev().fold(0, |bits, chunk| {
        // One bit for each of sixteen.
        bits << LANES | u64::from(mark(bytemuck::cast(*chunk)).move_mask() as u16)
    })
}

/// The place of the first byte that ends a search; the length where none does.
#[inline]
fn first(text: &[u8], ends: impl Fn(i8x16) -> i8x16, ends_one: impl Fn(u8) -> bool) -> usize {
    let Some(last) = text.len().checked_sub(LANES) else {
        return text.iter().position(|&byte| ends_one(byte)).unwrap_or(text.len());
    };
    let mut at = 0;
    loop {
        // The last window overlaps the one before it, in which nothing was found.
        at = last.min(at);
        let Some(window) = text.get(at..).and_then(<[u8]>::first_chunk::<LANES>) else { return text.len() };
        let found = ends(bytemuck::cast(*window)).move_mask();
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        if at == last {
            return text.len();
        }
        at += LANES;
    }
}

/// Letters, digits and `-._`.
#[inline]
fn plain(lanes: i8x16) -> i8x16 {
    letters(lanes) | (in_range(lanes, b'-', b'9') & !any_of(lanes, b"/")) | any_of(lanes, b"_")
}

#[inline]
fn letters(lanes: i8x16) -> i8x16 {
    // In either case they are the same byte with this bit.
    in_range(lanes | i8x16::splat(0x20), b'a', b'z')
}

/// White space, control bytes, and what is beyond ASCII.
#[inline]
fn not_graphic(lanes: i8x16) -> i8x16 {
    // DEL and what is beyond ASCII become negative, or zero.
    (lanes + i8x16::splat(1)).cmp_lt(i8x16::splat(b' ' as i8 + 2))
}

/// From `first` to `last`, both ASCII.
#[inline]
fn in_range(lanes: i8x16, first: u8, last: u8) -> i8x16 {
    lanes.cmp_gt(i8x16::splat((first as i8).wrapping_sub(1))) & lanes.cmp_lt(i8x16::splat(last as i8 + 1))
}

#[inline]
fn any_of<const N: usize>(lanes: i8x16, bytes: &[u8; N]) -> i8x16 {
    bytes.iter().fold(i8x16::splat(0), |found, byte| found | lanes.cmp_eq(i8x16::splat(*byte as i8)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Some text of a class, and then whatever there is.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        ("[ -~]{0,40}", prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(start, rest)| {
            let mut text = start.into_bytes();
            text.extend(rest);
            text
        })
    }

    proptest! {
        #[test]
        fn every_search_finds_what_the_tables_say(text in text(), from in 0..80_usize, byte: u8, run in 0..70_usize) {
            let mut filled = vec![byte; run];
            filled.extend_from_slice(&text);
            for text in [text.get(from..).unwrap_or_default(), &filled] {
                let len = |ends: &dyn Fn(u8) -> bool| text.iter().position(|&byte| ends(byte)).unwrap_or(text.len());
                prop_assert_eq!(uri_len(text), len(&|byte| !is(byte, URI)));
                prop_assert_eq!(value_len(text), len(&|byte| !is(byte, VALUE)));
                prop_assert_eq!(host_len(text), len(&|byte| !is(byte, HOST)));
                prop_assert_eq!(token_len(text), len(&|byte| !is(byte, TOKEN)));
                prop_assert_eq!(unquoted_len(text), len(&|byte| matches!(byte, b'"' | b'\\')));
                prop_assert_eq!(word_len(text), len(&is_lws));
                prop_assert_eq!(comma_in(text), len(&|byte| byte == b','));
                if let Some(window) = text.first_chunk() {
                    for wanted in [b':', b';', byte] {
                        let place = window.iter().position(|&byte| byte == wanted);
                        prop_assert_eq!(byte_in(window, wanted), place.unwrap_or(LANES));
                    }
                    let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
                    prop_assert_eq!(usual_name_len(window), window.iter().take_while(|byte| is_usual(byte)).count());
                }
                if let Some(block) = text.first_chunk() {
                    let of = |class: &dyn Fn(&u8) -> bool| block.iter().enumerate().filter(|(_, byte)| class(byte)).map(|(at, _)| 1 << at).sum::<u64>();
                    prop_assert_eq!(plain_in(block), of(&|byte| is(*byte, HOST)));
                    prop_assert_eq!(alphanumeric_in(block), of(&u8::is_ascii_alphanumeric));
                    let (mut other, at) = (*block, from % BLOCK);
                    other[at] = byte;
                    prop_assert_eq!(differing(block, &other), u64::from(byte != block[at]) << at);
                    prop_assert_eq!(are_equal(block, &other), *block == other);
                    let marked = block.iter().enumerate().filter(|(_, byte)| !matches!(byte, b' '..=b'~'));
                    prop_assert_eq!(marks(block), marked.map(|(at, _)| 1 << at).sum::<u64>());
                }
                let bits = text.iter().enumerate().filter(|(_, byte)| !is(**byte, HOST));
                let expected = (text.len() <= NOTABLE_MAX).then(|| bits.map(|(at, _)| 1 << at).sum());
                prop_assert_eq!(notable(text), expected);
                let mut places = Notable::new(text);
                for (at, _) in text.iter().enumerate().filter(|(_, byte)| !is(**byte, HOST)) {
                    prop_assert_eq!(places.next(), at);
                }
                prop_assert_eq!((places.next(), places.next()), (text.len(), text.len()));
            }
        }
    }

    #[test]
    fn every_byte_alone_and_among_others() {
        for byte in 0..=u8::MAX {
            for text in [[byte; 1].as_slice(), &[byte; 17], &[byte; 64]] {
                let expected = |of_class: bool| if of_class { text.len() } else { 0 };
                assert_eq!(uri_len(text), expected(is(byte, URI)), "{byte}");
                assert_eq!(value_len(text), expected(is(byte, VALUE)), "{byte}");
                assert_eq!(host_len(text), expected(is(byte, HOST)), "{byte}");
                assert_eq!(word_len(text), expected(!is_lws(byte)), "{byte}");
                assert_eq!(notable(text) == Some(0), is(byte, HOST), "{byte}");
            }
        }
    }
}
