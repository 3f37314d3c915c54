//! A file of calls: numbers, and what a table has for each.

use std::fs::read_to_string;

/// Calls that are remembered.
const CALLS_MAX: usize = 10_000_000;

/// A list of calls, and what is right for them.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    list: Vec<(String, Option<String>)>,
    found: String,
    missed: Option<String>,
}

/// What a call is, and what must come back.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) uri: String,
    pub(crate) status: u16,
    pub(crate) contact: Option<String>,
}

impl Calls {
    /// `text` has a number and a value, or a number and nothing, to a line.
    pub(crate) fn new(text: &str, found: String, missed: Option<String>) -> Result<Self, String> {
        let mut list = Vec::new();
        for (line, row) in (1..).zip(text.lines()) {
            let (number, value) =
                row.split_once(',').ok_or_else(|| format!("line {line}: expected NUMBER,VALUE: {row}"))?;
            list.push((number.to_owned(), (!value.is_empty()).then(|| value.to_owned())));
            if list.len() > CALLS_MAX {
                return Err(format!("more than {CALLS_MAX} calls"));
            }
        }
        if list.is_empty() {
            return Err("no calls".to_owned());
        }
        Ok(Self { list, found, missed })
    }

    pub(crate) fn read(file: &str, found: String, missed: Option<String>) -> Result<Self, String> {
        let text = read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
        Self::new(&text, found, missed).map_err(|error| format!("{file}: {error}"))
    }

    /// The call with this number; after the last one they go round.
    pub(crate) fn get(&self, number: u64) -> Call {
        let (called, value) = &self.list[(number % self.list.len() as u64) as usize];
        let uri = format!("sip:{called}@example.net");
        let contact = match value {
            Some(value) => Some(self.found.replace("{n}", called).replace("{v}", value)),
            None => self.missed.as_ref().map(|contact| contact.replace("{n}", called)),
        };
        Call { uri, status: if contact.is_some() { 302 } else { 404 }, contact }
    }
}
