//! Outside. What stands behind the `?` of a request.
//!
//! In:    the query as it came.
//! Out:   keys and values, decoded; or a sentence.
//! Never: knows which keys there are.

use crate::sip::decoded;

/// Each key with its value.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = Result<(&str, String), String>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = String::from_utf8(decoded(value.as_bytes()).collect());
        value.map(|value| (key, value)).map_err(|_| format!("{key} is not UTF-8"))
    })
}

/// A number up to `max`.
pub(super) fn number(key: &str, value: &str, max: usize) -> Result<usize, String> {
    let number = value.parse().ok().filter(|number| *number <= max);
    number.ok_or_else(|| format!("{key}: found \"{value}\", expected a number from 0 to {max}"))
}
