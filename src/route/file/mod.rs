//! Pure. Route files: text to [`RouteTable`], or every error with its file, line and column.
//!
//! Two steps, for the loader outside reads files and this ring does not: [`parse`] says which data
//! files the tables need, and their rows go through a [`TableReader`]; [`Draft::build`] makes the whole of them.
//!
//! Inside, four: `marks` reads YAML with the place of every value; `shape` compares it with the JSON
//! Schema (keys, kinds, ranges: every mistake, not only the first); `serde_yaml` makes the as-written
//! types of it, which cannot fail any more; `build` resolves names and compiles patterns.

mod access;
mod build;
mod findings;
mod marks;
mod near;
mod scalar;
mod schema;
mod shape;
mod tables;
#[cfg(test)]
mod tests;
mod when;
mod written;

use std::{collections::BTreeSet, sync::Arc};

use super::{Place, RouteTable};
use crate::{
    limits::{ROUTE_FILE_BYTES_MAX, ROUTE_FILES_MAX},
    numbers::Table,
};

use build::names::NameIndex;
use findings::Findings;
use marks::{At, Tree};
pub use schema::schema;
pub use tables::{ChangesReader, TableReader, TableSpec, open_compiled};
use written::FileWritten;

/// One file: path as it is to be shown, and its bytes.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Source {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// Something wrong in a file: what, where, what was expected, what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[allow(missing_docs)]
pub struct Diagnostic {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub severity: Severity,
    pub message: String,
}

/// Whether a file with this finding is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    Error,
    Warning,
}

/// Route files that are right as far as they can be judged without the data files.
#[derive(Debug)]
pub struct Draft {
    files: Vec<DraftFile>,
    names: NameIndex,
    findings: Findings,
}

#[derive(Debug)]
struct DraftFile {
    path: String,
    tree: Tree,
    written: FileWritten,
}

impl DraftFile {
    /// The whole of the file; `None` when there is nothing in it.
    fn root(&self) -> Option<At<'_>> {
        At::root(&self.path, &self.tree)
    }
}

/// Reads all route files together, in the order given.
pub fn parse(sources: &[Source]) -> Result<Draft, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let schema = schema();
    if let Some(first_beyond) = sources.get(ROUTE_FILES_MAX) {
        let message = format!(
            "{} route files, of which this is one too many; expected at most {ROUTE_FILES_MAX}",
            sources.len()
        );
        findings.error(&start_of(&first_beyond.path), message);
    }
    let files: Vec<_> = sources
        .iter()
        .take(ROUTE_FILES_MAX)
        .filter_map(|source| read(source, &schema, &mut findings))
        .collect();
    let names = if findings.has_errors() {
        // Half the names would make errors of the other half.
        NameIndex::default()
    } else {
        NameIndex::of(&files, &mut findings)
    };
    if findings.has_errors() {
        let paths: Vec<String> = sources.iter().map(|source| source.path.clone()).collect();
        return Err(findings.finish(&paths).err().unwrap_or_default());
    }
    Ok(Draft { files, names, findings })
}

fn start_of(path: &str) -> Place {
    Place { file: path.into(), line: 1, column: 1 }
}

fn read(source: &Source, schema: &serde_json::Value, findings: &mut Findings) -> Option<DraftFile> {
    let path = source.path.clone();
    let start = start_of(&path);
    if source.bytes.len() > ROUTE_FILE_BYTES_MAX {
        let message = format!(
            "the file has {} bytes; expected at most {ROUTE_FILE_BYTES_MAX}; put numbers into a table (`tables:`)",
            source.bytes.len()
        );
        findings.error(&start, message);
        return None;
    }
    // What an editor leaves for a moment before it writes, and a full disk for longer: taken as it is, it would take
    // the routes of the file out of service.
    if source.bytes.is_empty() {
        findings.error(&start, NO_BYTES);
        return None;
    }
    let text = match std::str::from_utf8(&source.bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            findings.error(&place_of_byte(&path, &source.bytes, error.valid_up_to()), NOT_UTF8);
            return None;
        }
    };
    let tree = match marks::read(text) {
        Ok(tree) => tree,
        Err(faults) => {
            for marks::Fault { line, column, message } in faults {
                findings.error(&Place { file: path.clone().into(), line, column }, message);
            }
            return None;
        }
    };
    let Some(root) = At::root(&path, &tree).filter(|root| root.text() != Some("")) else {
        // One whose routes are all commented out says so itself.
        if text.trim().is_empty() {
            findings.warning(&start, "the file is empty");
        }
        return Some(DraftFile { path, tree: Tree::default(), written: FileWritten::default() });
    };
    let mut shape = Findings::default();
    shape::check(root, schema, &mut shape);
    let sound = !shape.has_errors();
    findings.append(shape);
    if !sound {
        return None;
    }
    match serde_yaml::from_str(text) {
        Ok(written) => Some(DraftFile { path, tree, written }),
        Err(error) => {
            let (line, column) =
                error.location().map_or((1, 1), |location| (location.line(), location.column()));
            let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
            let place = Place { file: path.into(), line: number(line), column: number(column) };
            findings
                .error(&place, format!("YAML that cannot be read: {}", without_places(&error.to_string())));
            None
        }
    }
}

