//! Pure. `name-addr` and `addr-spec` with header parameters: From, To, Contact, P-Asserted-Identity.

use super::{
    Uri,
    class::{DISPLAY, URI, is, is_lws, trim_end},
    lanes::{unquoted_len, uri_len, value_len},
    scan::Scan,
};

/// One address header value, read (RFC 3261 §20.10, §25.1 `name-addr`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Display name as written, quotes included; empty when there is none.
    pub display: &'a [u8],
    /// The URI as written, without `<>`.
    pub uri: &'a [u8],
    /// Header parameters as written, from the first `;`.
    pub params: &'a [u8],
    /// The `tag` among them.
    pub(super) tag: Option<&'a [u8]>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value; `None` when it is not of the form. For a line that may hold several, take
    /// [`super::list_values`] first.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        if let Some(usual) = Self::parse_usual(value) {
            return Some(usual);
        }
        let mut scan = Scan::new(value);
        scan.skip_lws();
        let (display, uri) = match scan.peek()? {
            b'"' | b'<' => bracketed(&mut scan)?,
            _ => {
                let bare = scan;
                match bracketed(&mut scan) {
                    Some(found) => found,
                    None => {
                        scan = bare;
                        (&[][..], bare_uri(&mut scan)?)
                    }
                }
            }
        };
        if !has_scheme(uri) {
            return None;
        }
        let (params, tag) = params(&mut scan)?;
        Some(Self { display, uri, params, tag })
    }

    /// Reads what nearly all are: `"Name" <sip:…>;tag=…`, without name or tag too. `None` says nothing of others.
    fn parse_usual(value: &'a [u8]) -> Option<Self> {
        let (display, rest) = match value {
            [b'"', quoted @ ..] => {
                let (display, rest) = value.split_at_checked(unquoted_len(quoted) + 2)?;
                (display.ends_with(b"\"").then_some(display)?, rest.strip_prefix(b" ").unwrap_or(rest))
            }
            _ => (&[][..], value),
        };
        let rest = rest.strip_prefix(b"<")?;
        let (uri, rest) = rest.split_at_checked(uri_len(rest))?;
        let params = rest.strip_prefix(b">").filter(|_| matches!(uri, [b's', b'i', b'p', b':', _, ..]))?;
        let tag = match params {
            [] => None,
            [b';', b't', b'a', b'g', b'=', tag @ ..] if !tag.is_empty() => {
                Some((value_len(tag) == tag.len()).then_some(tag)?)
            }
            _ => return None,
        };
        Some(Self { display, uri, params, tag })
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag
    }

    /// A header parameter with a value, any case.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut scan = Scan::new(self.params);
        while scan.eat_spaced(b';') {
            let param = scan.param()?;
            if param.name.eq_ignore_ascii_case(name) {
                return param.value;
            }
        }
        None
    }

    /// The URI, read.
    #[must_use]
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }
}

/// `[display-name] "<" URI ">"`.
fn bracketed<'a>(scan: &mut Scan<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let display = if scan.peek() == Some(b'"') { scan.quoted()? } else { trim_end(scan.take(DISPLAY)) };
    scan.skip_lws();
    if !scan.eat(b'<') {
        return None;
    }
    let uri = scan.take_len(uri_len(scan.rest()));
    scan.eat(b'>').then_some((display, uri))
}

/// RFC 3261 §20: a URI with a comma, question mark or semicolon must be in `<>`; so what follows a
/// semicolon here is of the header, and the other two are faults.
fn bare_uri<'a>(scan: &mut Scan<'a>) -> Option<&'a [u8]> {
    let uri = scan.take_while(|byte| is(byte, URI) && !matches!(byte, b';' | b',' | b'?'));
    let ends = scan.peek().is_none_or(|byte| byte == b';' || is_lws(byte));
    ends.then_some(uri)
}

/// `*( SEMI generic-param )` up to the end of the value, and the `tag` among them.
fn params<'a>(scan: &mut Scan<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    scan.skip_lws();
    let params = scan.rest();
    let mut tag = None;
    while scan.eat_spaced(b';') {
        let param = scan.param()?;
        // RFC 3261 §7.3.1: a parameter stands once. Two readers of two tags would see two dialogs.
        if param.name.eq_ignore_ascii_case(b"tag") && tag.replace(param.value).is_some() {
            return None;
        }
    }
    scan.skip_lws();
    scan.peek().is_none().then_some((trim_end(params), tag.flatten()))
}

/// `scheme ":"` and something after it (RFC 3261 §25.1 `absoluteURI`).
fn has_scheme(uri: &[u8]) -> bool {
    let mut scan = Scan::new(uri);
    scan.peek().is_some_and(|byte| byte.is_ascii_alphabetic())
        && !scan.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).is_empty()
        && scan.eat(b':')
        && !scan.rest().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let table: &[(&str, &str, &str, &str, Option<&str>)] = &[
            ("sip:a@b", "", "sip:a@b", "", None),
            ("sip:a@b;tag=1", "", "sip:a@b", ";tag=1", Some("1")),
            ("<sip:a@b;x=1>;TAG=2", "", "sip:a@b;x=1", ";TAG=2", Some("2")),
            ("Alice W. <sip:a@b?h=1>", "Alice W.", "sip:a@b?h=1", "", None),
            ("caller<sip:a@b>;tag=323", "caller", "sip:a@b", ";tag=323", Some("323")),
            (
                r#""J \\\"" <tel:+1> ;a="x;tag=y";tag=z "#,
                r#""J \\\"""#,
                "tel:+1",
                r#";a="x;tag=y";tag=z"#,
                Some("z"),
            ),
            ("sip:a@b ;   tag    = 19", "", "sip:a@b", ";   tag    = 19", Some("19")),
            ("<sip:a@b>\r\n  ;\r\n  tag = 9", "", "sip:a@b", ";\r\n  tag = 9", Some("9")),
            ("\"\" <isbn:1>;p;q=[::1]", "\"\"", "isbn:1", ";p;q=[::1]", None),
            ("K\u{e9} <sip:a@b>", "K\u{e9}", "sip:a@b", "", None),
        ];
        for &(text, display, uri, params, tag) in table {
            let read = NameAddr::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let expected = NameAddr {
                display: display.as_bytes(),
                uri: uri.as_bytes(),
                params: params.as_bytes(),
                tag: tag.map(str::as_bytes),
            };
            assert_eq!(read, expected, "{text}");
            assert_eq!(read.param(b"tag"), read.tag(), "{text}");
        }
    }

    #[test]
    fn not_of_the_form() {
        let bad = [
            "",
            "alice@b",
            "<>",
            "<sip:>",
            "\"a <sip:a@b>",
            "<sip:a@b",
            "sip:a@b>",
            "< sip:a@b >",
            "Bell, A <sip:a@b>",
            "\"a\" b <sip:a@b>",
            "sip:a@b, <sip:c@d>",
            "<sip:a@b>, <sip:c@d>",
            "sip:a@b?h=1",
            "sip:a,b@c",
            "sip:a@b;;tag=1",
            "sip:a@b;tag=",
            "sip:a@b;tag=1;x;tag=1",
            "<sip:a@b>;tag=1;Tag=2",
            "sip:a@b;a=\"T\\",
            "sip:a@b;=1",
            "<sip:a b@c>",
            "<sip:a@b> x",
            "sip:a@b x",
        ];
        for text in bad {
            assert_eq!(NameAddr::parse(text.as_bytes()), None, "{text}");
        }
    }
}
