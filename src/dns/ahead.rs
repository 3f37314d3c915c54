//! Pure. What the cache has of several numbers, read ahead of the decisions that ask for it.
//!
//! In:    numbers, their apex.
//! Out:   the slot that each is likely in; to prove it is for whoever looks it up.
//! Never: counts as a use.

use std::hint::black_box;

use super::{Apex, Cache, Kind, cache::Entry, enum_lookup::e164_digits, name_key::NameKey};
use crate::limits::NUMBERS_AHEAD_MAX;

/// A place of the cache, and at another time maybe that of another answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub(super) u32);

impl Cache {
    /// Reads what [`super::lookup`] of each number will read when it has an answer under this apex: each step of all of them
    /// before the next, so that they wait for memory together and not one after the other.
    #[must_use]
    pub fn look_ahead(
        &self,
        numbers: &[&[u8]; NUMBERS_AHEAD_MAX],
        apex: &Apex,
    ) -> [Option<Slot>; NUMBERS_AHEAD_MAX] {
        let slots = numbers.map(|number| {
            let key = NameKey::of_number(e164_digits(number)?, &apex.name)?;
            self.likely(key, Kind::Naptr, apex.upstream.as_ref())
        });
        let entries = slots.map(|slot| self.entry_at(slot?));
        entries.into_iter().flatten().for_each(Entry::touch);
        entries.into_iter().flatten().for_each(Entry::touch_ready);
        slots
    }
}

/// Bytes of a line of cache.
const LINE_BYTES: usize = 64;

/// Reads a text that will be wanted soon.
pub(super) fn touch_lines(text: &[u8]) {
    for line in text.chunks(LINE_BYTES) {
        black_box(line.first().copied());
    }
    black_box(text.last().copied());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Answer, Naptr, Question, Record};

    #[test]
    fn what_is_there_is_found_in_its_slot() {
        let apex = Apex::of("e164.arpa.", &["sip"]);
        let record = Record::Naptr(Naptr {
            order: 1,
            preference: 1,
            flags: b"u".as_slice().into(),
            services: b"E2U+sip".as_slice().into(),
            regexp: b"!^(.*)$!sip:\\1@a.example!".as_slice().into(),
            replacement: ".".into(),
        });
        let mut cache = Cache::new();
        for name in ["1.4.4.e164.arpa.", "2.4.4.e164.arpa.", "3.4.4.e164.arpa."] {
            let answer = Answer::Found { records: vec![record.clone()], ttl_s: 60 };
            cache.insert(Question::new(name, Kind::Naptr).expect("a name"), answer, 0);
        }
        let looked_for: [(&[u8], _); 8] = [
            (b"+443", Some(2)),
            (b"", None),
            (b"443", None),
            (b"+441", Some(0)),
            (b"+4412345678901234", None),
            (b"+44a", None),
            (b"+", None),
            (b"+442", Some(1)),
        ];
        // Over and over, up to the last place.
        let all: [_; NUMBERS_AHEAD_MAX] = std::array::from_fn(|at| looked_for[at % looked_for.len()]);
        let slots = cache.look_ahead(&all.map(|(number, _)| number), &apex);
        assert_eq!(slots, all.map(|(_, slot)| slot.map(Slot)));
        assert_eq!(cache.tallies(), Cache::new().tallies(), "that is no use");
    }
}
