//! Outside, but a function of its arguments. When to look again.
//!
//! In:    the interval, failures in a row, and what tells this node and this look from others.
//! Out:   milliseconds.
//! Never: draws at random: a node's looks are where its seed puts them, and those of two nodes apart.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use crate::limits::{SOURCE_RETRY_MS_MAX, SOURCE_RETRY_MS_MIN};

/// The wait after look number `look`, from nine to eleven tenths of what is due.
#[must_use]
pub fn wait_ms(every_ms: u64, failures: u32, seed: u64, look: u64) -> u64 {
    let due_ms = match failures {
        0 => every_ms,
        // 32 doublings are years: the cap holds long before.
        _ => (SOURCE_RETRY_MS_MIN << (failures - 1).min(32)).min(SOURCE_RETRY_MS_MAX),
    };
    let tenth_ms = due_ms / 10;
    let mut hasher = SipHasher24::new_with_keys(seed, 0);
    hasher.write_u64(look);
    due_ms - tenth_ms + hasher.finish() % (2 * tenth_ms + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_spread_and_each_seed_has_its_own() {
        let waits = |seed| (0..1000).map(|look| wait_ms(30_000, 0, seed, look)).collect::<Vec<_>>();
        let (one, two) = (waits(1), waits(2));
        assert!(one.iter().all(|wait| (27_000..=33_000).contains(wait)));
        assert!(one.iter().any(|wait| *wait < 28_000) && one.iter().any(|wait| *wait > 32_000));
        assert_eq!(one, waits(1), "again the same");
        assert!(one.iter().zip(&two).filter(|(a, b)| a == b).count() < 10);
    }

    #[test]
    fn failures_are_tried_again_soon_and_then_seldom() {
        let due = |failures| {
            let wait = wait_ms(3_600_000, failures, 7, 3);
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, SOURCE_RETRY_MS_MAX]
                .into_iter()
                .find(|due| (due - due / 10..=due + due / 10).contains(&wait))
        };
        let dues: Vec<_> = [1, 2, 3, 4, 5, 6, 7, 8, 100, u32::MAX].into_iter().filter_map(due).collect();
        assert_eq!(
            dues[..7],
            [SOURCE_RETRY_MS_MIN, 2_000, 4_000, 8_000, 16_000, 32_000, SOURCE_RETRY_MS_MAX]
        );
        assert_eq!(dues[7..], [SOURCE_RETRY_MS_MAX; 3]);
    }
}
