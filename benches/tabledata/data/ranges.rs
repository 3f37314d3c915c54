//! Ranges of numbers, as plans and number-block files have them: most are whole blocks, some odd, some lie
//! within the one before.

use super::random::Random;

/// From one number to another of the same length, both included; where it goes, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) gateway: u32,
}

const FIRST: u64 = 441_000_000_000;
/// Longest gap before a range, in thousands.
const GAP_MAX: u64 = 16;

/// So many ranges, ascending by their first number, the outer one first. None overlaps another in part.
pub(crate) fn ranges(seed: u64, rows: u64) -> impl Iterator<Item = Range> {
    let mut random = Random::new(seed, 6);
    let mut next = FIRST;
    // The free rest of the outer range, for those within it.
    let mut inner: Option<(u64, u64)> = None;
    (0..rows).map(move |_| {
        let gateway = random.skewed_below(200) as u32;
        if let Some((from, until)) = inner.take() {
            let length = random.within(1, 10) * 10;
            if from + length <= until {
                if random.percent(50) {
                    inner = Some((from + length * 2, until));
                }
                return Range { from, until: from + length - 1, gateway };
            }
        }
        let gap = if random.percent(60) { 0 } else { random.within(1, GAP_MAX) * 1_000 };
        let from = next + gap;
        let length = match random.below(100) {
            0..45 => 1_000,
            45..75 => 10_000,
            75..90 => 100,
            _ => random.within(2, 5_000),
        };
        next = (from + length).next_multiple_of(1_000);
        if length >= 1_000 && random.percent(10) {
            inner = Some((from + random.below(5) * 100, from + length));
        }
        Range { from, until: from + length - 1, gateway }
    })
}
