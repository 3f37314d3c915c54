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

use crate::limits::WORDS_MAPPED_FROM_BYTES;

const WORD_BYTES: usize = size_of::<u64>();

/// Words of a table.
#[derive(Debug)]
pub struct Words(Memory);

#[derive(Debug)]
enum Memory {
    Heap(Vec<u64>),
    Mapped(MmapMut),
}

impl Words {
    /// So many zeros. Those that nobody writes to take no memory when they are many.
    #[must_use]
    pub fn zeroed(words: usize) -> Self {
        let bytes = words.saturating_mul(WORD_BYTES);
        if bytes >= WORDS_MAPPED_FROM_BYTES
            && let Ok(map) = MmapMut::map_anon(bytes)
        {
            return Self(Memory::Mapped(map));
        }
        Self(Memory::Heap(vec![0; words]))
    }

    /// From now on they are looked up at random: of huge pages where the system has them. What is written to later
    /// comes in huge pages at once; what was written before, the system gathers by and by.
    #[must_use]
    pub fn for_lookup(self) -> Self {
        if let Memory::Mapped(map) = &self.0 {
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
            Memory::Mapped(map) => bytemuck::cast_slice(map),
        }
    }
}

impl DerefMut for Words {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        match &mut self.0 {
            Memory::Heap(words) => words,
            Memory::Mapped(map) => bytemuck::cast_slice_mut(map),
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
        for zeroed in [Words::zeroed, |words| Words::zeroed(words).for_lookup()] {
            for (count, mapped) in [(0, false), (1, false), (many - 1, false), (many, true), (many + 1, true)]
            {
                let mut words = zeroed(count);
                assert_eq!(matches!(words.0, Memory::Mapped(_)), mapped, "{count}");
                assert!(words.len() == count && words.iter().all(|&word| word == 0));
                words.fill(7);
                assert!(words.iter().all(|&word| word == 7));
            }
        }
    }

    #[test]
    fn words_of_a_vector_are_the_same() {
        assert_eq!(*Words::from(vec![1, 2, 3]), [1, 2, 3]);
    }
}
