//! Outside. `GET /api/v1/rates`: what there was to do, second by second.
//!
//! In:    `since`, for those who have some seconds already.
//! Out:   the last minutes, the oldest second first.
//! Never: asks a loop.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Admin,
    answer::{Problem, told},
    query::pairs,
};
use crate::control::rates::Second;

/// The last minutes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Rates")]
pub(super) struct RatesTold {
    /// The oldest first.
    seconds: Vec<Second>,
}

pub(super) async fn answer(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let since = since(query.as_deref().unwrap_or_default());
    told(match since {
        Err(why) => Err((StatusCode::BAD_REQUEST, Problem::of(why))),
        Ok(since) => {
            let rates = admin.sampling.rates();
            Ok(RatesTold { seconds: rates.iter().filter(|second| second.unix_s > since).copied().collect() })
        }
    })
}

fn since(query: &str) -> Result<i64, String> {
    let mut since = i64::MIN;
    for pair in pairs(query) {
        let (key, value) = pair?;
        if key != "since" {
            return Err(format!("there is no parameter \"{key}\", expected since"));
        }
        let found = value.parse();
        since = found.map_err(|_| format!("since: found \"{value}\", expected seconds since 1970"))?;
    }
    Ok(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_may_be_said() {
        assert_eq!((since(""), since("since=1700000000")), (Ok(i64::MIN), Ok(1_700_000_000)));
        for (query, expected) in [
            ("since=now", "since: found \"now\", expected seconds since 1970"),
            ("from=1", "there is no parameter \"from\", expected since"),
        ] {
            assert_eq!(since(query).unwrap_err(), expected);
        }
    }
}
