//! Pure. Times of day, week and year, in a zone compiled in. The moment is an argument.
//!
//! In:    the words of `when: { time: … }` at load; later, seconds since 1970.
//! Out:   whether the moment lies in the calendar.
//! Never: reads a clock or a zone file of the system; allocates while it answers.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{TimeZone, TimeZoneDatabase},
};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// `when: { time: … }`.
#[derive(Debug)]
pub struct Calendar {
    zone: TimeZone,
    /// From Monday, bit 0. All when no day is named.
    days: u8,
    /// From January, bit 0. All when no month is named.
    months: u16,
    /// Empty: every date.
    dates: Vec<DateSpan>,
    /// Empty: all day.
    hours: Vec<HourSpan>,
}

/// Minutes of the day: from the first to before the last. One that ends before it begins passes
/// midnight, and belongs to the day on which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HourSpan {
    from: u16,
    to: u16,
}

/// Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DateSpan {
    Once(Date, Date),
    /// Month and day. One that ends before it begins passes the new year.
    Yearly((i8, i8), (i8, i8)),
}

impl Calendar {
    /// Every moment, on the clocks of `zone` (a name of the IANA database).
    pub fn new(zone: &str) -> Result<Self, String> {
        let zone = TimeZoneDatabase::bundled().get(zone).map_err(|_| {
            format!("no time zone `{zone}`; expected an IANA name such as Europe/London or UTC")
        })?;
        Ok(Self { zone, days: 0, months: 0, dates: Vec::new(), hours: Vec::new() })
    }

    /// Names of all zones, for near matches.
    pub(super) fn zones() -> impl Iterator<Item = String> {
        let zones: Vec<String> =
            TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
        zones.into_iter()
    }

    /// Narrows to `mon`, `monday`, `mon-fri`; several calls add up.
    pub fn add_days(&mut self, text: &str) -> Result<(), String> {
        let (from, to) = names(text, &DAYS).ok_or_else(|| {
            format!("`{text}` is not a day; expected mon, tue … sun, or a span such as mon-fri")
        })?;
        self.days |= cycle(from, to, 7).fold(0, |bits, day| bits | 1 << day);
        Ok(())
    }

    /// Narrows to `dec`, `jun-aug`; several calls add up.
    pub fn add_months(&mut self, text: &str) -> Result<(), String> {
        let (from, to) = names(text, &MONTHS).ok_or_else(|| {
            format!("`{text}` is not a month; expected jan, feb … dec, or a span such as jun-aug")
        })?;
        self.months |= cycle(from, to, 12).fold(0, |bits, month| bits | 1 << month);
        Ok(())
    }

    /// Narrows to `08:00-18:00`; several calls add up.
    pub fn add_hours(&mut self, text: &str) -> Result<(), String> {
        let form = || format!("`{text}` is not a time span; expected HH:MM-HH:MM, such as 08:00-18:00");
        let (from, to) = text.split_once('-').ok_or_else(form)?;
        let (from, to) = (minute(from).ok_or_else(form)?, minute(to).ok_or_else(form)?);
        if from == to {
            return Err(format!("`{text}` begins and ends at one time; write 00:00-24:00 for the whole day"));
        }
        if from == DAY_MINUTES {
            return Err(format!("`{text}` begins at 24:00; write 00:00"));
        }
        self.hours.push(HourSpan { from, to });
        Ok(())
    }

    /// Narrows to `2026-12-31`, `12-25`, or a span `12-24..12-26`; several calls add up.
    pub fn add_dates(&mut self, text: &str) -> Result<(), String> {
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let span = match (date(from.trim()), date(to.trim())) {
            (Some(Day::Once(from)), Some(Day::Once(to))) if from <= to => DateSpan::Once(from, to),
            (Some(Day::Once(_)), Some(Day::Once(_))) => {
                return Err(format!("`{text}` ends before it begins; write the earlier date first"));
            }
            (Some(Day::Yearly(from)), Some(Day::Yearly(to))) => DateSpan::Yearly(from, to),
            _ => {
                return Err(format!(
                    "`{text}` is not a date; expected YYYY-MM-DD, MM-DD (every year), or two of one form \
                     with `..` between them, such as 12-24..12-26"
                ));
            }
        };
        self.dates.push(span);
        Ok(())
    }

    /// Whether the second `unix_s` lies in the calendar, on the clocks of its zone.
    #[must_use]
    pub fn holds(&self, unix_s: i64) -> bool {
        let Ok(moment) = Timestamp::from_second(unix_s) else { return false };
        let local = self.zone.to_datetime(moment);
        if self.hours.is_empty() {
            return self.has_day(local.date());
        }
        self.hours.iter().any(|span| self.has_hour(*span, local))
    }

