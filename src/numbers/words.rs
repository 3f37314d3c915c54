//! Pure. Memory for the words of tables.
//!
//! In:    how many words.
//! Out:   zeros to be written over.
//! Never: leaves memory with the allocator that the system could have.
//!
//! Large memory is mapped by itself, for two reasons. It goes back to the system when the table goes, whatever
//! the allocator would keep. And it can be of huge pages: a lookup with a random key finds neither its
//! memory nor the translation of its address in the processor's caches, and with pages of 4 KiB the
//! second is the larger part of its time.

use std::ops::{Deref, DerefMut};

use memmap2::{Advice, MmapMut};

use crate::limits::{WORDS_HUGE_AT_ONCE_BYTES_MAX, WORDS_MAPPED_FROM_BYTES};

const WORD_BYTES: usize = size_of::<u64>();
/// A mapping of a multiple of it begins where a page of this size can.
const HUGE_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Words of a table.
#[derive(Debug)]
pub struct Words(Memory);

#[derive(Debug)]
enum Memory {
    Heap(Vec<u64>),
    /// So many words; there may be room for more.
    Mapped(MmapMut, usize),
}

impl Words {
    /// So many zeros. Those that nobody writes to take no memory when they are many.
    #[must_use]
    pub fn zeroed(words: usize) -> Self {
        let bytes = words.saturating_mul(WORD_BYTES);
        // What is beyond the words, nobody writes to.
        let room = if bytes < HUGE_PAGE_BYTES {
            Some(bytes)
        } else {
            bytes.checked_next_multiple_of(HUGE_PAGE_BYTES)
        };
        if bytes >= WORDS_MAPPED_FROM_BYTES
            && let Some(map) = room.and_then(|room| MmapMut::map_anon(room).ok())
        {
            return Self(Memory::Mapped(map, words));
        }
        Self(Memory::Heap(vec![0; words]))
    }

    /// The same for a table that is about to be written, where what the writing takes more of with huge pages is little: it is
    /// at a few places at once, at each up to a page ahead of itself. For others see [`Words::for_lookup`].
    #[must_use]
    pub fn zeroed_to_write(words: usize) -> Self {
        let zeroed = Self::zeroed(words);
        let is_small = words.saturating_mul(WORD_BYTES) <= WORDS_HUGE_AT_ONCE_BYTES_MAX;
        if is_small { zeroed.for_lookup() } else { zeroed }
    }

    /// From now on they are looked up at random: of huge pages where the system has them. What is written to later
    /// comes in huge pages at once; what was written before, the system gathers by and by.
    #[must_use]
    pub fn for_lookup(self) -> Self {
        if let Memory::Mapped(map, _) = &self.0 {
            // A system without huge pages says no, and lookups take longer.
            let _ = map.advise(Advice::HugePage);
        }
        self
    }
}

impl From<Vec<u64>> for Words {
    fn from(words: Vec<u64>) -> Self {
        Self(Memory::Heap(words))
    }
}

impl Deref for Words {
    type Target = [u64];

    #[inline]
    fn deref(&self) -> &[u64] {
        match &self.0 {
            Memory::Heap(words) => words,
            // Of whole words, and aligned to a page.
            Memory::Mapped(map, words) => bytemuck::cast_slice(map).get(..*words).unwrap_or_default(),
        }
    }
}

impl DerefMut for Words {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        match &mut self.0 {
            Memory::Heap(words) => words,
            Memory::Mapped(map, words) => bytemuck::cast_slice_mut(map).get_mut(..*words).unwrap_or_default(),
        }
    }
}

impl AsRef<[u64]> for Words {
    fn as_ref(&self) -> &[u64] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_words_have_memory_of_their_own() {
        let many = WORDS_MAPPED_FROM_BYTES / WORD_BYTES;
        let huge = HUGE_PAGE_BYTES / WORD_BYTES;
        let counts = [0, 1, many - 1, many, many + 1, huge - 1, huge, huge + 1];
        for zeroed in [Words::zeroed, Words::zeroed_to_write, |words| Words::zeroed(words).for_lookup()] {
            for (count, mapped) in counts.map(|count| (count, count >= many)) {
                let mut words = zeroed(count);
                assert_eq!(matches!(words.0, Memory::Mapped(..)), mapped, "{count}");
                assert!(words.len() == count && words.iter().all(|&word| word == 0));
                words.fill(7);
                assert!(words.iter().all(|&word| word == 7));
            }
        }
    }

    /// Whether the memory of words was asked to be of huge pages.
    fn is_huge(words: &Words) -> bool {
        let at = words.as_ptr().addr();
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("the mappings of this process");
        let mut is_it = false;
        for line in maps.lines() {
            let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
            let number = |text| usize::from_str_radix(text, 16).ok();
            if let Some((Some(from), Some(to))) = range.map(|(from, to)| (number(from), number(to))) {
                is_it = (from..to).contains(&at);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| is_it) {
                return flags.split_whitespace().any(|flag| flag == "hg");
            }
        }
        false
    }

    #[test]
    fn a_small_table_is_of_huge_pages_at_once_and_a_large_one_later() {
        let most = WORDS_HUGE_AT_ONCE_BYTES_MAX / WORD_BYTES;
        for (words, huge) in [
            (Words::zeroed_to_write(most), true),
            (Words::zeroed_to_write(most + 1), false),
            (Words::zeroed_to_write(most + 1).for_lookup(), true),
            (Words::zeroed(most), false),
        ] {
            assert_eq!(is_huge(&words), huge, "{}", words.len());
        }
    }

    #[test]
    fn words_of_a_vector_are_the_same() {
        assert_eq!(*Words::from(vec![1, 2, 3]), [1, 2, 3]);
    }
}
