//! Pure. Sorted rows and a dictionary become an image.
//!
//! In:    rows of each lane by key, keys kept as text, the dictionary.
//! Out:   a table. The same rows give the same words.
//! Never: holds the rows twice: memory of rows is given back while they are written.

use super::{
    Kind, Shape, Table,
    block::{self, BLOCK},
    dictionary::{Dictionary, Ordered},
    image::{Facts, seal},
    packed::{Packed, width_of},
    rows::{LENGTH_BITS, LaneRows, end_of},
    run::Item,
    segments::{DESCRIBED_WORDS, SEGMENT, Segment},
    survey::{Survey, number_of},
};

/// What a table is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// By id, in order; none without rows.
    pub(super) lanes: Vec<(usize, LaneRows)>,
    /// Keys kept as text, in order, with their rows.
    pub(super) odd: Vec<(Box<[u8]>, Vec<Item>)>,
    /// What the tuples of rows stand for.
    pub(super) dictionary: Dictionary,
}

/// The table.
pub(super) fn assemble(shape: Shape, parts: Parts) -> Table {
    let Parts { lanes, odd, dictionary } = parts;
    let mut survey = Survey::new(shape.kind, dictionary.len());
    for (id, rows) in &lanes {
        survey.lane(*id, rows.iter());
    }
    for row in odd.iter().flat_map(|(_, rows)| rows) {
        survey.row(row);
    }
    let values = dictionary.sort(&std::mem::take(&mut survey.used));
    if shape.kind == Kind::Exact {
        // Now it is known how wide a value is.
        survey.plan(&lanes, width_of(values.count.saturating_sub(1) as u64));
    }
    let mut facts = survey.facts(&shape, &odd, &values);
    let mut words = facts.create(&shape);
    let first_blocks = survey.write(&mut words, &facts);
    let mut writer = Writer {
        kind: shape.kind,
        facts: &facts,
        words: &mut words,
        places: &values.places,
        entry: 0,
        row: 0,
    };
    let mut place = (0, 0);
    for (block, rows) in first_blocks.iter().zip(lanes.into_iter().map(|(_, rows)| rows)) {
        match shape.kind {
            Kind::Exact => writer.whole(&mut place, rows.into_rows()),
            Kind::Prefix | Kind::Deck => writer.lane(*block, rows.into_rows()),
        }
    }
    writer.odd(odd);
    write_names(&mut words, &facts, &shape);
    write_values(&mut words, &facts, &shape, &values);
    seal(&mut words);
    let mut lines = values.columns.iter().map(super::dictionary::Values::lines);
    let lines = (0..shape.columns.len())
        .map(|column| if shape.key.contain(column) { None } else { lines.next() })
        .map(Option::unwrap_or_default)
        .collect();
    Table::sealed(shape, words, facts, lines)
}

struct Writer<'w> {
    kind: Kind,
    facts: &'w Facts,
    words: &'w mut [u64],
    places: &'w [u32],
    entry: usize,
    row: usize,
}

impl Writer<'_> {
    /// Whole numbers of a lane, from this segment and line on.
    fn whole(&mut self, place: &mut (usize, usize), rows: impl Iterator<Item = Item>) {
        let width = self.facts.row_tuples.width;
        let mut segment = Segment::read([0; DESCRIBED_WORDS], 0, width);
        for (index, item) in rows.enumerate() {
            if index.is_multiple_of(SEGMENT) {
                let word =
                    |word| self.facts.blocks.get(self.words, place.0 * DESCRIBED_WORDS + word).unwrap_or(0);
                segment = Segment::read([word(0), word(1)], place.1, width);
                *place = (place.0 + 1, place.1 + segment.line_count());
            }
            let value = self.places.get(item.tuple as usize).copied().unwrap_or(0);
            segment.put(self.words, self.facts, item.key, u64::from(value));
        }
    }

    fn lane(&mut self, first_block: usize, rows: impl Iterator<Item = Item>) {
        let first_entry = self.entry;
        let mut around: Vec<(u64, usize)> = Vec::new();
        let mut group: Vec<u32> = Vec::new();
        let mut last: Option<(u64, u64)> = None;
        for item in rows {
            if last != Some((item.key, item.span)) {
                if last.is_some() {
                    self.close_entry(&mut group);
                }
                last = Some((item.key, item.span));
                let within = self.entry - first_entry;
                let number = number_of(self.kind, item.key);
                let block = first_block + within / BLOCK;
                block::put_number(self.words, self.facts, block, within % BLOCK, number);
                if self.kind != Kind::Exact {
                    self.climb(&item, &mut around);
                }
            }
            group.push(self.places.get(item.tuple as usize).copied().unwrap_or(0));
        }
        if last.is_some() {
            self.close_entry(&mut group);
        }
    }

    /// Digits of a prefix and the innermost one around it.
    fn climb(&mut self, item: &Item, around: &mut Vec<(u64, usize)>) {
        #[allow(clippy::cast_possible_truncation)]
        let length = item.key as u32 & ((1 << LENGTH_BITS) - 1);
        let start = item.key >> LENGTH_BITS;
        while around.pop_if(|(end, _)| *end <= start).is_some() {}
        let parent = around.last().map_or(0, |&(_, entry)| entry as u64 + 1);
        around.push((end_of(start, length, item.span), self.entry));
        self.facts.climb.put(self.words, self.entry, (parent << LENGTH_BITS) | u64::from(length));
        self.facts.spans.put(self.words, self.entry, item.span);
    }

    fn close_entry(&mut self, group: &mut Vec<u32>) {
        group.sort_unstable();
        self.facts.runs.put(self.words, self.entry, self.row as u64);
        for tuple in group.drain(..) {
            self.facts.row_tuples.put(self.words, self.row, u64::from(tuple));
            self.row += 1;
        }
        self.entry += 1;
    }

    fn odd(&mut self, odd: Vec<(Box<[u8]>, Vec<Item>)>) {
        let mut end = 0;
        for (index, (key, rows)) in odd.into_iter().enumerate() {
            self.facts.odd_bytes.put_bytes(self.words, end, &key);
            end += key.len();
            self.facts.odd_ends.put(self.words, index, end as u64);
            let place = |row: &Item| self.places.get(row.tuple as usize).copied().unwrap_or(0);
            let mut group: Vec<u32> = rows.iter().map(place).collect();
            self.close_entry(&mut group);
        }
        self.facts.runs.put(self.words, self.entry, self.row as u64);
    }
}

fn write_names(words: &mut [u64], facts: &Facts, shape: &Shape) {
    write_texts(words, facts.names, facts.name_ends, shape.columns.iter().map(|name| name.as_bytes()));
}

fn write_values(words: &mut [u64], facts: &Facts, shape: &Shape, values: &Ordered) {
    let columns = (0..).zip(&facts.columns).filter(|(column, _)| !shape.key.contain(*column));
    for ((_, column), (texts, tuples)) in columns.zip(values.columns.iter().zip(&values.tuples)) {
        write_texts(words, column.bytes, column.ends, texts.iter());
        for (tuple, value) in tuples.iter().enumerate() {
            column.of_tuple.put(words, tuple, u64::from(*value));
        }
    }
}

fn write_texts<'t>(words: &mut [u64], bytes: Packed, ends: Packed, texts: impl Iterator<Item = &'t [u8]>) {
    let mut end = 0;
    for (index, text) in texts.enumerate() {
        bytes.put_bytes(words, end, text);
        end += text.len();
        ends.put(words, index, end as u64);
    }
}
