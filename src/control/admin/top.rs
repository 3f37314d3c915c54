//! Outside. `GET /api/v1/top`: who calls most, what is called most.
//!
//! In:    `n`, how many of each list.
//! Out:   [`TopTold`]; or why nothing is counted.
//! Never: asks a loop.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};

use super::{
    Admin,
    answer::{Problem, told},
    query::pairs,
};
use crate::{
    control::mirror::{Top, TopTold},
    limits::{TOP_SHOWN_DEFAULT, TOP_SHOWN_MAX},
};

pub(super) async fn answer(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    told(of(&admin.top, query.as_deref().unwrap_or_default()))
}

fn of(top: &Top, query: &str) -> Result<TopTold, (StatusCode, Problem)> {
    let shown = shown(query).map_err(|why| (StatusCode::BAD_REQUEST, Problem::of(why)))?;
    top.told(shown).ok_or_else(|| {
        let why = "nothing is counted: set top: {sample: 32} in the configuration";
        (StatusCode::NOT_FOUND, Problem::of(why))
    })
}

fn shown(query: &str) -> Result<usize, String> {
    let mut shown = TOP_SHOWN_DEFAULT;
    for pair in pairs(query) {
        let (key, value) = pair?;
        if key != "n" {
            return Err(format!("there is no parameter \"{key}\", expected n"));
        }
        let number = value.parse().ok().filter(|number| (1..=TOP_SHOWN_MAX).contains(number));
        shown = number
            .ok_or_else(|| format!("n: found \"{value}\", expected a number from 1 to {TOP_SHOWN_MAX}"))?;
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_may_be_said() {
        assert_eq!(shown(""), Ok(TOP_SHOWN_DEFAULT));
        assert_eq!(shown("n=3"), Ok(3));
        assert_eq!(shown(&format!("n={TOP_SHOWN_MAX}")), Ok(TOP_SHOWN_MAX));
        for (query, expected) in [
            (format!("n={}", TOP_SHOWN_MAX + 1), "n: found \"101\", expected a number from 1 to 100"),
            ("n=0".to_owned(), "n: found \"0\", expected a number from 1 to 100"),
            ("n=x".to_owned(), "n: found \"x\", expected a number from 1 to 100"),
            ("m=1".to_owned(), "there is no parameter \"m\", expected n"),
        ] {
            assert_eq!(shown(&query).unwrap_err(), expected);
        }
    }

    #[test]
    fn what_is_not_counted_is_not_there() {
        let (status, problem) = of(&Top::new(None), "").unwrap_err();
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(serde_json::to_string(&problem).unwrap().contains("top: {sample: 32}"));
        assert_eq!(of(&Top::new(std::num::NonZeroU32::new(32)), "").unwrap().one_in, 32);
    }
}