    fn has_hour(&self, span: HourSpan, local: DateTime) -> bool {
        let now = minutes_of(local);
        if span.from < span.to {
            return (span.from..span.to).contains(&now) && self.has_day(local.date());
        }
        if now >= span.from {
            return self.has_day(local.date());
        }
        // The small hours of a night that began the day before.
        now < span.to && local.date().yesterday().is_ok_and(|before| self.has_day(before))
    }

    fn has_day(&self, date: Date) -> bool {
        let weekday = date.weekday().to_monday_zero_offset();
        let month = date.month() - 1;
        (self.days == 0 || self.days & (1 << weekday) != 0)
            && (self.months == 0 || self.months & (1 << month) != 0)
            && (self.dates.is_empty() || self.dates.iter().any(|span| span.has(date)))
    }
}

impl DateSpan {
    fn has(self, date: Date) -> bool {
        match self {
            Self::Once(from, to) => from <= date && date <= to,
            Self::Yearly(from, to) => {
                let day = (date.month(), date.day());
                if from <= to { from <= day && day <= to } else { day >= from || day <= to }
            }
        }
    }
}

fn minutes_of(local: DateTime) -> u16 {
    u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0)
}

/// `HH:MM`, up to 24:00.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |text: &str| -> Option<u16> {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let whole = hour * 60 + minute;
    (minute < 60 && whole <= DAY_MINUTES).then_some(whole)
}

enum Day {
    Once(Date),
    Yearly((i8, i8)),
}

fn date(text: &str) -> Option<Day> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    if text.len() == 10 {
        return text.parse().ok().map(Day::Once);
    }
    let (month, day) = text.split_once('-')?;
    if month.len() != 2 || day.len() != 2 {
        return None;
    }
    // A leap year: 02-29 is a date, if not in every year.
    let date = Date::new(2024, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some(Day::Yearly((date.month(), date.day())))
}

/// One name or two with `-` between them, in full or by their first three letters.
fn names(text: &str, all: &[&str]) -> Option<(usize, usize)> {
    let one = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        all.iter().position(|full| name == *full || full.get(..3) == Some(&name))
    };
    match text.split_once('-') {
        Some((from, to)) => Some((one(from)?, one(to)?)),
        None => one(text).map(|index| (index, index)),
    }
}

