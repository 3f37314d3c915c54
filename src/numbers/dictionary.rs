//! Pure. The different values of each column and the different rows of values, by number.
//!
//! In:    cells of rows.
//! Out:   a number for each different row of values; at the end, numbers in order of the values.
//! Never: keeps a value twice.

use std::hash::{BuildHasher, BuildHasherDefault};

use hashbrown::HashTable;

/// Of a fixed key: who chooses the numbers of calls does not choose the values of tables.
type Hasher = BuildHasherDefault<ahash::AHasher>;

/// Different texts.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    lines: Vec<u32>,
    known: HashTable<u32>,
    last: u32,
}

impl Texts {
    fn get(&self, id: u32) -> &[u8] {
        text(&self.bytes, &self.ends, id)
    }

    /// Its number; `None` when there are too many.
    fn id(&mut self, value: &[u8], line: u32) -> Option<u32> {
        let Self { bytes, ends, lines, known, last } = self;
        // Neighbours in a file often have the same value.
        let same = !ends.is_empty() && text(bytes, ends, *last) == value;
        let hasher = Hasher::default();
        let hash = if same { 0 } else { hasher.hash_one(value) };
        let found =
            if same { Some(*last) } else { known.find(hash, |&id| text(bytes, ends, id) == value).copied() };
        if let Some(id) = found {
            if let Some(first) = lines.get_mut(id as usize) {
                *first = line.min(*first);
            }
            *last = id;
            return Some(id);
        }
        let id = u32::try_from(ends.len()).ok().filter(|&id| id < u32::MAX)?;
        bytes.extend_from_slice(value);
        ends.push(bytes.len());
        lines.push(line);
        known.insert_unique(hash, id, |&id| hasher.hash_one(text(bytes, ends, id)));
        *last = id;
        Some(id)
    }
}

fn text<'b>(bytes: &'b [u8], ends: &[usize], id: u32) -> &'b [u8] {
    let id = id as usize;
    let end = ends.get(id).copied().unwrap_or(0);
    let start = id.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    bytes.get(start..end).unwrap_or_default()
}

/// The values of all columns and the tuples of them.
#[derive(Debug)]
pub(super) struct Dictionary {
    columns: Vec<Texts>,
    /// Ids of values, tuple after tuple.
    tuples: Vec<u32>,
    known: HashTable<u32>,
    scratch: Vec<u32>,
}

impl Dictionary {
    /// For so many columns of values.
    pub(super) fn new(columns: usize) -> Self {
        let columns = (0..columns).map(|_| Texts::default()).collect();
        Self { columns, tuples: Vec::new(), known: HashTable::new(), scratch: Vec::new() }
    }

    /// The number of a row of values; `None` when there are too many.
    pub(super) fn tuple<'c>(&mut self, cells: impl Iterator<Item = &'c [u8]>, line: u32) -> Option<u32> {
        let width = self.columns.len();
        self.scratch.clear();
        for (texts, cell) in self.columns.iter_mut().zip(cells) {
            self.scratch.push(texts.id(cell, line)?);
        }
        if let &[only] = self.scratch.as_slice() {
            // A value is its own tuple.
            return Some(only);
        }
        let (tuples, wanted) = (&self.tuples, &self.scratch);
        let of = |id: u32| tuples.get(id as usize * width..(id as usize + 1) * width).unwrap_or_default();
        let hasher = Hasher::default();
        let hash = hasher.hash_one(wanted);
        if let Some(&id) = self.known.find(hash, |&id| of(id) == wanted.as_slice()) {
            return Some(id);
        }
        let id = u32::try_from(self.known.len()).ok().filter(|&id| id < u32::MAX)?;
        self.tuples.extend_from_slice(&self.scratch);
        let tuples = &self.tuples;
        self.known.insert_unique(hash, id, |&id| {
            let values = tuples.get(id as usize * width..(id as usize + 1) * width).unwrap_or_default();
            hasher.hash_one(values)
        });
        Some(id)
    }

    /// How many tuples there are.
    pub(super) fn len(&self) -> usize {
        match self.columns.as_slice() {
            [only] => only.ends.len(),
            _ => self.known.len(),
        }
    }

    /// The values of tuples that are used, in order.
    pub(super) fn sort(self, used: &[bool]) -> Ordered {
        let count = self.len();
        let width = self.columns.len();
        let single: Vec<u32> = if width == 1 { (0_u32..).take(count).collect() } else { Vec::new() };
        let ids = if width == 1 { single } else { self.tuples };
        drop(self.known);
        let is_used = |tuple: usize| used.get(tuple).copied().unwrap_or(false);
        let mut columns = Vec::with_capacity(width);
        let mut ranks: Vec<Vec<u32>> = Vec::with_capacity(width);
        for (column, mut texts) in self.columns.into_iter().enumerate() {
            texts.known = HashTable::new();
            let mut wanted = vec![false; texts.ends.len()];
            let of_column = ids.iter().skip(column).step_by(width);
            for (tuple, &id) in of_column.enumerate() {
                if let Some(wanted) = wanted.get_mut(id as usize).filter(|_| is_used(tuple)) {
                    *wanted = true;
                }
            }
            let mut order: Vec<u32> =
                (0_u32..).zip(wanted).filter(|&(_, wanted)| wanted).map(|(id, _)| id).collect();
            order.sort_unstable_by(|&a, &b| texts.get(a).cmp(texts.get(b)));
            ranks.push(places(&order, texts.ends.len()));
            columns.push(Values { texts, order });
        }
        let rank = |tuple: u32, column: usize| {
            let id = ids.get(tuple as usize * width + column).copied().unwrap_or(0);
            ranks.get(column).and_then(|ranks| ranks.get(id as usize)).copied().unwrap_or(0)
        };
        let mut order: Vec<u32> = (0_u32..).take(count).filter(|&tuple| is_used(tuple as usize)).collect();
        order.sort_unstable_by(|&a, &b| {
            (0..width).map(|column| rank(a, column)).cmp((0..width).map(|column| rank(b, column)))
        });
        let tuples =
            (0..width).map(|column| order.iter().map(|&tuple| rank(tuple, column)).collect()).collect();
        Ordered { places: places(&order, count), count: order.len(), columns, tuples }
    }
}

/// Where each of `count` ids stands in `order`.
fn places(order: &[u32], count: usize) -> Vec<u32> {
    let mut places = vec![0; count];
    for (place, &id) in (0_u32..).zip(order) {
        if let Some(it) = places.get_mut(id as usize) {
            *it = place;
        }
    }
    places
}

/// Different values of one column, sorted.
#[derive(Debug)]
pub(super) struct Values {
    texts: Texts,
    order: Vec<u32>,
}

impl Values {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// In order of bytes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.order.iter().map(|&id| self.texts.get(id))
    }

    /// The first line of each.
    pub(super) fn lines(&self) -> Box<[u32]> {
        self.order.iter().map(|&id| self.texts.lines.get(id as usize).copied().unwrap_or(0)).collect()
    }
}

/// A dictionary whose numbers are in the order of its values.
#[derive(Debug)]
pub(super) struct Ordered {
    /// The new number of each old tuple.
    pub(super) places: Vec<u32>,
    /// Tuples that are used.
    pub(super) count: usize,
    /// Values of each column.
    pub(super) columns: Vec<Values>,
    /// By column: the values of each tuple.
    pub(super) tuples: Vec<Vec<u32>>,
}
