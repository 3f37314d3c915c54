//! A routes directory for one test, loaded as the server loads it.

use std::{fs, io::Write as _, path::PathBuf, sync::Arc, time::Duration};

use waypost::{
    control::loader::{Load, LoadError, Loaded, Loader},
    numbers::Table,
    route::file::Diagnostic,
};

pub(crate) struct Directory {
    dir: tempfile::TempDir,
}

impl Directory {
    /// With a file `a.yaml` that has the table `t` as written, and with these data files.
    pub(crate) fn new(table: &str, files: &[(&str, &[u8])]) -> Self {
        let made = Self { dir: tempfile::tempdir().unwrap() };
        made.say(table);
        for (name, bytes) in files {
            made.write(name, bytes);
        }
        made
    }

    /// Writes the table anew.
    pub(crate) fn say(&self, table: &str) {
        let text = format!("tables:\n  t: {{ {table} }}\nroutes:\n  - when: {{ in: t }}\n    answer: 404\n");
        self.write("a.yaml", text.as_bytes());
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn loader(&self) -> Loader {
        Loader::new(self.dir.path())
    }

    /// Loads the table `t`, or all that is wrong with it, a line for each.
    pub(crate) fn table(&self) -> Result<(Arc<Table>, String), String> {
        load(&self.loader())
            .map(|loaded| (Arc::clone(loaded.table.tables[0].table()), shown(&loaded.warnings)))
    }

    pub(crate) fn errors(&self) -> String {
        self.table().expect_err("something is wrong")
    }

    pub(crate) fn warnings(&self) -> String {
        self.table().unwrap_or_else(|errors| panic!("{errors}")).1
    }
}

pub(crate) fn load(loader: &Loader) -> Result<Box<Loaded>, String> {
    match loader.load(None) {
        Ok(Load::New(loaded)) => Ok(loaded),
        Ok(Load::Same) => panic!("no hash was named"),
        Err(LoadError::Rejected { diagnostics, .. }) => Err(shown(&diagnostics)),
        Err(error) => Err(error.to_string()),
    }
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let line = |it: &Diagnostic| format!("{}:{}:{}: {}\n", it.file, it.line, it.column, it.message);
    diagnostics.iter().map(line).collect()
}

/// All rows, each with its cells, in the order of the table.
pub(crate) fn rows(table: &Table) -> Vec<String> {
    let mut rows = Vec::new();
    for entry in 0..u32::try_from(table.entries()).unwrap() {
        for row in table.rows_of(entry) {
            let cell = |column: usize| {
                let mut text = Vec::new();
                if table.shape().key.contain(column) {
                    table.key_of(entry, column, &mut text);
                } else {
                    text.extend_from_slice(table.value(row, column));
                }
                String::from_utf8(text).unwrap()
            };
            rows.push((0..table.shape().columns.len()).map(cell).collect::<Vec<_>>().join(","));
        }
    }
    rows
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Waits until a file that was just written counts as settled.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_millis(30));
}
