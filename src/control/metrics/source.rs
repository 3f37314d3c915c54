//! Outside. What is known of the source of the route files, as metric families.
//!
//! In:    its numbers.
//! Out:   one family for each entry of the catalogue.

use prometheus::proto::MetricFamily;

use super::collect::{family, float, single};
use crate::control::source::{Numbers, Outcome};

/// All families of one source.
pub(super) fn families(numbers: &Numbers) -> [MetricFamily; 4] {
    let seconds = |unix_s: i64| float(u64::try_from(unix_s).unwrap_or_default());
    let counts = Outcome::ALL.iter().zip(numbers.counts);
    [
        single(&super::SOURCE_SERIAL, float(numbers.serial)),
        single(&super::SOURCE_PUBLISHED_TIMESTAMP, seconds(numbers.published_unix_s)),
        single(&super::SOURCE_SUCCESS_TIMESTAMP, seconds(numbers.success_unix_s)),
        family(&super::SOURCE_FETCHES, counts.map(|(outcome, count)| (vec![outcome.label()], float(count)))),
    ]
}
