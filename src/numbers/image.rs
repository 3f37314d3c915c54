//! Pure. The words of a table: what stands where, and whether they are such words at all.
//!
//! In:    sections and their sizes; or words of a file.
//! Out:   an image of zeros to be filled, sealed; or where its sections are.
//! Never: takes a section that lies outside the image.

use xxhash_rust::xxh3::xxh3_64;

use super::{
    KeyColumns, Kind, Shape,
    line::LINE_WORDS,
    packed::{Packed, words_of},
    words::Words,
};
use crate::limits::TABLE_COLUMNS_MAX;

/// The first eight bytes of an image.
pub const IMAGE_MAGIC: [u8; 8] = *b"WAYPOST\x1a";
/// Changes with every change of the layout.
pub const IMAGE_VERSION: u64 = 4;
const ORDER_MARK: u64 = 0x0102_0304_0506_0708;

/// Words of the header: magic, order, version, words in all, checksum; kind, key columns, columns, rows,
/// numeric entries, odd entries, tuples.
const HEADER_WORDS: usize = 13;
const SUM_AT: usize = 4;
const SUMMED_FROM: usize = 5;
const SECTION_WORDS: usize = 3;
/// Which of the sections have lines of cache: blocks, and the lines of whole numbers.
const OF_LINES: [usize; 2] = [3, 4];

/// Why an image is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// It does not begin as one.
    #[error("is not a table of waypost")]
    NotOurs,
    /// Written by a version with another layout.
    #[error("is a table of another version of waypost (layout {found}); compile it again")]
    ForeignVersion {
        /// The layout it has.
        found: u64,
    },
    /// Written on a machine with the other order of bytes.
    #[error("is a table of a machine with another order of bytes; compile it again")]
    ForeignOrder,
    /// Fewer or more words than it says.
    #[error("is not whole: it has {found} words of {expected}")]
    Torn {
        /// Words there are.
        found: u64,
        /// Words there should be.
        expected: u64,
    },
    /// The words are not those that were written.
    #[error("is damaged: its checksum does not hold")]
    Checksum,
    /// The words are whole, and make no table.
    #[error("makes no sense: {0}")]
    Inconsistent(&'static str),
}

/// What an image says of itself, and where its sections are.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) kind: Kind,
    pub(super) rows: usize,
    pub(super) numeric: usize,
    pub(super) odd: usize,
    pub(super) tuples: usize,
    /// Column names, end to end, and where they end.
    pub(super) names: Packed,
    pub(super) name_ends: Packed,
    /// See `sorted`; in an exact table `segments`, whose lines of cache are `keys`.
    pub(super) lanes: Packed,
    pub(super) blocks: Packed,
    pub(super) keys: Packed,
    /// Of each prefix: digits, and the entry around it plus one.
    pub(super) climb: Packed,
    /// Of each range: how many numbers follow its first; empty without ranges.
    pub(super) spans: Packed,
    /// Where the rows of each entry begin; empty when each has one.
    pub(super) runs: Packed,
    /// The tuple of each row; in an exact table only of those whose keys are text, since others have it beside their number.
    pub(super) row_tuples: Packed,
    /// Keys kept as text, sorted, and where they end.
    pub(super) odd_bytes: Packed,
    pub(super) odd_ends: Packed,
    /// By column; empty for key columns.
    pub(super) columns: Vec<Column>,
}

/// Where the values of a column are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Column {
    /// The value of each tuple; empty when there is no other column, and tuples are values.
    pub(super) of_tuple: Packed,
    pub(super) ends: Packed,
    pub(super) bytes: Packed,
}

impl Facts {
    /// All sections in the order of the image; their places are set by [`Facts::create`].
    fn sections(&mut self) -> Vec<&mut Packed> {
        let mut all = vec![
            &mut self.names,
            &mut self.name_ends,
            &mut self.lanes,
            &mut self.blocks,
            &mut self.keys,
            &mut self.climb,
            &mut self.spans,
            &mut self.runs,
            &mut self.row_tuples,
            &mut self.odd_bytes,
            &mut self.odd_ends,
        ];
        for column in &mut self.columns {
            all.extend([&mut column.of_tuple, &mut column.ends, &mut column.bytes]);
        }
        all
    }

