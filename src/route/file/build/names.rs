//! Pure. Names of all files: what they stand for, where they were defined, whether they are used.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use crate::{
    access::{AccessId, UNKNOWN},
    limits::{ACCESS_LISTS_MAX, DIAGNOSTICS_MAX, GATEWAYS_MAX, TABLES_MAX},
    route::{
        GatewayId, GroupId, NormalisationId, Place, TableId,
        file::{DraftFile, findings::Findings, marks::At, near::instead},
        template::Names,
    },
};

/// Longest name, in bytes: they are shown in metrics and traces.
const NAME_BYTES_MAX: usize = 64;

/// Names that templates give another meaning before a dot: `{from.number}`.
const VALUE_FAMILIES: [&str; 6] = ["user", "from", "pai", "param", "header", "var"];

/// The names of one section.
#[derive(Debug, Default)]
pub(in crate::route::file) struct Section {
    ids: HashMap<String, usize>,
    entries: Vec<Entry>,
    /// Names looked for and not found.
    misses: Cell<usize>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    place: Place,
    used: Cell<bool>,
}

impl Section {
    /// The index of a name, which counts as used from here on.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let id = *self.ids.get(name)?;
        if let Some(entry) = self.entries.get(id) {
            entry.used.set(true);
        }
        Some(id)
    }

    /// The same, or a message that names what there is.
    pub(super) fn find_or_say(&self, kind: &str, section: &str, name: &str) -> Result<usize, String> {
        self.find(name).ok_or_else(|| {
            format!("no {kind} `{name}`{}", self.rest(name, &format!("defined under `{section}:` are")))
        })
    }

    /// Near matches and all names; nothing any more after so many misses that no message is shown,
    /// for a long file of wrong names would be compared with every right one.
    fn rest(&self, name: &str, lead: &str) -> String {
        let misses = self.misses.get();
        self.misses.set(misses.saturating_add(1));
        if misses > 2 * DIAGNOSTICS_MAX { String::new() } else { instead(name, || self.names(), lead) }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    pub(super) fn place(&self, id: usize) -> Place {
        self.entries.get(id).map(|entry| entry.place.clone()).unwrap_or_default()
    }

    pub(super) fn unused(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.entries.iter().filter(|entry| !entry.used.get()).map(|entry| (entry.name.as_str(), &entry.place))
    }

    fn add(&mut self, kind: &str, name: &str, at: At<'_>, findings: &mut Findings) {
        let place = at.place();
        if let Some(fault) = name_fault(name) {
            findings.error(&place, format!("the name of the {kind} `{name}` {fault}"));
        }
        if let Some(&first) = self.ids.get(name) {
            let first = self.place(first);
            findings.error(
                &place,
                format!("the {kind} `{name}` is defined twice; the first is at {}", shown(&first)),
            );
            return;
        }
        self.ids.insert(name.to_owned(), self.entries.len());
        self.entries.push(Entry { name: name.to_owned(), place, used: Cell::new(false) });
    }
}

/// Why a text is not a name; the sentence lacks its subject.
fn name_fault(name: &str) -> Option<String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Some(format!("has {} bytes; expected 1 to {NAME_BYTES_MAX}", name.len()));
    }
    let odd = name.chars().find(|&char| !char.is_ascii() || !known(char as u8))?;
    Some(format!("holds `{odd}`; expected letters, digits, `-` and `_`"))
}

/// A place as messages show it.
pub(super) fn shown(place: &Place) -> String {
    format!("{}:{}:{}", place.file, place.line, place.column)
}

/// All names.
#[derive(Debug, Default)]
pub(in crate::route::file) struct NameIndex {
    pub(super) numbers: Section,
    pub(super) gateways: Section,
    pub(super) groups: Section,
    pub(super) tables: Section,
    pub(super) lists: Section,
    pub(super) access: Section,
    /// Columns of each table; `None` for one that could not be read, of which any column is believed
    /// so that one mistake is not reported as many.
    pub(super) columns: RefCell<Vec<Option<Vec<Box<str>>>>>,
}

/// What the name of a target stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetName {
    Gateway(GatewayId),
    Group(GroupId),
}

