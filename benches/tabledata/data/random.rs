//! Numbers that look random: splitmix64, written out here so that no library's next version can change data.

/// A sequence that its seed alone decides.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// One of the independent sequences of a seed.
    pub(crate) fn new(seed: u64, sequence: u64) -> Self {
        Self(mix(seed.wrapping_add(mix(sequence))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to `end` − 1; 0 when there is nothing below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// From `first` to `last`, both included.
    pub(crate) fn within(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// From 0 to `end` − 1, small ones much oftener: as market shares are.
    pub(crate) fn skewed_below(&mut self, end: u64) -> u64 {
        let first = self.below(end.max(1)) + 1;
        self.below(first)
    }
}

/// Spreads the bits of a number over all 64.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
