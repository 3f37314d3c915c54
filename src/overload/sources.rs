//! Deterministic. A bucket for each source, in a table that never grows.
//!
//! In:    sources, the time, the key of their hash.
//! Out:   whether a source may ask once more.
//! Never: allocates after it was made, keeps an address, looks at more than one set of buckets.
//!
//! A source has its place in one set of [`SOURCES_PER_SET`] buckets, one line of the cache, found by a keyed hash: nobody who
//! does not know the key can aim at another's set. When a set has no place for a new source, the fullest bucket is
//! forgotten, for that is what a new source would get anyway. So a million forged sources with a packet each push
//! out one another, and those that ask little; one that has used up its bucket keeps it, and does not get a new one by
//! forging others. Whoever is forgotten loses nothing: his next bucket is full. That honest peers are answered beside a million
//! others is not for this table to see to, but for the budget's reserve.

use std::net::IpAddr;

use super::{bucket::Level, source_hash};
use crate::{
    config::Rate,
    limits::{SOURCES_MAX, SOURCES_PER_SET},
};

/// See the file's first lines.
#[derive(Debug)]
pub struct Sources {
    rate: Rate,
    key: [u8; 16],
    sets: Box<[[Place; SOURCES_PER_SET]]>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Half of the source's hash; the other half finds the set.
    tag: u32,
    level: Level,
}

impl Sources {
    /// Takes all of its memory.
    #[must_use]
    pub fn new(rate: Rate, key: [u8; 16]) -> Self {
        // A full bucket that belongs to whoever has the tag 0 is as good as none.
        let nobody = Place { tag: 0, level: Level::full(rate) };
        let sets = vec![[nobody; SOURCES_PER_SET]; SOURCES_MAX / SOURCES_PER_SET].into_boxed_slice();
        Self { rate, key, sets }
    }

    /// Whether this source may ask once more; if so, it has.
    pub fn take(&mut self, source: IpAddr, now_ms: u64) -> bool {
        let hash = source_hash(&self.key, source);
        let (tag, rate) = ((hash >> 32) as u32, self.rate);
        let index = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default() % self.sets.len().max(1);
        let Some(set) = self.sets.get_mut(index) else { return true };
        if let Some(place) = set.iter_mut().find(|place| place.tag == tag) {
            return place.level.take(rate, 0, now_ms);
        }
        let Some(place) = set.iter_mut().max_by_key(|place| place.level.now(rate, now_ms)) else {
            return true;
        };
        *place = Place { tag, level: Level { at_ms: now_ms, ..Level::full(rate) } };
        place.level.take(rate, 0, now_ms)
    }

    /// Bytes that the table takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.sets)
    }
}
