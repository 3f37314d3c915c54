//! Pure. Rows are sorted, and of rows with the same key the right ones stay.
//!
//! In:    rows of one lane, in any order; quickly and in little memory when their keys come in order.
//! Out:   rows in order of their keys.
//! Never: lets the order of coming decide; lines do.

use super::{
    Kind, Twins,
    key::{DIGITS_MAX, Digits, unit},
    run::{Item, Run},
};

/// Bits of a key below the number: how many digits a prefix has.
pub(super) const LENGTH_BITS: u32 = 4;

/// The lane of a number and its key there.
pub(super) fn place(kind: Kind, digits: Digits) -> (usize, u64) {
    let plus = usize::from(digits.plus);
    match kind {
        Kind::Exact => (plus * (DIGITS_MAX + 1) + digits.length as usize, digits.value),
        Kind::Prefix | Kind::Deck => (plus, (digits.start() << LENGTH_BITS) | u64::from(digits.length)),
    }
}

/// The opposite.
pub(super) fn digits_of(kind: Kind, lane: usize, key: u64) -> Digits {
    #[allow(clippy::cast_possible_truncation)]
    match kind {
        Kind::Exact => {
            Digits { plus: lane > DIGITS_MAX, length: (lane % (DIGITS_MAX + 1)) as u32, value: key }
        }
        Kind::Prefix | Kind::Deck => {
            let length = key as u32 & ((1 << LENGTH_BITS) - 1);
            Digits { plus: lane == 1, length, value: (key >> LENGTH_BITS) / unit(length) }
        }
    }
}

/// Where the 15-digit numbers of a prefix or range end: the first that is behind them.
pub(super) fn end_of(start: u64, length: u32, span: u64) -> u64 {
    start.saturating_add(span.saturating_add(1).saturating_mul(unit(length)))
}

/// The text of a key, for people.
pub(super) fn text_of(kind: Kind, lane: usize, item: &Item) -> String {
    let from = digits_of(kind, lane, item.key);
    let mut text = Vec::new();
    from.write(&mut text);
    if item.span > 0 {
        text.push(b'-');
        Digits { value: from.value + item.span, ..from }.write(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Of rows with one key, leaves those that the table holds, and notes the others.
pub(super) fn settle(kind: Kind, rows: &mut Vec<Item>, twins: &mut Twins, text: &dyn Fn(&Item) -> String) {
    if rows.len() < 2 {
        return;
    }
    if kind == Kind::Deck {
        rows.sort_unstable_by_key(|row| (row.tuple, row.line));
        rows.dedup_by(|row, first| {
            let equal = row.tuple == first.tuple;
            if equal {
                twins.add(true, first.line, row.line, || text(row));
            }
            equal
        });
        return;
    }
    rows.sort_unstable_by_key(|row| (row.line, row.tuple));
    if let Some((first, others)) = rows.split_first() {
        for row in others {
            twins.add(row.tuple == first.tuple, first.line, row.line, || text(row));
        }
    }
    rows.truncate(1);
}

/// Rows of a lane while they come.
#[derive(Debug, Default)]
pub(super) struct Stream {
    run: Run,
    /// Rows of the last key.
    group: Vec<Item>,
    /// Rows that came after ones with a greater key: key, tuple, line.
    loose: Vec<(u64, u32, u32)>,
}

impl Stream {
    /// Adds a row.
    pub(super) fn push(&mut self, kind: Kind, lane: usize, item: Item, twins: &mut Twins) {
        match self.group.first().map(|first| item.key.cmp(&first.key)) {
            Some(std::cmp::Ordering::Less) => self.loose.push((item.key, item.tuple, item.line)),
            Some(std::cmp::Ordering::Greater) => {
                self.flush(kind, lane, twins);
                self.group.push(item);
            }
            _ => self.group.push(item),
        }
    }

    fn flush(&mut self, kind: Kind, lane: usize, twins: &mut Twins) {
        settle(kind, &mut self.group, twins, &|row| text_of(kind, lane, row));
        for item in self.group.drain(..) {
            self.run.push(item);
        }
    }

    /// All rows that stay, by key.
    pub(super) fn finish(mut self, kind: Kind, lane: usize, twins: &mut Twins) -> Run {
        self.flush(kind, lane, twins);
        self.run.close();
        if self.loose.is_empty() {
            return self.run;
        }
        self.loose.sort_unstable();
        let mut sorted = self.run.into_rows().peekable();
        let loose = self.loose.into_iter();
        let mut loose = loose.map(|(key, tuple, line)| Item { key, span: 0, tuple, line }).peekable();
        let mut run = Run::default();
        let mut group = Vec::new();
        loop {
            let keys = (sorted.peek().map(|row| row.key), loose.peek().map(|row| row.key));
            let key = match keys {
                (Some(a), Some(b)) => a.min(b),
                (Some(key), None) | (None, Some(key)) => key,
                (None, None) => break,
            };
            while let Some(row) = sorted.next_if(|row| row.key == key) {
                group.push(row);
            }
            while let Some(row) = loose.next_if(|row| row.key == key) {
                group.push(row);
            }
            settle(kind, &mut group, twins, &|row| text_of(kind, lane, row));
            group.drain(..).for_each(|row| run.push(row));
        }
        run.close();
        run
    }
}

/// Sorted rows of a lane.
#[derive(Debug)]
pub(super) enum LaneRows {
    /// Of single keys.
    Run(Run),
    /// Of ranges.
    Items(Vec<Item>),
}

impl LaneRows {
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = Item> + '_> {
        match self {
            Self::Run(run) => Box::new(run.iter()),
            Self::Items(items) => Box::new(items.iter().copied()),
        }
    }

    pub(super) fn into_rows(self) -> Box<dyn Iterator<Item = Item>> {
        match self {
            Self::Run(run) => Box::new(run.into_rows()),
            Self::Items(items) => Box::new(items.into_iter()),
        }
    }
}
