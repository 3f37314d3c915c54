//! Pure. The route table: what a route file means.
//!
//! Flow: text → [`mod@file`] (as written, validated, diagnosed) → [`RouteTable`] (as meant, immutable).
//! [`crate::decide`] walks a [`RouteTable`]; nothing here decides.

pub mod calendar;
pub mod file;
pub mod number;
pub mod numbers;
pub mod pattern;
pub mod table;
pub mod template;

pub use calendar::Calendar;
pub use number::Normalisation;
pub use numbers::RowTarget;
pub use numbers::{Columns, Match, NumberTable, Row};
pub use pattern::{NumberPattern, TextPattern};
pub use table::*;
pub use template::{
    Names, Part, Template, UriTemplate, ValueOf, Values, push_param_escaped, push_user_escaped,
};