impl NameIndex {
    /// Collects the names of all files; notes those defined twice.
    pub(in crate::route::file) fn of(files: &[DraftFile], findings: &mut Findings) -> Self {
        let mut names = Self::default();
        for (file, root) in files.iter().filter_map(|file| Some((file, file.root()?))) {
            let written = &file.written;
            // A macro would hide that these are six sections of six types.
            let mut add = |section: &mut Section, kind: &str, key: &str, defined: Vec<&str>| {
                let map = root.key(key);
                for (index, name) in defined.into_iter().enumerate() {
                    section.add(kind, name, map.entry(index).0, findings);
                }
            };
            add(&mut names.numbers, "normalisation", "numbers", keys(written.numbers.as_ref()));
            add(&mut names.gateways, "gateway", "gateways", keys(written.gateways.as_ref()));
            add(&mut names.groups, "group", "groups", keys(written.groups.as_ref()));
            add(&mut names.tables, "table", "tables", keys(written.tables.as_ref()));
            add(&mut names.lists, "list", "lists", keys(written.lists.as_ref()));
            add(&mut names.access, "access list", "access", keys(written.access.as_ref()));
        }
        names.check_clashes(findings);
        names
    }

    fn check_clashes(&self, findings: &mut Findings) {
        for group in &self.groups.entries {
            if let Some(&gateway) = self.gateways.ids.get(&group.name) {
                let first = shown(&self.gateways.place(gateway));
                let message = format!(
                    "the group `{}` has the name of a gateway ({first}); answers name both alike, so rename one",
                    group.name
                );
                findings.error(&group.place, message);
            }
        }
        for table in self.tables.entries.iter().filter(|table| VALUE_FAMILIES.contains(&table.name.as_str()))
        {
            let message = format!(
                "a table cannot be named `{0}`: `{{{0}.…}}` means something else in templates; rename it",
                table.name
            );
            findings.error(&table.place, message);
        }
        for numbers in self.numbers.entries.iter().filter(|numbers| numbers.name == "digits") {
            findings.error(
                &numbers.place,
                "a normalisation cannot be named `digits`: `{number|digits}` means something else; rename it",
            );
        }
        for list in self.access.entries.iter().filter(|list| list.name == UNKNOWN) {
            findings.error(
                &list.place,
                "an access list cannot be named `unknown`: so are called the sources that no list names; rename it",
            );
        }
        for list in self.lists.entries.iter().filter(|list| list.name == "routes") {
            findings.error(&list.place, "a list cannot be named `routes`: that is the main one; rename it");
        }
        for (section, kind, most) in [
            (&self.gateways, "gateways", GATEWAYS_MAX),
            (&self.tables, "tables", TABLES_MAX),
            (&self.access, "access lists", ACCESS_LISTS_MAX),
        ] {
            if let Some(beyond) = section.entries.get(most) {
                let count = section.entries.len();
                findings.error(&beyond.place, format!("{count} {kind} in all; expected at most {most}"));
            }
        }
    }

    /// The access list of this name, or a message that names what there is.
    pub(super) fn access_list(&self, name: &str) -> Result<AccessId, String> {
        match name {
            UNKNOWN if !self.access.entries.is_empty() => Ok(self.access.entries.len()),
            _ => self.access.find_or_say("access list", "access", name),
        }
    }

    /// The gateway or group of this name, or a message that names what there is.
    pub(super) fn target(&self, name: &str) -> Result<TargetName, String> {
        if let Some(gateway) = self.gateways.find(name) {
            return Ok(TargetName::Gateway(gateway));
        }
        if let Some(group) = self.groups.find(name) {
            return Ok(TargetName::Group(group));
        }
        let misses = self.gateways.misses.get();
        self.gateways.misses.set(misses.saturating_add(1));
        if misses > 2 * DIAGNOSTICS_MAX {
            return Err(format!("no gateway or group `{name}`"));
        }
        let known = || self.gateways.names().chain(self.groups.names());
        let uri = if name.contains('.') { "; a URI begins with sip:" } else { "" };
        Err(format!("no gateway or group `{name}`{uri}{}", instead(name, known, "defined are")))
    }

    /// The index of a column.
    pub(super) fn column_of(&self, table: TableId, column: &str) -> Option<usize> {
        match self.columns.borrow().get(table)? {
            Some(columns) => columns.iter().position(|known| **known == *column),
            None => Some(0),
        }
    }
}

fn keys<T>(section: Option<&super::super::scalar::Named<T>>) -> Vec<&str> {
    section.map(|section| section.0.iter().map(|(name, _)| name.as_str()).collect()).unwrap_or_default()
}

impl Names for NameIndex {
    fn column(&self, table: &str, column: &str) -> Option<(TableId, usize)> {
        // Not a use: only `in` and `lcr` read rows.
        let id = *self.tables.ids.get(table)?;
        Some((id, self.column_of(id, column)?))
    }

    fn normalisation(&self, name: &str) -> Option<NormalisationId> {
        self.numbers.find(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_two_signs() {
        assert_eq!(name_fault("lon-1_B"), None);
        assert_eq!(name_fault(&"x".repeat(NAME_BYTES_MAX)), None);
        for name in ["", "a.b", "a b", "ä", "a:b", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert!(name_fault(name).is_some(), "{name}");
        }
    }
}
