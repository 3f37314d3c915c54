//! Pure. The route table: what a route file means.
//!
//! Flow: text → [`mod@file`] (as written, validated, diagnosed) → [`RouteTable`] (as meant, immutable).
//! [`crate::decide`] walks a [`RouteTable`]; nothing here decides.

pub mod calendar;
pub mod certificate;
pub mod decimal;
pub mod deck;
pub mod dispatch;
pub mod down;
pub mod file;
pub mod fixed;
pub mod health;
pub mod number;
pub mod numbers;
pub mod pattern;
pub mod sealed;
pub mod table;
pub mod template;

pub use calendar::Calendar;
pub use certificate::CertificatePattern;
pub use decimal::micro_of;
pub use deck::Offer;
pub use dispatch::Dispatch;
pub use down::Down;
pub use fixed::{ContactsOfColumn, FixedContact, is_plain_number};
pub use health::{AliveCodes, Health};
pub use number::Normalisation;
pub use numbers::{Meaning, NumberTable, Row, RowTarget, Terms};
pub use pattern::{NumberPattern, TextPattern};
pub use sealed::{SealedContacts, q_text};
pub use table::*;
pub use template::{
    FixedParts, Names, NumberIn, Part, Template, UriTemplate, ValueOf, Values, push_param_escaped,
    push_user_escaped,
};
