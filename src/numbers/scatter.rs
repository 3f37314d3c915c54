//! Pure. How the numbers of a segment are scattered over its lines, and back.
//!
//! In:    numbers of few bits, how many there are.
//! Out:   for each its line and what is left of it then; from these the number.
//! Never: gives two numbers the same line and the same rest.

use std::num::NonZeroU64;

use super::{
    line::{Fields, Left, TAG_BITS},
    packed::{low_bits, width_of},
};

/// Odd numbers, so that multiplying by them can be undone, with bits as random as those of the golden ratio and of pi.
const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc90f_daa2_2168_c235];
/// What undoes it: `factor * inverse` is 1 in 64 bits, and in fewer.
const INVERSES: [u64; 2] = [inverse(FACTORS[0]), inverse(FACTORS[1])];

/// Newton's steps, each of which doubles the right bits; an odd number is its own inverse in three bits.
const fn inverse(factor: u64) -> u64 {
    let mut inverse = factor;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(factor.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// Moves numbers of some bits about, so that those of a stretch do not meet in one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mixer {
    /// The greatest number.
    most: u64,
    half: u32,
}

impl Mixer {
    /// For numbers of `width` bits.
    pub(super) fn of(width: u32) -> Self {
        // Of one bit and of none nothing is moved.
        Self { most: low_bits(width), half: width.div_ceil(2).clamp(1, 32) }
    }

    /// Whether it is a number of that many bits.
    #[inline(always)]
    pub(super) fn takes(self, number: u64) -> bool {
        number <= self.most
    }

    /// Of a number that it takes another.
    #[inline(always)]
    pub(super) fn mixed(self, number: u64) -> u64 {
        let mut it = number ^ (number >> self.half);
        for factor in FACTORS {
            it = it.wrapping_mul(factor) & self.most;
            it ^= it >> self.half;
        }
        it
    }

    /// The opposite.
    pub(super) fn unmixed(self, mixed: u64) -> u64 {
        // Half of the bits and more are moved: to do it again undoes it.
        let mut it = mixed ^ (mixed >> self.half);
        for inverse in INVERSES.into_iter().rev() {
            it = it.wrapping_mul(inverse) & self.most;
            it ^= it >> self.half;
        }
        it
    }
}

/// Lines over which mixed numbers are scattered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) count: NonZeroU64,
    pub(super) fields: Fields,
}

impl Lines {
    /// So many, for mixed numbers of `width` bits and values of `value_width`.
    pub(super) fn of(count: NonZeroU64, width: u32, value_width: u32) -> Self {
        let rest_width = width_of(low_bits(width) / count).saturating_sub(TAG_BITS);
        Self { count, fields: Fields::of(rest_width, value_width) }
    }

    /// The fewest that are filled to `share` parts of 100 with so many numbers.
    pub(super) fn filled(numbers: NonZeroU64, share: u64, width: u32, value_width: u32) -> Self {
        // The fewer bits are left of a number, the more go into a line, and the fewer lines there are; but those
        // leave more bits.
        let mut lines = (0..=width).map(|rest_width| {
            let places = Fields::of(rest_width, value_width).places;
            let count = numbers.get().saturating_mul(100).div_ceil(places as u64 * share);
            (places, Self::of(NonZeroU64::new(count).unwrap_or(numbers), width, value_width))
        });
        let fitting = lines.find(|(places, lines)| lines.fields.places >= *places);
        fitting.map_or_else(|| Self::of(numbers, width, value_width), |(_, lines)| lines)
    }

    /// The line of a mixed number, and what is left.
    #[inline(always)]
    pub(super) fn place(self, mixed: u64) -> (u64, Left) {
        let (left, line) = (mixed / self.count, mixed % self.count);
        #[allow(clippy::cast_possible_truncation)]
        (line, Left { tag: left as u8, rest: left >> TAG_BITS })
    }

    /// The opposite.
    pub(super) fn mixed(self, line: u64, left: Left) -> u64 {
        let left = (left.rest << TAG_BITS) | u64::from(left.tag);
        left.wrapping_mul(self.count.get()).wrapping_add(line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(most: u64) -> impl Strategy<Value = NonZeroU64> {
        (1..=most).prop_map(|count| NonZeroU64::new(count).expect("one at least"))
    }

    proptest! {
        #[test]
        fn numbers_come_back(width in 0_u32..=50, number: u64, count in count(100_000)) {
            let number = number & low_bits(width);
            let mixer = Mixer::of(width);
            let it = mixer.mixed(number);
            prop_assert!(mixer.takes(it) && !mixer.takes(low_bits(width) + 1));
            prop_assert_eq!(mixer.unmixed(it), number);
            let lines = Lines::of(count, width, 15);
            let (line, left) = lines.place(it);
            prop_assert!(line < count.get() && left.rest <= (low_bits(width) / count.get()) >> TAG_BITS);
            prop_assert_eq!(lines.mixed(line, left), it);
        }

        #[test]
        fn lines_have_room_for_all(numbers in count(100_000), width in 0_u32..=50, value_width in 0_u32..=32) {
            let lines = Lines::filled(numbers, 85, width, value_width);
            let room = lines.count.get() * lines.fields.places as u64;
            prop_assert!(room * 85 >= numbers.get() * 100, "{lines:?} for {numbers}");
        }
    }

    #[test]
    fn neighbours_part() {
        for width in [11, 16, 21, 34] {
            let lines = Lines::of(NonZeroU64::new(64).expect("some"), width, 15);
            let mut counts = [0; 64];
            (0..1024).for_each(|number| counts[lines.place(Mixer::of(width).mixed(number)).0 as usize] += 1);
            assert!(counts.iter().all(|count| (2..=40).contains(count)), "{width} bits: {counts:?}");
        }
    }
}
