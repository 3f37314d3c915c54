//! Pure. What the cells of a number table mean: gateways, prices, dates. Each distinct cell is read once.

use std::sync::Arc;

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{Builder, names::TargetName};
use crate::{
    limits::CARRIERS_PER_TABLE_MAX,
    numbers::Table,
    route::{
        Meaning, NumberTable, Place, RowTarget, Terms, decimal::DecimalFault, file::marks::At, micro_of,
    },
};

impl Builder<'_> {
    /// A table as routes use it.
    pub(super) fn number_table(&mut self, at: At<'_>, name: &str, table: Arc<Table>) -> NumberTable {
        let file = at.key("file").text().unwrap_or_default().to_owned();
        let position = |name: &str| {
            let mut columns = table.shape().columns.iter().enumerate();
            let is_key = |index| table.shape().key.contain(index);
            columns.position(|(index, column)| **column == *name && !is_key(index))
        };
        let mut cells = Cells { builder: self, table: &table, file: &file };
        let terms = Terms {
            targets: position("to").map(|column| cells.targets(column)),
            costs_micro: position("cost").map(|column| cells.meaning(column, "cost", 0, micro)),
            qualities_micro: position("quality").map(|column| {
                cells.meaning(column, "quality", u64::MAX, |cell| {
                    if cell.is_empty() { Ok(u64::MAX) } else { micro(cell) }
                })
            }),
            valid_from_s: position("valid_from")
                .map(|column| cells.meaning(column, "valid_from", i64::MIN, valid_from_s)),
            valid_until_s: position("valid_to")
                .map(|column| cells.meaning(column, "valid_to", i64::MAX, valid_until_s)),
            customer: position("customer"),
        };
        NumberTable::new(name, table, terms)
    }
}

/// The cells of one table, and where to say what is wrong with them.
struct Cells<'c, 'n> {
    builder: &'c mut Builder<'n>,
    table: &'c Table,
    file: &'c str,
}

impl Cells<'_, '_> {
    fn targets(&mut self, column: usize) -> Meaning<RowTarget> {
        let count = self.table.values(column).count();
        if count > CARRIERS_PER_TABLE_MAX {
            let place = Place { file: self.file.into(), line: 1, column: 1 };
            let message = format!(
                "{count} different names in the column `to`; expected at most {CARRIERS_PER_TABLE_MAX}"
            );
            self.builder.findings.error(&place, message);
            return Meaning { column, by_id: Vec::new() };
        }
        let names = self.builder.names;
        self.meaning(column, "to", RowTarget::Gateway(0), |cell| {
            let name = String::from_utf8_lossy(cell);
            if name.is_empty() {
                return Err("`to` is empty; expected the name of a gateway or group".to_owned());
            }
            Ok(match names.target(&name).map_err(|message| format!("`to`: {message}"))? {
                TargetName::Gateway(id) => RowTarget::Gateway(id),
                TargetName::Group(id) => RowTarget::Group(id),
            })
        })
    }

    /// What each distinct cell means; `instead` where that cannot be said, which is an error.
    fn meaning<T: Copy>(
        &mut self,
        column: usize,
        name: &str,
        instead: T,
        of: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Meaning<T> {
        let mut by_id = Vec::new();
        for (id, cell) in (0_u32..).zip(self.table.values(column)) {
            by_id.push(match of(cell) {
                Ok(meaning) => meaning,
                Err(message) => {
                    let line = self.table.first_line(column, id).max(1);
                    let place = Place { file: self.file.into(), line, column: 1 };
                    let message = if message.starts_with('`') {
                        message
                    } else {
                        format!("`{name}` is `{}`{message}", String::from_utf8_lossy(cell))
                    };
                    self.builder.findings.error(&place, message);
                    instead
                }
            });
        }
        Meaning { column, by_id }
    }
}

/// A decimal, or the end of the sentence that says why not.
fn micro(cell: &[u8]) -> Result<u64, String> {
    micro_of(cell).map_err(|fault| match fault {
        DecimalFault::Form if cell.contains(&b',') => format!("; {fault}; write the decimal point as `.`"),
        DecimalFault::Form => format!("; {fault}"),
        DecimalFault::TooLarge => format!(", {fault}"),
    })
}

/// From the beginning of a day, or from a moment; an empty cell: since ever.
fn valid_from_s(cell: &[u8]) -> Result<i64, String> {
    if cell.is_empty() {
        return Ok(i64::MIN);
    }
    moment(cell).map(|(from_s, _)| from_s)
}

/// To the end of a day, or to a moment; an empty cell: for ever.
fn valid_until_s(cell: &[u8]) -> Result<i64, String> {
    if cell.is_empty() {
        return Ok(i64::MAX);
    }
    moment(cell).map(|(_, until_s)| until_s)
}

/// The first second, and the first that is too late. A day without a zone is one of UTC.
fn moment(cell: &[u8]) -> Result<(i64, i64), String> {
    let wrong = || {
        "; expected a day such as 2026-11-25 (UTC) or a moment such as 2026-11-25T06:00:00+01:00".to_owned()
    };
    let text = std::str::from_utf8(cell).map_err(|_| wrong())?;
    if text.len() > "2026-11-25".len() {
        let moment: Timestamp = text.parse().map_err(|_| wrong())?;
        return Ok((moment.as_second(), moment.as_second()));
    }
    let day: Date = text.parse().map_err(|_| wrong())?;
    let second = |day: Date| {
        TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight())).map(|start| start.as_second()).ok()
    };
    let from_s = second(day).ok_or_else(wrong)?;
    Ok((from_s, day.tomorrow().ok().and_then(second).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_begin_and_end() {
        let day = 86_400;
        for (cell, from_s, until_s) in [
            ("", i64::MIN, i64::MAX),
            ("1970-01-02", day, 2 * day),
            ("1970-01-02T00:00:10Z", day + 10, day + 10),
            ("1970-01-02T01:00:10+01:00", day + 10, day + 10),
        ] {
            assert_eq!(valid_from_s(cell.as_bytes()), Ok(from_s), "{cell}");
            assert_eq!(valid_until_s(cell.as_bytes()), Ok(until_s), "{cell}");
        }
        for cell in ["now", "2026-13-01", "2026-11-25T06:00:00", "25.11.2026", "\u{e9}"] {
            assert!(
                valid_from_s(cell.as_bytes()).is_err() && valid_until_s(cell.as_bytes()).is_err(),
                "{cell}"
            );
        }
    }
}
