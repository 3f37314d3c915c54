//! stub
use super::Builder;
use crate::{
    numbers::Table,
    route::{Match, NumberTable, file::marks::At},
};
use std::sync::Arc;
impl Builder<'_> {
    pub(super) fn number_table(&mut self, _: At<'_>, name: &str, _: Arc<Table>) -> NumberTable {
        NumberTable::new(name, Match::Exact, Vec::new(), 0)
    }
}
