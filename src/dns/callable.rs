//! Pure. Which results of ENUM a call can go to.

use crate::sip::{Scheme, Uri, same_name};

/// A result, when it is a URI that a call can go to, without the header fields after its `?`: the
/// caller would put them into its next request (RFC 3261 §19.1.5), and a zone is a stranger's. `None`
/// for `transport=tls`, which a redirect server must not use (RFC 5630 §5.4), and for a URI with a
/// parameter that stands twice, which could hide it.
pub(super) fn callable(result: &[u8]) -> Option<(&[u8], Uri<'_>)> {
    let mut uri = Uri::parse(result).filter(|uri| !uri.has_double_param())?;
    let secure = uri.param(b"transport").flatten().is_some_and(|transport| same_name(transport, b"tls"));
    match uri.scheme {
        Scheme::Sip | Scheme::Sips if secure => None,
        // A user may have `?` in it, host and parameters may not: what is left after them is ours to cut.
        Scheme::Sip | Scheme::Sips => {
            let end = result.len().checked_sub(uri.headers.len())?;
            let kept = result.get(..end)?;
            uri.headers = b"";
            Some((kept.strip_suffix(b"?").unwrap_or(kept), uri))
        }
        // RFC 3966 §5.1.5, §5.4: nobody could place a call to it.
        Scheme::Tel => (!uri.lacks_phone_context() && !uri.has_mandatory_param()).then_some((result, uri)),
        Scheme::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_is_left() {
        for text in
            ["sip:a@h;lr?x=y", "sip:a@h?", "sip:a?b@h?x", "sips:a@h:5061?x=y", "sip:h?a=b", "tel:+44;ext=1"]
        {
            let (kept, uri) = callable(text.as_bytes()).unwrap();
            assert_eq!(Uri::parse(kept), Some(uri), "{text}");
        }
    }
}