/// From one index to another, around the end when need be.
fn cycle(from: usize, to: usize, len: usize) -> impl Iterator<Item = usize> {
    let count = (to + len - from) % len + 1;
    (0..count).map(move |step| (from + step) % len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(zone: &str, days: &[&str], hours: &[&str], dates: &[&str], months: &[&str]) -> Calendar {
        let mut calendar = Calendar::new(zone).expect(zone);
        days.iter().for_each(|text| calendar.add_days(text).expect(text));
        hours.iter().for_each(|text| calendar.add_hours(text).expect(text));
        dates.iter().for_each(|text| calendar.add_dates(text).expect(text));
        months.iter().for_each(|text| calendar.add_months(text).expect(text));
        calendar
    }

    fn at(calendar: &Calendar, utc: &str) -> bool {
        calendar.holds(utc.parse::<Timestamp>().expect(utc).as_second())
    }

    #[test]
    fn office_hours_have_a_first_and_a_last_minute() {
        let office = calendar("Europe/London", &["mon-fri"], &["08:00-18:00"], &[], &[]);
        // 2026-01-05 is a Monday, and London is on UTC.
        assert!(!at(&office, "2026-01-05T07:59:59Z"));
        assert!(at(&office, "2026-01-05T08:00:00Z"));
        assert!(at(&office, "2026-01-05T17:59:59Z"));
        assert!(!at(&office, "2026-01-05T18:00:00Z"));
        assert!(at(&office, "2026-01-09T12:00:00Z"), "Friday");
        assert!(!at(&office, "2026-01-10T12:00:00Z"), "Saturday");
        assert!(!at(&office, "2026-01-04T12:00:00Z"), "Sunday");
    }

    #[test]
    fn clocks_go_forward_and_back() {
        // 2026-03-29 01:00Z: London goes from 01:00 to 02:00, so 01:30 does not exist.
        let one = calendar("Europe/London", &[], &["01:00-02:00"], &[], &[]);
        let two = calendar("Europe/London", &[], &["02:00-03:00"], &[], &[]);
        assert!(!at(&one, "2026-03-29T00:59:59Z") && !at(&two, "2026-03-29T00:59:59Z"));
        assert!(!at(&one, "2026-03-29T01:00:00Z") && at(&two, "2026-03-29T01:00:00Z"));
        assert!(!at(&two, "2026-03-29T02:00:00Z"));
        // 2026-10-25 01:00Z: from 02:00 back to 01:00, so the hour from 01:00 comes twice.
        assert!(!at(&one, "2026-10-24T23:59:59Z"));
        assert!(at(&one, "2026-10-25T00:00:00Z"), "the first time, in summer time");
        assert!(at(&one, "2026-10-25T01:00:00Z"), "the second time, in winter time");
        assert!(at(&one, "2026-10-25T01:59:59Z"));
        assert!(!at(&one, "2026-10-25T02:00:00Z") && at(&two, "2026-10-25T02:00:00Z"));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let friday_night = calendar("UTC", &["fri"], &["22:00-06:00"], &[], &[]);
        assert!(!at(&friday_night, "2026-01-09T21:59:59Z"));
        assert!(at(&friday_night, "2026-01-09T22:00:00Z"));
        assert!(at(&friday_night, "2026-01-10T05:59:59Z"), "Saturday morning");
        assert!(!at(&friday_night, "2026-01-10T06:00:00Z"));
        assert!(!at(&friday_night, "2026-01-09T03:00:00Z"), "the night of Thursday");
        assert!(!at(&friday_night, "2026-01-10T22:00:00Z"), "Saturday night");
    }

    #[test]
    fn days_and_months_may_pass_their_end() {
        let weekend = calendar("UTC", &["sat-mon"], &[], &[], &[]);
        assert!(at(&weekend, "2026-01-10T00:00:00Z"));
        assert!(at(&weekend, "2026-01-12T23:59:59Z"));
        assert!(!at(&weekend, "2026-01-13T00:00:00Z"));
        let winter = calendar("UTC", &[], &[], &[], &["nov-feb"]);
        assert!(at(&winter, "2026-11-01T00:00:00Z") && at(&winter, "2027-02-28T23:59:59Z"));
        assert!(!at(&winter, "2026-03-01T00:00:00Z") && !at(&winter, "2026-10-31T23:59:59Z"));
    }

    #[test]
    fn dates_are_of_one_year_or_of_every_year() {
        let dates = calendar("UTC", &[], &[], &["12-30..01-02", "2026-12-24..2026-12-26", "02-29"], &[]);
        for (utc, expected) in [
            ("2026-12-23T23:59:59Z", false),
            ("2026-12-24T00:00:00Z", true),
            ("2026-12-26T23:59:59Z", true),
            ("2026-12-27T00:00:00Z", false),
            ("2027-12-25T00:00:00Z", false),
            ("2026-12-30T00:00:00Z", true),
            ("2030-01-02T23:59:59Z", true),
            ("2030-01-03T00:00:00Z", false),
            ("2028-02-29T12:00:00Z", true),
            ("2027-03-01T00:00:00Z", false),
        ] {
            assert_eq!(at(&dates, utc), expected, "{utc}");
        }
    }

    #[test]
    fn the_whole_day_ends_at_24_00() {
        let day = calendar("UTC", &["mon"], &["00:00-24:00"], &[], &[]);
        assert!(at(&day, "2026-01-05T00:00:00Z") && at(&day, "2026-01-05T23:59:59Z"));
        assert!(!at(&day, "2026-01-06T00:00:00Z"));
    }

    #[test]
    fn a_second_outside_every_calendar_does_not_hold() {
        let always = Calendar::new("UTC").expect("zone");
        assert!(always.holds(0));
        assert!(!always.holds(i64::MAX) && !always.holds(i64::MIN));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(Calendar::new("Europe/Lodnon").expect_err("zone").contains("no time zone"));
        let mut calendar = Calendar::new("UTC").expect("zone");
        for text in ["8-18", "08:00", "08:00-18:60", "08:00-24:01", "8:00-18:00", "", "+8:00-18:00"] {
            assert!(calendar.add_hours(text).expect_err(text).contains("not a time span"), "{text}");
        }
        assert!(calendar.add_hours("08:00-08:00").expect_err("same").contains("whole day"));
        assert!(calendar.add_hours("24:00-08:00").expect_err("24").contains("begins at 24:00"));
        for text in ["2026-02-30", "13-01", "12-24..2026-12-26", "tomorrow", "1-1", "02-30", ""] {
            assert!(calendar.add_dates(text).expect_err(text).contains("not a date"), "{text}");
        }
        assert!(calendar.add_dates("2026-12-26..2026-12-24").expect_err("order").contains("ends before"));
        for text in ["mo", "weekdays", "mon-xyz", ""] {
            assert!(calendar.add_days(text).expect_err(text).contains("not a day"), "{text}");
        }
        assert!(calendar.add_months("13").expect_err("month").contains("not a month"));
    }
}
