//! Pure. A request as spans into its datagram, and what can be asked of it.
//!
//! Never: copies, or reads a value again that [`super::parse`] has read.

use super::{
    HeaderName, Method, NameAddr, Uri, Via, echoed::Echoed, header::Line, header_name::long_name,
    overload_control, via::TopVia,
};

/// A SIP request: spans into the datagram, nothing copied.
#[derive(Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Request<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) lines: &'a [Line],
    pub(super) method: Method,
    pub(super) method_token: &'a [u8],
    pub(super) uri_bytes: &'a [u8],
    pub(super) uri: Uri<'a>,
    pub(super) top_via: TopVia<'a>,
    pub(super) from: Address<'a>,
    pub(super) to: Address<'a>,
    pub(super) call_id: Field<'a>,
    pub(super) cseq: Field<'a>,
    pub(super) content_length: Option<u32>,
    pub(super) body: &'a [u8],
    /// Where the body begins.
    pub(super) head_len: usize,
    /// Where stands what its answer repeats, if that is known.
    pub(super) echoed: EchoedAs<'a>,
}

/// It says how an answer is written, not what the request is: of two equal ones one may have been read by a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct EchoedAs<'a>(pub(super) Option<&'a Echoed>);

#[cfg(test)]
impl PartialEq for EchoedAs<'_> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A header as it is echoed: the first of its name, or nothing.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Field<'a> {
    pub(super) found: Option<(&'a [u8], Line)>,
}

impl<'a> Field<'a> {
    /// Keeps a header that may stand once; `false` when it stood before. It is never the last that
    /// counts, for who stands before us may have judged by the first.
    pub(super) fn keep_first(&mut self, found: (&'a [u8], Line)) -> bool {
        let is_first = self.found.is_none();
        if is_first {
            self.found = Some(found);
        }
        is_first
    }

    pub(super) fn value(&self) -> &'a [u8] {
        self.found.map(|(value, _)| value).unwrap_or_default()
    }
}

/// From or To: as it is echoed, and read. The second is empty when it cannot be read.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Address<'a> {
    pub(super) field: Field<'a>,
    pub(super) read: NameAddr<'a>,
}

impl<'a> Request<'a> {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The method as it was written.
    #[must_use]
    pub fn method_token(&self) -> &'a [u8] {
        self.method_token
    }

    /// The Request-URI as it was written.
    #[must_use]
    pub fn request_uri_bytes(&self) -> &'a [u8] {
        self.uri_bytes
    }

    /// The Request-URI, read. A scheme other than sip, sips, tel reads as [`super::Scheme::Other`]; so
    /// does one that cannot be read, of a faulty request.
    #[must_use]
    pub fn request_uri(&self) -> &Uri<'a> {
        &self.uri
    }

    /// The topmost Via.
    #[must_use]
    pub fn top_via(&self) -> &Via<'a> {
        &self.top_via.via
    }

    /// Whether the client offers the loss-based scheme of overload control (RFC 7339 §4.1, §4.2).
    #[must_use]
    pub fn offers_overload_control(&self) -> bool {
        let TopVia { via, has_oc, sound, .. } = &self.top_via;
        *has_oc && *sound && overload_control::offered(via.value).is_some()
    }

    /// The From header. In a faulty request, its parts may be empty.
    #[must_use]
    pub fn from(&self) -> NameAddr<'a> {
        self.from.read
    }

    /// The To header. In a faulty request, its parts may be empty.
    #[must_use]
    pub fn to(&self) -> NameAddr<'a> {
        self.to.read
    }

    /// The value of Call-ID, trimmed. In a faulty request it may be empty.
    #[must_use]
    pub fn call_id(&self) -> &'a [u8] {
        self.call_id.value()
    }

    /// The value of CSeq, trimmed. In a faulty request it may be empty.
    #[must_use]
    pub fn cseq(&self) -> &'a [u8] {
        self.cseq.value()
    }

    /// Values of every line with this name, in order, trimmed, folding still inside. A value is a
    /// whole line: comma-separated lists are not split, see [`super::list_values`].
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.lines.iter().filter(move |line| line.name == name).map(|line| line.value_in(self.bytes))
    }

    /// Values of every line with this name (any case; compact names are known), in order, trimmed.
    pub fn values_named<'n>(&'n self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + 'n {
        let known = HeaderName::read(name);
        let name = long_name(name);
        let has_name = move |line: &&Line| match known {
            HeaderName::Other => {
                line.name == HeaderName::Other
                    && long_name(line.name_in(self.bytes)).eq_ignore_ascii_case(name)
            }
            _ => line.name == known,
        };
        self.lines.iter().filter(has_name).map(|line| line.value_in(self.bytes))
    }

    /// What follows the empty line, up to Content-Length; never looked into.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}
