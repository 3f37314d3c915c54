//! Outside. The most frequent keys of a stream in bounded memory: SpaceSaving (Metwally, Agrawal and El Abbadi 2005).
//!
//! In:    keys, one after the other, as many different ones as strangers like.
//! Out:   the most frequent ones, each with how often it came at most and at least.
//! Never: holds more than [`TOP_KEYS_MAX`] keys of [`TOP_KEY_BYTES_MAX`] bytes each. A new key takes the place of the
//!        rarest; what came more often than one in [`TOP_KEYS_MAX`] times is there for sure.

use ahash::AHashMap;

use crate::limits::{TOP_KEY_BYTES_MAX, TOP_KEYS_MAX};

/// A key, cut to its length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    bytes: [u8; TOP_KEY_BYTES_MAX],
    len: usize,
}

impl Key {
    pub(super) fn new(text: &[u8]) -> Self {
        let len = text.len().min(TOP_KEY_BYTES_MAX);
        let mut bytes = [0; TOP_KEY_BYTES_MAX];
        bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        Self { bytes, len }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// How often one key came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) key: Key,
    /// No more often than this.
    pub(super) at_most: u64,
    /// By how much that may be too much.
    pub(super) over: u64,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Frequent {
    counts: Vec<Count>,
    places: AHashMap<Key, usize>,
}

impl Frequent {
    pub(super) fn new() -> Self {
        Self { counts: Vec::with_capacity(TOP_KEYS_MAX), places: AHashMap::with_capacity(TOP_KEYS_MAX) }
    }

    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.places.clear();
    }

    pub(super) fn count(&mut self, key: Key) {
        if let Some(count) = self.places.get(&key).and_then(|place| self.counts.get_mut(*place)) {
            count.at_most += 1;
        } else if self.counts.len() < TOP_KEYS_MAX {
            self.places.insert(key, self.counts.len());
            self.counts.push(Count { key, at_most: 1, over: 0 });
        } else if let Some((place, rarest)) =
            self.counts.iter_mut().enumerate().min_by_key(|(_, count)| count.at_most)
        {
            self.places.remove(&rarest.key);
            self.places.insert(key, place);
            *rarest = Count { key, at_most: rarest.at_most + 1, over: rarest.at_most };
        }
    }

    /// What is known of one key: of one that is not kept, that it came no more often than the rarest.
    pub(super) fn of(&self, key: &Key) -> Count {
        let kept = self.places.get(key).and_then(|place| self.counts.get(*place)).copied();
        kept.unwrap_or_else(|| {
            let is_full = self.counts.len() == TOP_KEYS_MAX;
            let rarest = self.counts.iter().map(|count| count.at_most).min().filter(|_| is_full).unwrap_or(0);
            Count { key: *key, at_most: rarest, over: rarest }
        })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.counts.iter().map(|count| &count.key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn key(number: u32) -> Key {
        Key::new(number.to_string().as_bytes())
    }

    #[test]
    fn as_many_keys_as_there_may_be_are_counted_exactly() {
        let mut frequent = Frequent::new();
        for number in 0..TOP_KEYS_MAX as u32 {
            (0..=number % 3).for_each(|_| frequent.count(key(number)));
        }
        for number in 0..TOP_KEYS_MAX as u32 {
            let expected = Count { key: key(number), at_most: u64::from(number % 3 + 1), over: 0 };
            assert_eq!(frequent.of(&key(number)), expected);
        }
        frequent.count(key(1_000_000));
        assert_eq!(frequent.keys().count(), TOP_KEYS_MAX, "the rarest has gone");
        assert_eq!(frequent.of(&key(1_000_000)), Count { key: key(1_000_000), at_most: 2, over: 1 });
    }

    #[test]
    fn a_long_key_is_its_beginning() {
        let long = [b'x'; TOP_KEY_BYTES_MAX + 1];
        assert_eq!(Key::new(&long).bytes(), &long[1..]);
        assert_eq!(Key::new(b"ab").bytes(), b"ab");
        assert_ne!(Key::new(b"a"), Key::new(b"a\0"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        /// What the paper promises, of any stream.
        #[test]
        fn bounds_hold_and_nobody_frequent_is_missed(
            stream in prop::collection::vec(prop_oneof![0_u32..8, 0_u32..5_000], 0..8_000),
        ) {
            let (mut frequent, mut truth) = (Frequent::new(), HashMap::<u32, u64>::new());
            for number in &stream {
                frequent.count(key(*number));
                *truth.entry(*number).or_default() += 1;
            }
            let share = (stream.len() / TOP_KEYS_MAX) as u64;
            for (number, times) in truth {
                let count = frequent.of(&key(number));
                prop_assert!(count.at_most >= times && count.at_most - count.over <= times);
                prop_assert!(count.over <= share);
                let is_kept = frequent.keys().any(|kept| *kept == key(number));
                prop_assert!(is_kept || times <= share);
            }
        }
    }
}
