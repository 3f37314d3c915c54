//! Pure. Numbers of equally many bits, side by side in words.
//!
//! In:    words, a place in them, a width.
//! Out:   numbers.
//! Never: reads beyond the words.

/// Numbers of `width` bits each, from the word `at` on. Any values are safe: what lies beyond the words is
/// not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) width: u32,
}

impl Packed {
    /// One of them.
    #[inline(always)]
    pub(super) fn get(self, words: &[u64], index: usize) -> Option<u64> {
        if index >= self.len {
            return None;
        }
        bits(words, self.at, index.wrapping_mul(self.width as usize), self.width)
    }

    /// One of them as an index; 0 when it is none.
    #[inline]
    pub(super) fn index(self, words: &[u64], index: usize) -> u32 {
        self.get(words, index).and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
    }

    /// Writes one into words that are zero so far.
    pub(super) fn put(self, words: &mut [u64], index: usize, value: u64) {
        if index < self.len {
            put(words, self.at, index.wrapping_mul(self.width as usize), self.width, value);
        }
    }

    /// Its words, when it has 64 bits a number.
    #[inline]
    pub(super) fn slice(self, words: &[u64]) -> &[u64] {
        words.get(self.at..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
    }

    /// Its bytes, when it has eight bits a number.
    pub(super) fn bytes(self, words: &[u64]) -> &[u8] {
        let rest = words.get(self.at..).unwrap_or_default();
        bytemuck::cast_slice(rest).get(..self.len).unwrap_or_default()
    }
}

impl Packed {
    /// Writes bytes, when it has eight bits a number.
    pub(super) fn put_bytes(self, words: &mut [u64], from: usize, bytes: &[u8]) {
        let rest: &mut [u8] = bytemuck::cast_slice_mut(words.get_mut(self.at..).unwrap_or_default());
        let place = rest.get_mut(from..).and_then(|rest| rest.get_mut(..bytes.len()));
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
    }
}

/// `width` bits, `bit` bits after the beginning of the word `at`. There must be another word after the first of them.
// A call takes longer than it does.
#[inline(always)]
pub(super) fn bits(words: &[u64], at: usize, bit: usize, width: u32) -> Option<u64> {
    let word = at.wrapping_add(bit / 64);
    let shift = bit % 64;
    let &[low, high] = words.get(word..)?.first_chunk::<2>()?;
    Some(((low >> shift) | ((high << 1) << (63 - shift))) & low_bits(width))
}

/// Reads a word that will be wanted soon, so that memory brings it while others are looked at.
#[inline(always)]
pub(super) fn touch(words: &[u64], at: usize) {
    std::hint::black_box(words.get(at).copied().unwrap_or(0));
}

/// Writes them, over zeros.
pub(super) fn put(words: &mut [u64], at: usize, bit: usize, width: u32, value: u64) {
    let word = at.wrapping_add(bit / 64);
    let shift = bit % 64;
    let value = value & low_bits(width);
    if let Some(low) = words.get_mut(word) {
        *low |= value << shift;
    }
    // Bits that do not fit go to the next word; there are none without a shift.
    let high = (value >> 1) >> (63 - shift);
    if high != 0
        && let Some(next) = words.get_mut(word.wrapping_add(1))
    {
        *next |= high;
    }
}

/// The lowest `width` bits.
#[inline(always)]
pub(super) fn low_bits(width: u32) -> u64 {
    u64::MAX.checked_shr(64_u32.wrapping_sub(width)).unwrap_or(0)
}

/// Bits that hold every number up to `most`.
pub(super) fn width_of(most: u64) -> u32 {
    u64::BITS - most.leading_zeros()
}

/// Words that so many bits take.
pub(super) fn words_of(bits: usize) -> usize {
    bits.div_ceil(64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_is_got(width in 0_u32..=64, values in prop::collection::vec(any::<u64>(), 0..200)) {
            let packed = Packed { at: 3, len: values.len(), width };
            let mut words = vec![0; 3 + words_of(values.len() * width as usize) + 2];
            for (index, value) in values.iter().enumerate() {
                packed.put(&mut words, index, *value);
            }
            let cut = |value: u64| if width == 0 { 0 } else { value & (u64::MAX >> (64 - width)) };
            for (index, value) in values.iter().enumerate() {
                prop_assert_eq!(packed.get(&words, index), Some(cut(*value)));
            }
            prop_assert_eq!(packed.get(&words, values.len()), None);
            prop_assert_eq!(&words[..3], &[0, 0, 0][..]);
            prop_assert_eq!(words.last(), Some(&0));
        }
    }

    #[test]
    fn widths() {
        for (most, width) in [(0, 0), (1, 1), (2, 2), (255, 8), (256, 9), (u64::MAX, 64)] {
            assert_eq!(width_of(most), width, "{most}");
        }
    }

    #[test]
    fn what_lies_beyond_is_not_there() {
        let words = [u64::MAX; 4];
        for at in [3, 4, usize::MAX, usize::MAX - 1] {
            assert_eq!(Packed { at, len: 9, width: 64 }.get(&words, 0), None, "{at}");
            assert!(Packed { at, len: 9, width: 64 }.slice(&words).is_empty());
        }
        assert_eq!(Packed { at: 0, len: usize::MAX, width: 64 }.get(&words, usize::MAX - 1), None);
    }
}