    /// No sections, for so many columns.
    pub(super) fn empty(kind: Kind, columns: usize) -> Self {
        let none = Packed::default();
        Self {
            kind,
            rows: 0,
            numeric: 0,
            odd: 0,
            tuples: 0,
            names: none,
            name_ends: none,
            lanes: none,
            blocks: none,
            keys: none,
            climb: none,
            spans: none,
            runs: none,
            row_tuples: none,
            odd_bytes: none,
            odd_ends: none,
            columns: vec![Column::default(); columns],
        }
    }

    /// An image with room for all sections, whose sizes are set; says where they are.
    pub(super) fn create(&mut self, shape: &Shape) -> Words {
        let (key, last) = match shape.key {
            KeyColumns::One(key) => (key as u64, u64::MAX),
            KeyColumns::Range { from, to } => (from as u64, to as u64),
        };
        let counts = [self.rows, self.numeric, self.odd, self.tuples].map(|count| count as u64);
        let mut header = vec![u64::from_ne_bytes(IMAGE_MAGIC), ORDER_MARK, IMAGE_VERSION, 0, 0];
        header.extend([kind_word(shape.kind), key, last, self.columns.len() as u64]);
        header.extend(counts);
        let sections = self.sections();
        let mut at = HEADER_WORDS + sections.len() * SECTION_WORDS;
        for (index, section) in sections.into_iter().enumerate() {
            if OF_LINES.contains(&index) {
                // The image itself begins with a line of cache.
                at = at.next_multiple_of(LINE_WORDS);
            }
            section.at = at;
            header.extend([section.at as u64, section.len as u64, u64::from(section.width)]);
            at += words_of(section.len * section.width as usize);
        }
        // Numbers are read from two neighbouring words, those of no bits too.
        let mut words = Words::zeroed_to_write(at + 2);
        for (word, value) in words.iter_mut().zip(header) {
            *word = value;
        }
        words
    }

    /// Reads and checks the header and the sections.
    pub(super) fn read(words: &[u64]) -> Result<(Self, KeyColumns), ImageFault> {
        let header = words.first_chunk::<HEADER_WORDS>();
        if words.first() != Some(&u64::from_ne_bytes(IMAGE_MAGIC)) {
            return Err(ImageFault::NotOurs);
        }
        if words.get(1).is_some_and(|&mark| mark == ORDER_MARK.swap_bytes()) {
            return Err(ImageFault::ForeignOrder);
        }
        if let Some(&found) = words.get(2).filter(|&&version| version != IMAGE_VERSION) {
            return Err(ImageFault::ForeignVersion { found });
        }
        let expected = words.get(3).copied().unwrap_or(HEADER_WORDS as u64);
        let found = words.len() as u64;
        let Some(header) = header.filter(|_| found == expected) else {
            return Err(ImageFault::Torn { found, expected });
        };
        let &[_, mark, _, _, sum, kind, key, last, columns, rows, numeric, odd, tuples] = header;
        if mark != ORDER_MARK || sum != checksum(words) {
            return Err(ImageFault::Checksum);
        }
        let index = |word: u64| usize::try_from(word).ok().filter(|&index| index <= u32::MAX as usize);
        let columns = index(columns).filter(|count| (1..=TABLE_COLUMNS_MAX).contains(count));
        let columns = columns.ok_or(ImageFault::Inconsistent("its columns are none or too many"))?;
        let key_columns =
            key_columns(key, last, columns).ok_or(ImageFault::Inconsistent("its key is no column"))?;
        let kind =
            kind_of(kind).ok_or(ImageFault::Inconsistent("its keys are looked up in an unknown way"))?;
        let counts = [rows, numeric, odd, tuples].map(index);
        let [Some(rows), Some(numeric), Some(odd), Some(tuples)] = counts else {
            return Err(ImageFault::Inconsistent("it has more rows than a table can have"));
        };
        let mut facts = Self { rows, numeric, odd, tuples, ..Self::empty(kind, columns) };
        facts.read_sections(words)?;
        facts.check()?;
        Ok((facts, key_columns))
    }

