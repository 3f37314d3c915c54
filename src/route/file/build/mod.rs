//! Pure. As written to as meant: names become indices, texts become patterns and templates.
//!
//! In:    the drafts of all files, the number tables.
//! Out:   the route table with warnings, or every error.

mod access;
mod answers;
mod codes;
mod conditions;
mod contacts;
mod defaults;
mod dips;
mod enums;
mod gateways;
mod health;
mod lists;
pub(super) mod names;
mod normalisations;
mod resolve;
mod routes;
mod settings;
mod tables;

use std::collections::{BTreeSet, HashMap};

use super::{
    Diagnostic, Draft, DraftFile, TableOutcome, TableSpec, findings::Findings, marks::At, near::instead,
};
use crate::route::{Place, RouteTable, Template, UriTemplate, template::ValueOf};
use names::NameIndex;

/// Gives the number table that is wanted.
type ReadTable<'d> = &'d mut dyn FnMut(&TableSpec) -> TableOutcome;

/// Gives the bytes of a file, or says why it cannot be read.
type ReadText<'d> = &'d dyn Fn(&str) -> Result<Vec<u8>, String>;

pub(super) fn build(
    draft: Draft,
    read: ReadTable<'_>,
    text: ReadText<'_>,
) -> Result<(RouteTable, Vec<Diagnostic>), Vec<Diagnostic>> {
    let Draft { files, names, findings } = draft;
    let mut builder = Builder {
        names: &names,
        findings,
        table: RouteTable::default(),
        values_used: Vec::new(),
        vars_set: BTreeSet::new(),
        params_set: BTreeSet::new(),
        tables_looked_up: vec![false; names.tables.names().count()],
        route_places: HashMap::new(),
        health: health::Defaults::of(&files),
        probed: 0,
    };
    builder.defaults(&files);
    builder.access(&files, text);
    builder.normalisations(&files);
    builder.tables(&files, read);
    builder.gateways(&files);
    builder.groups(&files);
    builder.lists(&files);
    builder.check_values();
    builder.check_unused();
    let Builder { findings, mut table, .. } = builder;
    let paths: Vec<String> = files.into_iter().map(|file| file.path).collect();
    let warnings = findings.finish(&paths)?;
    table.seal();
    Ok((table, warnings))
}

struct Builder<'n> {
    names: &'n NameIndex,
    findings: Findings,
    table: RouteTable,
    /// Variables and columns that templates name, to be compared with what routes set and look up.
    values_used: Vec<(ValueOf, Place)>,
    vars_set: BTreeSet<String>,
    params_set: BTreeSet<Box<str>>,
    tables_looked_up: Vec<bool>,
    /// Where each route name was first given.
    route_places: HashMap<String, Place>,
    /// What holds for the probes of gateways that say nothing.
    health: health::Defaults,
    /// Gateways that are probed.
    probed: usize,
}

impl Builder<'_> {
    fn error(&mut self, at: At<'_>, message: impl Into<String>) {
        self.findings.error(&at.place(), message);
    }

    fn template(&mut self, at: At<'_>, text: &str) -> Option<Template> {
        let template = self.findings.ok(&at.place(), Template::parse(text, self.names))?;
        self.note_values(template.values(), at);
        Some(template)
    }

    fn uri_template(&mut self, at: At<'_>, text: &str) -> Option<UriTemplate> {
        let template = self.findings.ok(&at.place(), UriTemplate::parse(text, self.names))?;
        self.note_values(template.values(), at);
        Some(template)
    }

    fn note_values<'v>(&mut self, values: impl Iterator<Item = &'v ValueOf>, at: At<'_>) {
        for value in values.filter(|value| matches!(value, ValueOf::Var(_) | ValueOf::Column(..))) {
            self.values_used.push((value.clone(), at.place()));
        }
    }

    /// A template whose value is never there never renders: a mistake for certain.
    fn check_values(&mut self) {
        for (value, place) in std::mem::take(&mut self.values_used) {
            match value {
                ValueOf::Var(name) if !self.vars_set.contains(&*name) => {
                    let known = || self.vars_set.iter().map(String::as_str);
                    let full = self.findings.is_full();
                    let rest = if full {
                        String::new()
                    } else {
                        instead(&name, known, "routes set (`set: { var: … }`)")
                    };
                    let message = format!("`{{var.{name}}}` is never set{rest}");
                    self.findings.error(&place, message);
                }
                ValueOf::Column(table, _) if self.tables_looked_up.get(table) == Some(&false) => {
                    let name = self.names.tables.names().nth(table).unwrap_or_default();
                    let message = format!(
                        "a column of the table `{name}` is named here, but no route looks anything up in it; \
                         add `when: {{ in: {name} }}` to this route or one before it"
                    );
                    self.findings.error(&place, message);
                }
                _ => {}
            }
        }
    }

    fn check_unused(&mut self) {
        let sections = [
            (&self.names.numbers, "normalisation"),
            (&self.names.gateways, "gateway"),
            (&self.names.groups, "group"),
            (&self.names.tables, "table"),
            (&self.names.lists, "list"),
        ];
        for (section, kind) in sections {
            for (name, place) in section.unused() {
                self.findings.warning(place, format!("the {kind} `{name}` is never used"));
            }
        }
    }
}

/// The files with something in them.
fn with_roots(files: &[DraftFile]) -> impl Iterator<Item = (&DraftFile, At<'_>)> {
    files.iter().filter_map(|file| Some((file, file.root()?)))
}
