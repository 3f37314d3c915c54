//! Pure. Where the parts of a URI stand, so that texts which differ in a number alone are read once.
//!
//! In:    a text with a place for a number in its user part, or with none; later, the same with a number there.
//! Out:   what [`Uri::parse`] reads of it.
//! Never: looks at the text again. That nothing but digits and `+` was put in, the caller knows.

use super::{Scheme, Seen, Uri};

/// Where the parts of a URI stand, whatever the number in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UriOutline {
    scheme: Scheme,
    scheme_len: u16,
    /// Length from the `@` on: the number stands before it.
    behind_user: u16,
    host_len: u16,
    params_len: u16,
    port: Option<u16>,
    seen: Seen,
}

impl UriOutline {
    /// Of a sip: or sips: URI with a user, and without password and headers; `None` for others. Where `number_at` says,
    /// the text has a digit that stands for any number.
    #[must_use]
    pub fn of(text: &[u8], number_at: Option<usize>) -> Option<Self> {
        let uri = Uri::parse(text).filter(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips))?;
        let user = uri.user?;
        let user_at = uri.scheme_name.len() + b":".len();
        let is_bare = uri.password.is_none() && uri.headers.is_empty() && !text.ends_with(b"?");
        let in_user = |at: usize| {
            let before = text.get(user_at..at);
            // Of a parameter it could be the name, and behind a `%` the escape.
            let is_apart =
                before.is_some_and(|before| !before.iter().any(|byte| matches!(byte, b';' | b'%')));
            is_apart && at < user_at + user.len()
        };
        (is_bare && number_at.is_none_or(in_user)).then_some(())?;
        let len = |part: usize| u16::try_from(part).ok();
        Some(Self {
            scheme: uri.scheme,
            scheme_len: len(uri.scheme_name.len())?,
            behind_user: len(text.len().checked_sub(user_at + user.len())?)?,
            host_len: len(uri.host.len())?,
            params_len: len(uri.params.len())?,
            port: uri.port,
            seen: uri.seen,
        })
    }

    /// The URI that a text of this outline is; `None` says nothing: the number may have been all of the user, and empty.
    #[must_use]
    #[inline]
    pub fn read<'a>(&self, text: &'a [u8]) -> Option<Uri<'a>> {
        let (before, behind) = text.split_at_checked(text.len().checked_sub(self.behind_user.into())?)?;
        let (scheme_name, user) = before.split_at_checked(self.scheme_len.into())?;
        let user = user.get(1..).filter(|user| !user.is_empty())?;
        let params_at = behind.len().checked_sub(self.params_len.into())?;
        Some(Uri {
            scheme: self.scheme,
            scheme_name,
            user: Some(user),
            host: behind.get(1..)?.get(..self.host_len.into())?,
            port: self.port,
            params: behind.get(params_at..)?,
            seen: self.seen,
            ..Uri::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outline(before: &str, behind: &str) -> Option<UriOutline> {
        UriOutline::of(format!("{before}0{behind}").as_bytes(), Some(before.len()))
    }

    #[test]
    fn a_number_in_the_user_part_alone_changes_nothing() {
        for (before, behind, is_there) in [
            ("sip:", "@h", true),
            ("SIPS:00", "x;npdi@[2001:db8::1]:5061;lr;transport=tcp", true),
            ("sip:", ";ext=1@h;maddr=192.0.2.1", true),
            ("sip:", "%23@h", true),
            // The name of a parameter, or its value.
            ("sip:a;", "@h", false),
            ("sip:a;x=", "@h", false),
            // An escape, with the first digit of the number or the second.
            ("sip:%", "0@h", false),
            ("sip:%3", "@h", false),
            // Another part.
            ("sip:a@h", "", false),
            ("sip:a@h:506", "", false),
            ("sip:a@h;x=", "", false),
            ("sip:a:", "@h", false),
            ("sip:a@h?x=", "", false),
            ("s", "p:a@h", false),
            ("", "sip:a@h", false),
            // Other URIs, and none.
            ("sip:", "@h?x=y", false),
            ("sip:", "@h?", false),
            ("sip:", ":p@h", false),
            ("tel:", "", false),
            ("mailto:", "@h", false),
            ("sip:", "@h h", false),
        ] {
            assert_eq!(outline(before, behind).is_some(), is_there, "{before}…{behind}");
        }
    }

    #[test]
    fn a_text_without_a_number_has_an_outline_too() {
        for text in ["sip:a;x=%20@h;lr", "sips:a?b@h:1"] {
            let outline = UriOutline::of(text.as_bytes(), None).unwrap();
            assert_eq!(outline.read(text.as_bytes()), Uri::parse(text.as_bytes()), "{text}");
        }
        assert_eq!(UriOutline::of(b"sip:h", None), None);
    }

    #[test]
    fn no_number_and_no_user_is_no_uri() {
        let outline = outline("sip:", "@h").unwrap();
        assert_eq!(outline.read(b"sip:@h"), None);
        assert_eq!(Uri::parse(b"sip:@h"), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_parser_reads(
            before in "(sips?:)?[a-z0-9;%:@+]{0,6}",
            behind in "[a-z0-9;%:@?.=+-]{0,6}@?[a-z][a-z0-9.:;=?%]{0,8}",
            number in r"\+?[0-9]{0,15}",
        ) {
            if let Some(uri) = outline(&before, &behind) {
                let text = format!("{before}{number}{behind}");
                match uri.read(text.as_bytes()) {
                    Some(read) => {
                        let parsed = Uri::parse(text.as_bytes());
                        prop_assert_eq!(Some(read), parsed);
                        prop_assert_eq!(Some(read.has_double_param()), parsed.map(|uri| uri.has_double_param()));
                        prop_assert_eq!(Some(read.user_name()), parsed.map(|uri| uri.user_name()));
                    }
                    None => prop_assert!(number.is_empty()),
                }
            }
        }
    }
}