    fn read_sections(&mut self, words: &[u64]) -> Result<(), ImageFault> {
        let mut at = HEADER_WORDS;
        for section in self.sections() {
            let described = words.get(at..).and_then(|rest| rest.first_chunk::<SECTION_WORDS>());
            let &[place, len, width] =
                described.ok_or(ImageFault::Inconsistent("its list of sections is cut off"))?;
            let fitting = place_of(place, len, width, words.len());
            *section = fitting.ok_or(ImageFault::Inconsistent("a section lies outside of it"))?;
            at += SECTION_WORDS;
        }
        Ok(())
    }

    /// Whether the sections have as many members as the counts say.
    fn check(&self) -> Result<(), ImageFault> {
        let kind = self.kind;
        let entries = self.numeric + self.odd;
        let prefixes = if kind == Kind::Exact { 0 } else { self.numeric };
        let runs = if kind == Kind::Deck { entries + 1 } else { 0 };
        let apart = if kind == Kind::Exact { self.odd } else { self.rows };
        let right = self.row_tuples.len == apart
            && (kind == Kind::Deck || self.rows == entries)
            && self.climb.len == prefixes
            && (self.spans.len == 0 || self.spans.len == prefixes)
            && self.runs.len == runs
            && self.odd_ends.len == self.odd
            && self.name_ends.len == self.columns.len()
            && self.columns.iter().all(|it| it.of_tuple.len == self.tuples || it.of_tuple.len == 0)
            && [self.lanes, self.blocks, self.keys].iter().all(|it| it.width == 64 || it.len == 0)
            && [self.names, self.odd_bytes].iter().all(|it| it.width == 8 || it.len == 0)
            && self.columns.iter().all(|it| it.bytes.width == 8 || it.bytes.len == 0)
            // Numbers of no bits are all the same: there can be only one of them.
            && self.columns.iter().all(|it| it.ends.len <= 1 || it.ends.width > 0)
            && (self.tuples <= 1
                || self.columns.iter().any(|it| it.of_tuple.width > 0 || it.ends.len == self.tuples));
        if right { Ok(()) } else { Err(ImageFault::Inconsistent("its sections are not as long as it says")) }
    }
}

/// Writes size and checksum: the last thing done to an image.
pub(super) fn seal(words: &mut [u64]) {
    let count = words.len() as u64;
    if let Some(size) = words.get_mut(3) {
        *size = count;
    }
    let sum = checksum(words);
    if let Some(word) = words.get_mut(SUM_AT) {
        *word = sum;
    }
}

/// The checksum that an image has.
#[inline]
pub(super) fn sum_in(words: &[u64]) -> u64 {
    words.get(SUM_AT).copied().unwrap_or(0)
}

fn checksum(words: &[u64]) -> u64 {
    xxh3_64(bytemuck::cast_slice(words.get(SUMMED_FROM..).unwrap_or_default()))
}

/// A section, when it lies between the header and the last two words.
fn place_of(at: u64, len: u64, width: u64, words: usize) -> Option<Packed> {
    let (at, len) = (usize::try_from(at).ok()?, usize::try_from(len).ok()?);
    let width = u32::try_from(width).ok().filter(|&width| width <= 64)?;
    let end = at.checked_add(words_of(len.checked_mul(width as usize)?))?;
    let fits = at >= HEADER_WORDS && end + 1 < words && len <= 1 << 40;
    fits.then_some(Packed { at, len, width })
}

fn kind_word(kind: Kind) -> u64 {
    match kind {
        Kind::Exact => 0,
        Kind::Prefix => 1,
        Kind::Deck => 2,
    }
}

fn kind_of(word: u64) -> Option<Kind> {
    [Kind::Exact, Kind::Prefix, Kind::Deck].into_iter().find(|&kind| kind_word(kind) == word)
}

fn key_columns(first: u64, last: u64, columns: usize) -> Option<KeyColumns> {
    let column = |word: u64| usize::try_from(word).ok().filter(|&column| column < columns);
    let from = column(first)?;
    if last == u64::MAX {
        Some(KeyColumns::One(from))
    } else {
        Some(KeyColumns::Range { from, to: column(last)? })
    }
}
