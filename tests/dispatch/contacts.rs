//! Contacts of answers, made in the ways that there are.

use waypost::{
    decide::Trace,
    route::{RouteTable, file},
};

use super::calls::Played;

/// Sees every Contact made step by step.
pub(crate) struct EachStep;

impl Trace for EachStep {
    const ON: bool = true;
}

/// The table of one route file; these are the rows of each table that it names.
pub(crate) fn table_of(text: &str, rows: &str) -> RouteTable {
    let source = file::Source { path: "routes.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let draft = file::parse(&[source]).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
    draft
        .build_from(&|_| Ok(rows.as_bytes().to_vec()))
        .unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"))
        .0
}

/// The first labels of the hosts of its Contacts that have a user.
pub(crate) fn hosts(played: &Played) -> Vec<&str> {
    let contact = played.answer.lines().find(|line| line.starts_with("Contact: ")).unwrap_or_default();
    contact.split('@').skip(1).filter_map(|uri| uri.split('.').next()).collect()
}
