//! Pure. Near matches for names that are not known.

use std::fmt::Write as _;

/// `; did you mean …?` for the known name nearest to `name`, or nothing.
pub(super) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// The end of a message about a name that is not known: the nearest that is, and all that are. `lead`
/// introduces the latter: `the keys are`.
pub(super) fn instead<'k, I>(name: &str, known: impl Fn() -> I, lead: &str) -> String
where
    I: Iterator<Item = &'k str>,
{
    if known().next().is_none() {
        return "; none is defined".to_owned();
    }
    let (near, all) = (did_you_mean(name, known()), listed(known()));
    if near.is_empty() {
        return format!("; {lead} {all}");
    }
    let (first, rest) = lead.split_at_checked(1).unwrap_or_default();
    format!("{near} {}{rest} {all}", first.to_uppercase())
}

/// Names for a message, in code quotes; at most 24, then how many more.
pub(super) fn listed<'k>(names: impl IntoIterator<Item = &'k str>) -> String {
    const SHOWN: usize = 24;
    let mut text = String::new();
    let mut count = 0_usize;
    for name in names {
        count += 1;
        if count <= SHOWN {
            let _ = write!(text, "{}`{name}`", if count == 1 { "" } else { ", " });
        }
    }
    if count > SHOWN {
        let _ = write!(text, " and {} more", count - SHOWN);
    }
    text
}

fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Longer names are not typed, and the distance is quadratic.
    if name.is_empty() || name.len() > 64 {
        return None;
    }
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    let name = name.to_lowercase().replace('_', "-");
    known
        .into_iter()
        // A difference in length is a distance already, and quicker to see.
        .filter(|known| known.len() <= 64 && known.len().abs_diff(name.len()) <= allowed)
        .map(|known| (distance(&name, &known.to_lowercase().replace('_', "-")), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two names.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let cost = usize::from(x != y);
            let mut best = (row[j] + 1).min(last[j + 1] + 1).min(last[j] + cost);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_near_and_other_words_are_not() {
        let known = ["contacts", "contact", "contacts_max", "code"];
        for (name, near) in [
            ("conatcts", Some("contacts")),
            ("contcat", Some("contact")),
            ("contacts-max", Some("contacts_max")),
            ("Code", Some("code")),
            ("cod", Some("code")),
            ("body", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), near, "{name}");
        }
    }

    #[test]
    fn distances_are_counted() {
        for (a, b, count) in [("", "", 0), ("", "ab", 2), ("ab", "ba", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), count, "{a} {b}");
        }
    }
}
