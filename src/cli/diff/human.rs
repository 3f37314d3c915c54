//! Outside. A comparison for people.

use std::fmt::Write as _;

use crate::{
    cli::output::{Paint, shown},
    compare::{CallShown, ContactShown, Difference, Pair, Report, SideShown},
    control::diff::Compared,
};

/// Pairs of routes in the table; JSON has them all.
const PAIRS_SHOWN_MAX: usize = 20;

/// All of it.
pub(super) fn of(compared: &Compared, paint: Paint) -> String {
    let Compared { old, new, report } = compared;
    let mut page = Page { paint, text: String::new() };
    for (name, side) in [("old", old), ("new", new)] {
        let hash = side.hash.get(..12).unwrap_or(&side.hash);
        page.line(format_args!("{name}  {}, hash {hash}", counted(side.routes as u64, "route", "routes")));
    }
    page.read(report);
    page.causes(report);
    page.pairs(report);
    for difference in &report.shown {
        page.difference(difference);
    }
    let left_out = report.differing.saturating_sub(report.shown.len() as u64);
    if left_out > 0 {
        let calls = counted(left_out, "further call differs", "further calls differ");
        page.line(format_args!("\n{calls}; --limit N shows more"));
    }
    page.text
}

/// `1 route`, `2 routes`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

struct Page {
    paint: Paint,
    text: String,
}

impl Page {
    fn line(&mut self, line: impl std::fmt::Display) {
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn read(&mut self, report: &Report) {
        let mut line =
            format!("{} compared, {}", counted(report.calls, "call", "calls"), self.verdict(report));
        if report.asking_dns > 0 {
            let count = counted(report.asking_dns, "asks", "ask");
            let _ = write!(line, "; {count} DNS, compared as if it did not answer");
        }
        self.line(line);
        for passed in &report.passed_over {
            let count = counted(passed.packets, "packet", "packets");
            self.line(self.paint.dim(format_args!("passed over {count}: {}", passed.why)));
        }
        if report.skipped > 0 {
            let told = report.skipped_shown.len() as u64;
            let first = if told < report.skipped { format!(", the first {told}") } else { String::new() };
            self.line(format_args!("skipped {}, no call{first}:", counted(report.skipped, "line", "lines")));
        }
        for skipped in &report.skipped_shown {
            self.line(format_args!("  {}: {}", skipped.place, shown(skipped.why.as_bytes())));
        }
    }

    fn verdict(&self, report: &Report) -> String {
        match report.differing {
            0 => self.paint.good("none answered differently"),
            differing => self.paint.bad(format_args!("{differing} answered differently")),
        }
    }

    fn causes(&mut self, report: &Report) {
        self.line(format_args!("\n{:>10}  cause", "calls"));
        for (cause, calls) in report.causes.iter().filter(|(_, calls)| **calls > 0) {
            self.line(format_args!("{calls:>10}  {}", cause.name()));
        }
    }

    /// Only those that say something: the route or the answer is another.
    fn pairs(&mut self, report: &Report) {
        let tells = |pair: &&Pair| pair.differing > 0 || pair.old != pair.new;
        let pairs: Vec<&Pair> = report.routes.iter().filter(tells).collect();
        if pairs.is_empty() {
            return;
        }
        self.line(format_args!("\n{:>10}{:>10}  old route -> new route", "calls", "differ"));
        for pair in pairs.iter().take(PAIRS_SHOWN_MAX) {
            let way =
                if pair.old == pair.new { pair.old.clone() } else { format!("{} -> {}", pair.old, pair.new) };
            self.line(format_args!("{:>10}{:>10}  {}", pair.calls, pair.differing, shown(way.as_bytes())));
        }
        if pairs.len() > PAIRS_SHOWN_MAX {
            self.line(format_args!(
                "{:>10}{:>10}  {} more pairs; --json has all",
                "",
                "",
                pairs.len() - PAIRS_SHOWN_MAX
            ));
        }
    }

    fn difference(&mut self, difference: &Difference) {
        let Difference { call, cause, old, new } = difference;
        let CallShown { place, method, request_uri, source, .. } = call;
        let head =
            shown(format!("{place}: {method} {request_uri} from {source}: {}", cause.name()).as_bytes());
        let head = self.paint.bold(head);
        self.line(format_args!("\n{head}"));
        self.rows("route", &[route(old)], &[route(new)]);
        self.rows("status", &[status(old)], &[status(new)]);
        self.rows("contact", &contacts(old), &contacts(new));
        let headers = |side: &SideShown| -> Vec<String> {
            side.headers.iter().map(|header| format!("{}: {}", header.name, header.value)).collect()
        };
        self.rows("header", &headers(old), &headers(new));
        let body = |side: &SideShown| side.body.lines().map(str::to_owned).collect::<Vec<_>>();
        self.rows("body", &body(old), &body(new));
        self.rows("asks", &old.asks_dns, &new.asks_dns);
    }

    /// What both have at the start and end once, the rest of each under its own mark.
    fn rows(&mut self, what: &str, old: &[String], new: &[String]) {
        let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let (old_rest, new_rest) =
            (old.get(start..).unwrap_or_default(), new.get(start..).unwrap_or_default());
        let end =
            old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
        let split = |rest: &[String]| rest.len().saturating_sub(end);
        let (gone, tail) = old_rest.split_at_checked(split(old_rest)).unwrap_or_default();
        let come = new_rest.get(..split(new_rest)).unwrap_or_default();
        let both = old.get(..start).unwrap_or_default().iter();
        let rows = both
            .map(|row| (' ', row))
            .chain(gone.iter().map(|row| ('-', row)))
            .chain(come.iter().map(|row| ('+', row)))
            .chain(tail.iter().map(|row| (' ', row)));
        for (mark, row) in rows {
            let row = format!("  {mark} {what:<8} {}", shown(row.as_bytes()));
            let row = row.trim_end();
            let painted = match mark {
                '-' => self.paint.bad(row),
                '+' => self.paint.good(row),
                _ => row.to_owned(),
            };
            self.line(painted);
        }
    }
}

fn route(side: &SideShown) -> String {
    side.route.clone().unwrap_or_else(|| "(none)".to_owned())
}

fn status(side: &SideShown) -> String {
    match (side.status, side.silence) {
        (Some(status), _) => format!("{status} {}", side.reason),
        (None, why) => format!("no answer ({})", why.unwrap_or("?")),
    }
}

fn contacts(side: &SideShown) -> Vec<String> {
    let line = |contact: &ContactShown| {
        let ContactShown { uri, q, expires_s } = contact;
        let q = q.map(|q| format!("  q={q}")).unwrap_or_default();
        let expires = expires_s.map(|expires_s| format!("  expires={expires_s}")).unwrap_or_default();
        format!("{uri}{q}{expires}")
    };
    side.contacts.iter().map(line).collect()
}
