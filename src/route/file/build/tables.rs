//! Pure. `tables:` of all files; what reads their rows is [`super::super::tables`].

use std::sync::Arc;

use super::{Builder, DraftFile, ReadTable, with_roots};
use crate::{
    numbers::{self, KeyColumns, Kind, Shape, Table},
    route::file::{marks::At, tables, written::TableWritten},
};

impl Builder<'_> {
    pub(super) fn tables(&mut self, files: &[DraftFile], read: ReadTable<'_>) {
        for (file, root) in with_roots(files) {
            let section = root.key("tables");
            for (index, (name, written)) in file.written.tables.iter().flat_map(|it| &it.0).enumerate() {
                let at = section.entry(index).1;
                let table = self.read_table(at, name, written, read);
                let columns = table.as_ref().map(|table| table.shape().columns.to_vec());
                self.names.columns.borrow_mut().push(columns);
                // A table that could not be read keeps its place, so that the indices stay right.
                let empty = Shape { kind: Kind::Exact, columns: Vec::new(), key: KeyColumns::One(0) };
                let table = table.unwrap_or_else(|| Arc::new(numbers::Builder::new(empty).finish().table));
                let table = self.number_table(at, name, table);
                self.table.tables.push(table.of_file(&written.file.0));
            }
        }
    }

    fn read_table(
        &mut self,
        at: At<'_>,
        name: &str,
        written: &TableWritten,
        read: ReadTable<'_>,
    ) -> Option<Arc<Table>> {
        let spec =
            tables::of(at, name, written).map_err(|(place, why)| self.findings.error(&place, why)).ok()?;
        match read(&spec) {
            Ok((table, warnings)) => {
                self.findings.add(warnings);
                if table.rows() == 0 {
                    let message = format!("`{}` has no rows", written.file.0);
                    self.findings.warning(&at.key("file").place(), message);
                }
                Some(table)
            }
            Err(errors) => {
                self.findings.add(errors);
                None
            }
        }
    }
}
