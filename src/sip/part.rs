//! Pure. Where a part of a message stands.

use std::ops::Range;

use super::scan::place_in;

/// Bytes of a message. [`crate::limits::MESSAGE_BYTES_MAX`] fits into 16 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    start: u16,
    end: u16,
}

impl Part {
    /// Where a part stands that was read of these bytes.
    pub(super) fn of(bytes: &[u8], part: &[u8]) -> Self {
        Self::at(place_in(bytes, part))
    }

    /// This place.
    pub(super) fn at(place: Range<usize>) -> Self {
        let narrow = |at: usize| u16::try_from(at).unwrap_or_default();
        Self { start: narrow(place.start), end: narrow(place.end) }
    }

    /// What stands there.
    #[inline]
    pub(super) fn within(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// Takes in what stands right behind it; `false`, and nothing is done, where it stands elsewhere.
    pub(super) fn joins(&mut self, behind: Self) -> bool {
        let is_next = self.end == behind.start;
        if is_next {
            self.end = behind.end;
        }
        is_next
    }
}
