//! Pure. What has to be known of all rows before a word of an image is written.
//!
//! In:    sorted rows, once or twice.
//! Out:   which sections the image has, and what describes lanes and blocks.
//! Never: keeps rows.

use super::{
    Kind, Shape,
    block::{self, BLOCK, BLOCK_WORDS},
    dictionary::Ordered,
    image::Facts,
    line::LINE_WORDS,
    packed::{Packed, width_of, words_of},
    rows::{LENGTH_BITS, LaneRows},
    run::Item,
    segments::{SEGMENT, Segment},
};

/// See the page.
#[derive(Debug)]
pub(super) struct Survey {
    kind: Kind,
    pub(super) used: Vec<bool>,
    rows: usize,
    entries: usize,
    span_most: u64,
    lanes: Vec<u64>,
    first_blocks: Vec<usize>,
    /// What describes blocks of prefixes, or segments of whole numbers.
    described: Vec<u64>,
    key_words: usize,
}

impl Survey {
    pub(super) fn new(kind: Kind, tuples: usize) -> Self {
        Self {
            kind,
            used: vec![false; tuples],
            rows: 0,
            entries: 0,
            span_most: 0,
            lanes: Vec::new(),
            first_blocks: Vec::new(),
            described: Vec::new(),
            key_words: 0,
        }
    }

    pub(super) fn row(&mut self, item: &Item) {
        self.rows += 1;
        if let Some(used) = self.used.get_mut(item.tuple as usize) {
            *used = true;
        }
    }

    pub(super) fn lane(&mut self, id: usize, rows: impl Iterator<Item = Item>) {
        let first_block = self.described.len() / BLOCK_WORDS;
        let mut last: Option<(u64, u64)> = None;
        let mut entries = 0;
        for item in rows {
            self.row(&item);
            if last == Some((item.key, item.span)) {
                continue;
            }
            if entries % BLOCK == 0 && self.kind != Kind::Exact {
                self.close_block(last, BLOCK);
                self.described.extend(block::described(number_of(self.kind, item.key), 0, 0));
            }
            entries += 1;
            self.span_most = self.span_most.max(item.span);
            last = Some((item.key, item.span));
        }
        self.first_blocks.push(first_block);
        if entries == 0 {
            return;
        }
        if self.kind != Kind::Exact {
            self.close_block(last, (entries - 1) % BLOCK + 1);
        }
        self.entries += entries;
        self.lanes.extend([id as u64, entries as u64]);
    }

    /// Scatters whole numbers over lines.
    pub(super) fn plan(&mut self, lanes: &[(usize, LaneRows)], value_width: u32) {
        let mut numbers = Vec::with_capacity(SEGMENT.min(self.entries));
        for (_, rows) in lanes {
            let mut rows = rows.iter();
            loop {
                numbers.clear();
                numbers.extend(rows.by_ref().take(SEGMENT).map(|item| item.key));
                if numbers.is_empty() {
                    break;
                }
                let described = Segment::plan(&numbers, value_width);
                self.described.extend(described);
                self.key_words += Segment::read(described, 0, value_width).line_count() * LINE_WORDS;
            }
        }
    }

    fn close_block(&mut self, last: Option<(u64, u64)>, count: usize) {
        let block = self.described.last_chunk_mut::<BLOCK_WORDS>();
        let (Some((key, _)), Some(block)) = (last, block) else { return };
        let base = block[0];
        let width = width_of(number_of(self.kind, key).saturating_sub(base));
        *block = block::described(base, self.key_words, width);
        self.key_words += words_of(count * width as usize);
    }

    pub(super) fn facts(&self, shape: &Shape, odd: &[(Box<[u8]>, Vec<Item>)], values: &Ordered) -> Facts {
        let raw = |len: usize| Packed { at: 0, len, width: 64 };
        let bytes = |len: usize| Packed { at: 0, len, width: 8 };
        let packed = |len: usize, most: usize| Packed { at: 0, len, width: width_of(most as u64) };
        let prefixes = if self.kind == Kind::Exact { 0 } else { self.entries };
        let entries = self.entries + odd.len();
        let name_bytes = shape.columns.iter().map(|name| name.len()).sum();
        let odd_bytes = odd.iter().map(|(key, _)| key.len()).sum();
        let mut facts = Facts::empty(self.kind, shape.columns.len());
        facts.rows = self.rows;
        facts.numeric = self.entries;
        facts.odd = odd.len();
        facts.tuples = values.count;
        facts.names = bytes(name_bytes);
        facts.name_ends = packed(shape.columns.len(), name_bytes);
        facts.lanes = raw(self.lanes.len());
        facts.blocks = raw(self.described.len());
        facts.keys = raw(self.key_words);
        facts.climb = Packed { at: 0, len: prefixes, width: LENGTH_BITS + width_of(self.entries as u64) };
        facts.spans = Packed {
            at: 0,
            len: if self.span_most > 0 { prefixes } else { 0 },
            width: width_of(self.span_most),
        };
        facts.runs = packed(if self.kind == Kind::Deck { entries + 1 } else { 0 }, self.rows);
        let apart = if self.kind == Kind::Exact { odd.len() } else { self.rows };
        facts.row_tuples = packed(apart, values.count.saturating_sub(1));
        facts.odd_bytes = bytes(odd_bytes);
        facts.odd_ends = packed(odd.len(), odd_bytes);
        let value_columns = (0..).zip(&mut facts.columns).filter(|(column, _)| !shape.key.contain(*column));
        for ((_, column), values_here) in value_columns.zip(&values.columns) {
            let total = values_here.iter().map(<[u8]>::len).sum();
            if values.columns.len() > 1 {
                column.of_tuple = packed(values.count, values_here.len().saturating_sub(1));
            }
            column.ends = packed(values_here.len(), total);
            column.bytes = bytes(total);
        }
        facts
    }

    /// Writes it; what is left is the first block of each lane.
    pub(super) fn write(self, words: &mut [u64], facts: &Facts) -> Vec<usize> {
        for (section, from) in [(facts.lanes, &self.lanes[..]), (facts.blocks, &self.described[..])] {
            for (index, value) in from.iter().enumerate() {
                section.put(words, index, *value);
            }
        }
        self.first_blocks
    }
}

/// The number that is searched: of a prefix the first of its 15-digit numbers.
pub(super) fn number_of(kind: Kind, key: u64) -> u64 {
    if kind == Kind::Exact { key } else { key >> LENGTH_BITS }
}
