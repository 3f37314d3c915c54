//! Why our answer and the C library's may differ: in groups only, and only where glibc is not as POSIX.

use std::collections::BTreeSet;

use super::Case;

/// `repetition`: a group that is repeated, or is in one that is. POSIX.1 §9.1: each repetition is the
/// longest that lets the rest match, and an empty one comes only where there is no other or where the
/// number asks for it. glibc takes shorter repetitions (`(.|.*){,2}` on `12`: `2`, not `12`), adds
/// empty ones after the last (`(1?){,2}` on `1`), and leaves out those that the number asks for
/// (`(1?){2,3}`). It also keeps, of an earlier repetition, what the last one has not.
///
/// `sequence`: POSIX.1 §9.1: of subpatterns in a row the earlier one is the longest. glibc takes the
/// first alternative that lets the rest match, as `^(1|12)(.*)` on `123`: `1`, not `12`.
pub(super) const NAMES: &[&str] = &["repetition", "sequence"];

/// The class, from the first group that differs; `None` when the difference is in none.
pub(super) fn of(case: &Case, ours: &str, theirs: &str) -> Option<&'static str> {
    let (ours, theirs) = (parts(ours)?, parts(theirs)?);
    if ours.len() != theirs.len() || ours[0] != theirs[0] {
        return None;
    }
    let group = (1..ours.len()).find(|group| ours[*group] != theirs[*group])?;
    if repeated(&case.ere).contains(&group) {
        Some("repetition")
    } else {
        (ours[group].len() > theirs[group].len()).then_some("sequence")
    }
}

fn parts(answer: &str) -> Option<Vec<&str>> {
    Some(answer.strip_prefix('<')?.strip_suffix('>')?.split("><").collect())
}

/// The groups that are repeated, and those in them.
fn repeated(ere: &str) -> BTreeSet<usize> {
    let bytes = ere.as_bytes();
    let (mut open, mut count, mut found) = (Vec::new(), 0, BTreeSet::new());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' => {
                let start = at + 1 + usize::from(bytes[at + 1] == b'^');
                let close = |from: usize| from + ere[from..].find(']').expect("it ends");
                at = close(start + 1);
                while bytes[at - 1] == b':' {
                    at = close(at + 1);
                }
            }
            b'(' => {
                count += 1;
                open.push(count);
            }
            b')' => {
                let group = open.pop().expect("it was opened");
                if matches!(bytes.get(at + 1), Some(b'*' | b'+' | b'?' | b'{')) {
                    found.extend(group..=count);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}
