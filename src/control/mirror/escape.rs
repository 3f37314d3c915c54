//! Outside. Bytes of a stranger, for a line of the log.
//!
//! In:    any bytes.
//! Out:   printable ASCII without space, quote and backslash: all others as `\xHH`, so that no byte ends the line,
//!        begins a field, moves a cursor or colours a terminal, and each text has one reading.
//! Never: writes more than [`DECISION_VALUE_BYTES_MAX`] of them.

use std::fmt::{self, Write as _};

use crate::limits::DECISION_VALUE_BYTES_MAX;

/// Shows bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped<'a>(pub(super) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().take(DECISION_VALUE_BYTES_MAX) {
            match byte {
                b'"' | b'\\' => write!(f, "\\x{byte:02x}")?,
                0x21..=0x7e => f.write_char(char::from(*byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        if self.0.len() > DECISION_VALUE_BYTES_MAX { f.write_str("...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_harmless_form() {
        let mut forms = std::collections::BTreeSet::new();
        for byte in 0..=u8::MAX {
            let form = Escaped(&[byte]).to_string();
            assert!(form.bytes().all(|b| b.is_ascii_graphic() && b != b'"'), "{form}");
            assert!(form.len() == 4 && form.starts_with("\\x") || form.as_bytes() == [byte], "{form}");
            assert!(forms.insert(form));
        }
        assert_eq!(
            Escaped(b"a\x1b[31m\"b\" c\\\r\n\xff").to_string(),
            r"a\x1b[31m\x22b\x22\x20c\x5c\x0d\x0a\xff"
        );
    }

    #[test]
    fn a_long_value_is_cut() {
        let whole = [b'x'; DECISION_VALUE_BYTES_MAX];
        assert_eq!(Escaped(&whole).to_string().len(), DECISION_VALUE_BYTES_MAX);
        let longer = [b'x'; DECISION_VALUE_BYTES_MAX + 1];
        assert_eq!(Escaped(&longer).to_string(), format!("{}...", "x".repeat(DECISION_VALUE_BYTES_MAX)));
    }
}