/// A message of the YAML library without its places: the finding has one.
fn without_places(message: &str) -> String {
    let mut parts = message.split(" at line ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // What is left of `2 column 21, while scanning an anchor`.
        let is_of_place = |c: char| c.is_ascii_digit() || " column".contains(c);
        text.push_str(part.trim_start_matches(is_of_place));
    }
    text
}

const NO_BYTES: &str = "the file has no bytes: is it being written, or was the disk full? Write its routes, put a comment into it, or delete it";

const NOT_UTF8: &str = "a byte here is not UTF-8; save the file as UTF-8";

fn place_of_byte(path: &str, bytes: &[u8], at: usize) -> Place {
    let before = bytes.get(..at).unwrap_or_default();
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Place { file: path.into(), line: number(line), column: number(column) }
}

impl Draft {
    /// The tables whose files are to be read, in the order in which [`Draft::build`] asks for them.
    #[must_use]
    pub fn tables(&self) -> Vec<TableSpec> {
        self.tables_written().filter_map(|(_, spec)| spec.ok()).collect()
    }

    /// The table of this name, or what is wrong with what is written of it.
    pub fn table(&self, name: &str) -> Result<TableSpec, Vec<Diagnostic>> {
        if let Some((_, spec)) = self.tables_written().find(|(written, _)| *written == name) {
            return spec.map_err(|(place, message)| vec![tables::error_at(&place, message)]);
        }
        let names = || self.tables_written().map(|(name, _)| name);
        let rest = near::instead(name, names, "defined under `tables:` are");
        let path = self.files.first().map_or("", |file| &file.path);
        Err(vec![tables::error_at(&start_of(path), format!("no table `{name}`{rest}"))])
    }

    fn tables_written(&self) -> impl Iterator<Item = (&str, Result<TableSpec, (Place, String)>)> {
        let sections =
            self.files.iter().filter_map(|file| Some((file.root()?, file.written.tables.as_ref()?)));
        sections.flat_map(|(root, tables)| {
            let section = root.key("tables");
            tables.0.iter().enumerate().map(move |(index, (name, written))| {
                (name.as_str(), tables::of(section.entry(index).1, name, written))
            })
        })
    }

    /// Paths of the data files, as written, relative to the routes directory.
    #[must_use]
    pub fn data_files(&self) -> Vec<String> {
        let (tables, lists) = (self.tables(), self.access_files());
        let lists = lists.iter().map(String::as_str);
        let paths: BTreeSet<&str> = tables.iter().flat_map(TableSpec::files).chain(lists).collect();
        paths.into_iter().map(str::to_owned).collect()
    }

    /// Builds the table of routes. `read` gives the table of each of [`Draft::tables`], or what is wrong with its
    /// files; `text` the bytes of each of [`Draft::access_files`], or why they could not be read. Warnings come with
    /// the table.
    pub fn build(
        self,
        read: &mut dyn FnMut(&TableSpec) -> TableOutcome,
        text: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<(RouteTable, Vec<Diagnostic>), Vec<Diagnostic>> {
        build::build(self, read, text)
    }

    /// The same from files that are in memory: `data` gives the bytes of a path named by [`Draft::data_files`],
    /// or why it could not be read.
    pub fn build_from(
        self,
        data: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<(RouteTable, Vec<Diagnostic>), Vec<Diagnostic>> {
        self.build(&mut |spec| tables::from_memory(spec, data), data)
    }
}

/// A number table with warnings, or what is wrong with its files.
pub type TableOutcome = Result<(Arc<Table>, Vec<Diagnostic>), Vec<Diagnostic>>;
