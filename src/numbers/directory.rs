//! Pure. Where to look among sorted numbers: numbers in equal stretches, and which of the sorted ones fall into each.
//!
//! In:    sorted numbers, the bases of blocks.
//! Out:   the few of them among which the last is that is not greater than another.
//! Never: trusts their order: numbers out of order give wrong answers, and nothing worse.
//!
//! A tree takes a step for each of its levels, and each waits for the one before. Here one place is looked at: where
//! numbers lie as evenly as telephone numbers do, hardly more than one base falls into a stretch.

use super::packed::touch;

/// Stretches for each block.
const STRETCHES_PER_BLOCK: usize = 2;

/// Over the bases of one lane.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// The first base.
    least: u64,
    /// Numbers of a stretch, as a power of two.
    shift: u32,
    /// By stretch: how many bases lie before it; and how many there are in all.
    before: Box<[u32]>,
}

/// Bases `start..end` lie in the stretch of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// One before them, which is the one that is wanted when none of them is.
    start: usize,
    end: usize,
}

impl Directory {
    /// Over these blocks, fewer than 2^32. The first word of each is its base.
    pub(super) fn over<const WORDS: usize>(blocks: &[[u64; WORDS]]) -> Self {
        let (Some(least), Some(most)) = (blocks.first().map(base), blocks.last().map(base)) else {
            return Self::default();
        };
        let spread = most.saturating_sub(least);
        let wanted = (blocks.len() * STRETCHES_PER_BLOCK) as u64;
        // The smallest power of two that makes no more stretches than are wanted.
        let shift = (spread / wanted + 1).next_power_of_two().trailing_zeros();
        let stretches = usize::try_from(spread >> shift).unwrap_or(usize::MAX).saturating_add(1);
        let mut before = vec![0_u32; stretches.saturating_add(1)];
        for base in blocks.iter().map(base) {
            let stretch = usize::try_from(base.saturating_sub(least) >> shift).unwrap_or(usize::MAX);
            if let Some(count) = before.get_mut(stretch.min(stretches - 1) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut before {
            sum += *count;
            *count = sum;
        }
        Self { least, shift, before: before.into() }
    }

    /// The stretch of a number; `None` before the first base.
    #[inline]
    pub(super) fn stretch(&self, number: u64) -> Option<Stretch> {
        let stretch = usize::try_from(number.checked_sub(self.least)? >> self.shift).ok()?;
        let stretch = stretch.min(self.before.len().checked_sub(2)?);
        let &[start, end] = self.before.get(stretch..)?.first_chunk::<2>()?;
        // At least the first base is not greater.
        Some(Stretch { start: (start as usize).saturating_sub(1), end: end as usize })
    }

    pub(super) fn resident_bytes(&self) -> usize {
        size_of_val::<[u32]>(&self.before)
    }
}

impl Stretch {
    /// Reads a base that [`Stretch::last_until`] will.
    #[inline(always)]
    pub(super) fn touch<const WORDS: usize>(self, blocks: &[[u64; WORDS]]) {
        touch(blocks.as_flattened(), self.start.wrapping_mul(WORDS));
    }

    /// The last block whose base is not greater than a number of this stretch, and which it is.
    #[inline(always)]
    pub(super) fn last_until<const WORDS: usize>(
        self,
        blocks: &[[u64; WORDS]],
        number: u64,
    ) -> Option<(usize, &[u64; WORDS])> {
        let blocks = blocks.get(self.start..self.end)?;
        let (mut low, mut size) = (0, blocks.len());
        while size > 1 {
            let half = size / 2;
            let go = base(blocks.get(low + half)?) <= number;
            low = std::hint::select_unpredictable(go, low + half, low);
            size -= half;
        }
        let block = blocks.get(low).filter(|block| base(block) <= number)?;
        Some((self.start + low, block))
    }
}

/// The first number of a block.
#[inline(always)]
fn base<const WORDS: usize>(block: &[u64; WORDS]) -> u64 {
    block.first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(bases: impl IntoIterator<Item = u64>) -> Vec<[u64; 2]> {
        bases.into_iter().map(|base| [base, !base]).collect()
    }

    fn check(blocks: &[[u64; 2]], number: u64) {
        let found =
            Directory::over(blocks).stretch(number).and_then(|stretch| stretch.last_until(blocks, number));
        let index = blocks.partition_point(|&[base, _]| base <= number);
        let expected = index.checked_sub(1).map(|index| (index, &blocks[index]));
        assert_eq!(found, expected, "{number} in {blocks:?}");
    }

    proptest! {
        #[test]
        fn the_last_that_is_not_greater(
            mut bases in prop::collection::btree_set(0_u64..100_000, 0..200),
            far in prop::collection::btree_set(any::<u64>(), 0..5),
            numbers in prop::collection::vec(0_u64..100_100, 1..50),
        ) {
            bases.extend(far);
            let blocks = blocks(bases);
            let near = blocks.iter().flat_map(|&[base, _]| [base, base.saturating_sub(1)]);
            for number in numbers.into_iter().chain(near).chain([u64::MAX]) {
                check(&blocks, number);
            }
        }

        #[test]
        fn any_order_is_safe(bases in prop::collection::vec(any::<u64>(), 0..50), number: u64) {
            let blocks = blocks(bases);
            let stretch = Directory::over(&blocks).stretch(number);
            let _ = stretch.and_then(|stretch| stretch.last_until(&blocks, number));
        }

        #[test]
        fn it_stays_small(bases in prop::collection::btree_set(any::<u64>(), 1..200)) {
            let blocks = blocks(bases);
            prop_assert!(Directory::over(&blocks).before.len() <= blocks.len() * STRETCHES_PER_BLOCK + 2);
        }
    }
}
