//! Pure. `dip:` of a route.

use super::Builder;
use crate::route::{
    Dip, DipMark, NumberPattern,
    file::{
        marks::At,
        near::instead,
        written::{DipFormatWritten, DipWritten, NpdiWritten},
    },
};

impl Builder<'_> {
    pub(super) fn dip(&mut self, at: At<'_>, written: &DipWritten) -> Option<Dip> {
        let table = self.names.tables.find_or_say("table", "tables", &written.table.0);
        let table = self.findings.ok(&at.key("table").place(), table)?;
        if let Some(looked_up) = self.tables_looked_up.get_mut(table) {
            *looked_up = true;
        }
        let only = written.only.as_ref().map_or_else(Vec::new, |only| {
            self.each(at.key("only"), only, |text| NumberPattern::parse(&text.0))
        });
        let rn_at = if written.rn.is_some() { at.key("rn") } else { at.key("table") };
        let rn = self.column(rn_at, table, written.rn.as_ref().map_or("rn", |rn| rn.0.as_str()));
        let cic = match &written.cic {
            Some(cic) => Some(self.column(at.key("cic"), table, &cic.0)?),
            None => None,
        };
        let in_user = match written.format.unwrap_or_default() {
            DipFormatWritten::Parameter => false,
            DipFormatWritten::User => true,
        };
        let npdi = match written.npdi.unwrap_or_default() {
            NpdiWritten::Flag => Some(DipMark::Flag),
            NpdiWritten::Value => Some(DipMark::Yes),
            NpdiWritten::None => None,
        };
        if npdi.is_none() && !in_user {
            self.findings.warning(
                &at.key("npdi").place(),
                "`rn` without `npdi`: the next hop will look the number up again (RFC 4694 §5.2.1)",
            );
        }
        let rn_context = written.rn_context.as_ref().map(|context| context.0.as_str());
        if let Some(context) = rn_context.filter(|context| !is_context(context)) {
            let message = format!(
                "`{context}` is no context; expected `+` and digits, such as +44, or a domain (RFC 4694 §4)"
            );
            self.error(at.key("rn_context"), message);
        }
        if in_user && rn_context.is_some() {
            self.error(at.key("rn_context"), "`rn_context` goes with `format: parameter`");
        }
        Some(Dip {
            table,
            only,
            rn: rn?,
            cic,
            rn_context: rn_context.map(Into::into),
            in_user,
            npdi,
            not_found: self.next_or_code(at.key("not_found"), written.not_found.as_ref(), None),
            again: written.again,
        })
    }

    fn column(&mut self, at: At<'_>, table: usize, name: &str) -> Option<usize> {
        let columns: Vec<String> =
            self.table.tables.get(table).map_or_else(Vec::new, |table| {
                table.columns().iter().map(|column| column.to_string()).collect()
            });
        let found = columns.iter().position(|column| column == name);
        // A table that could not be read has none, and that was said.
        if found.is_none() && !columns.is_empty() {
            let known = || columns.iter().map(String::as_str);
            let rest = instead(name, known, "the columns of this table are");
            self.error(at, format!("no column `{name}`{rest}"));
        }
        found
    }
}

/// RFC 4694 §4: `rn-context` is a global number's beginning or a domain.
fn is_context(text: &str) -> bool {
    match text.strip_prefix('+') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(known)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_numbers_or_domains() {
        for (text, expected) in [
            ("+44", true),
            ("+1-212", false),
            ("example.com", true),
            ("+", false),
            ("", false),
            (".example.com", false),
            ("a;b", false),
        ] {
            assert_eq!(is_context(text), expected, "{text}");
        }
    }
}
