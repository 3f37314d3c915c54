//! Rows as lines of CSV, numbers with their `+`.

use std::io::{self, Write};

use crate::data::{Change, Number, Offer, Prefix, Range, gateway};

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 20;
/// Days of the months of 2026, the year in which day 0 is the first of January; none comes after it.
const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Lines to an output. An error is kept and told at the end: rows come from closures that cannot fail.
pub(crate) struct Lines<W> {
    to: W,
    buffer: Vec<u8>,
    error: Option<io::Error>,
    count: u64,
}

impl<W: Write> Lines<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, buffer: Vec::with_capacity(BUFFER + 256), error: None, count: 0 }
    }

    pub(crate) fn header(&mut self, names: &str) {
        self.text(names);
        self.end();
        self.count = 0;
    }

    pub(crate) fn number(&mut self, row: Number) {
        self.plus(row.digits);
        self.text(",");
        self.plus(row.network.routing_number());
        self.text(",");
        self.digits(row.network.operator());
        self.end();
    }

    pub(crate) fn change(&mut self, change: Change) {
        match change {
            Change::Add(number) => {
                self.text("+,");
                self.number(number);
            }
            Change::Remove(digits) => {
                self.text("-,");
                self.plus(digits);
                self.end();
            }
        }
    }

    pub(crate) fn prefix(&mut self, row: Prefix) {
        self.plus(row.digits);
        self.text(",");
        self.text(&gateway(row.gateway));
        self.end();
    }

    pub(crate) fn range(&mut self, row: Range) {
        self.plus(row.from);
        self.text(",");
        self.plus(row.until);
        self.text(",");
        self.text(&gateway(row.gateway));
        self.end();
    }

    pub(crate) fn offer(&mut self, row: Offer) {
        self.plus(row.prefix);
        self.text(",");
        self.carrier(row.carrier);
        self.text(",");
        self.price(row.cost);
        self.text(",");
        if let Some(quality) = row.quality {
            self.digits(quality);
        }
        self.text(",");
        self.date(row.from_day);
        self.text(",");
        if let Some(day) = row.until_day {
            self.date(day);
        }
        self.end();
    }

    /// A call: its number, and what the table has for it or nothing.
    pub(crate) fn call(&mut self, digits: u64, found: Option<&str>) {
        self.plus(digits);
        self.text(",");
        self.text(found.unwrap_or_default());
        self.end();
    }

    /// How many lines were written, the header apart.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.flush();
        self.error.map_or(Ok(self.count), Err)
    }

    fn carrier(&mut self, carrier: u32) {
        self.text("carrier-");
        self.padded(carrier.into(), 3);
    }

    /// Ten-thousandths as a decimal without zeros at its end.
    fn price(&mut self, cost: u64) {
        self.digits(cost / 10_000);
        let (mut rest, mut places) = (cost % 10_000, 4);
        if rest == 0 {
            return;
        }
        while rest.is_multiple_of(10) {
            (rest, places) = (rest / 10, places - 1);
        }
        self.text(".");
        self.padded(rest, places);
    }

    fn date(&mut self, mut day: u64) {
        for (month, days) in (1..).zip(MONTHS) {
            if day < days {
                self.text("2026-");
                self.padded(month, 2);
                self.text("-");
                self.padded(day + 1, 2);
                return;
            }
            day -= days;
        }
    }

    fn plus(&mut self, digits: u64) {
        self.text("+");
        self.digits(digits);
    }

    fn digits(&mut self, number: u64) {
        self.padded(number, 1);
    }

    /// At least so many digits.
    fn padded(&mut self, mut number: u64, width: usize) {
        let mut digits = [b'0'; 20];
        let mut at = digits.len();
        while number > 0 || digits.len() - at < width {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.buffer.extend_from_slice(&digits[at..]);
    }

    fn text(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    fn end(&mut self) {
        self.buffer.push(b'\n');
        self.count += 1;
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = self.to.write_all(&self.buffer).and_then(|()| self.to.flush()).err();
        }
        self.buffer.clear();
    }
}
