//! Pure. The replacement of a substitution expression (RFC 3402 §3.2): text, with groups of the match in it.

use memchr::memchr;

use super::ere::Groups;
use crate::sip::Writer;

/// The replacement of an expression.
#[derive(Debug)]
pub(super) struct Replacement {
    text: Box<[u8]>,
    form: Form,
}

/// What is in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Itself.
    Plain,
    /// One group, `\1` to `\9`, and nothing else that is escaped.
    OneGroup { at: u8, group: u8 },
    /// More than that.
    Escaped,
}

impl Replacement {
    pub(super) fn read(text: &[u8]) -> Self {
        Self { text: text.into(), form: Form::of(text) }
    }

    /// Writes it to the start of `out`, with the groups of a match in `subject`.
    pub(super) fn fill<'o>(&self, groups: &Groups, subject: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
        let mut writer = Writer::new(out);
        match self.form {
            Form::Plain => writer.put(&self.text),
            Form::OneGroup { at, group } => {
                let (before, behind) = self.around(at)?;
                writer.put_all([before, groups.get(group.into(), subject)?, behind]);
            }
            Form::Escaped => self.fill_escaped(groups, subject, &mut writer)?,
        }
        let len = writer.finish()?;
        out.get(..len)
    }

    /// The same with a digit for the group, and where that is; `None` where more is escaped.
    pub(super) fn with_digit(&self) -> Option<(Vec<u8>, Option<usize>)> {
        match self.form {
            Form::Plain => Some((self.text.to_vec(), None)),
            Form::OneGroup { at, .. } => {
                let (before, behind) = self.around(at)?;
                Some(([before, b"0", behind].concat(), Some(before.len())))
            }
            Form::Escaped => None,
        }
    }

    /// Memory taken, in bytes, besides its own.
    pub(super) fn heap_bytes(&self) -> usize {
        self.text.len()
    }

    /// What stands before and behind the two bytes of a group.
    fn around(&self, at: u8) -> Option<(&[u8], &[u8])> {
        let at = usize::from(at);
        Some((self.text.get(..at)?, self.text.get(at + 2..)?))
    }

    fn fill_escaped(&self, groups: &Groups, subject: &[u8], writer: &mut Writer<'_>) -> Option<()> {
        let mut rest = &*self.text;
        loop {
            let (plain, after) = rest.split_at_checked(memchr(b'\\', rest).unwrap_or(rest.len()))?;
            writer.put(plain);
            let Some((_, after)) = after.split_first() else { return Some(()) };
            let (escaped, after) = after.split_first()?;
            rest = after;
            match escaped {
                // RFC 3402 §3.2: \1 to \9, and an error when there is no such group.
                b'1'..=b'9' => writer.put(groups.get(usize::from(escaped - b'0'), subject)?),
                b'0' => return None,
                _ => writer.put(&[*escaped]),
            }
        }
    }
}

impl Form {
    fn of(text: &[u8]) -> Self {
        let Some(at) = memchr(b'\\', text) else { return Self::Plain };
        match (u8::try_from(at), text.get(at..)) {
            (Ok(at), Some([_, digit @ b'1'..=b'9', behind @ ..])) if memchr(b'\\', behind).is_none() => {
                Self::OneGroup { at, group: digit - b'0' }
            }
            _ => Self::Escaped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, form) in [
            ("sip:a@h", Form::Plain),
            ("", Form::Plain),
            (r"sip:\1@h", Form::OneGroup { at: 4, group: 1 }),
            (r"\9", Form::OneGroup { at: 0, group: 9 }),
            (r"sip:\0@h", Form::Escaped),
            (r"sip:\1\2@h", Form::Escaped),
            (r"sip:\1@h\;lr", Form::Escaped),
            (r"sip:a\!b@h", Form::Escaped),
            (r"sip:a\", Form::Escaped),
        ] {
            assert_eq!(Form::of(text.as_bytes()), form, "{text}");
        }
    }
}
