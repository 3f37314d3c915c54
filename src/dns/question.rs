//! Pure. The whole language spoken with the resolver: questions, answers, records.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use super::{Naptr, Upstream};

/// Longest name, in bytes, without its final dot (RFC 1035 §2.3.4: 255 octets on the wire).
const NAME_BYTES_MAX: usize = 253;
/// Longest label, in bytes (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Record types asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Naptr,
    Srv,
    A,
    Aaaa,
}

/// A question: a fully qualified name in lower case, with its final dot, a type, and whom to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    name: Arc<str>,
    kind: Kind,
    upstream: Option<Arc<Upstream>>,
}

impl Question {
    /// `None` when `name` is not a legal host or service name (labels 1–63, 253 in all, LDH and `_`).
    /// The final dot may be missing: every name here is fully qualified.
    #[must_use]
    pub fn new(name: &str, kind: Kind) -> Option<Self> {
        let name = LowerName::new(name)?;
        let labels = name.as_str().strip_suffix('.')?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_label = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(legal);
        labels.split('.').all(is_label).then(|| Self { name: name.as_str().into(), kind, upstream: None })
    }

    /// The same question to servers of its own.
    #[must_use]
    pub fn at(self, upstream: Option<&Arc<Upstream>>) -> Self {
        Self { upstream: upstream.cloned(), ..self }
    }

    /// The name, in lower case, with its final dot.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whom to ask; `None`: the servers of the configuration.
    #[must_use]
    pub fn upstream(&self) -> Option<&Arc<Upstream>> {
        self.upstream.as_ref()
    }
}

/// A name as questions have it, on the stack: a lookup allocates nothing.
pub(super) struct LowerName {
    bytes: [u8; NAME_BYTES_MAX + 1],
    len: usize,
}

impl LowerName {
    /// `None` when it is too long or not ASCII; labels are not looked at.
    pub(super) fn new(name: &str) -> Option<Self> {
        let bare = name.strip_suffix('.').unwrap_or(name).as_bytes();
        let mut lower = Self { bytes: [b'.'; NAME_BYTES_MAX + 1], len: bare.len() + 1 };
        if bare.len() > NAME_BYTES_MAX || !bare.is_ascii() {
            return None;
        }
        for (to, from) in lower.bytes.iter_mut().zip(bare) {
            *to = from.to_ascii_lowercase();
        }
        Some(lower)
    }

    /// In lower case, with its final dot.
    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// SRV data (RFC 2782). The target is in lower case, with its final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: Box<str>,
}

/// One record's data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Record {
    Naptr(Naptr),
    Srv(Srv),
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
}

/// Why there is no record: the name is known not to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Nothing {
    NxDomain,
    NoData,
}

/// Why we do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No server answered in time, or none could be reached.
    Timeout,
    /// The servers refuse to answer us (REFUSED).
    Refused,
    /// The servers cannot answer (SERVFAIL and the like).
    ServFail,
    /// The servers know nothing of the zone, and send us elsewhere (RFC 1912 §2.8).
    Lame,
    /// What came back is no answer to the question, or the name is none that can be asked for.
    Malformed,
    /// Ours: more questions than the resolver takes.
    Overflow,
}

/// What the resolver says to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Answer {
    Found { records: Vec<Record>, ttl_s: u32 },
    Nothing { why: Nothing, ttl_s: u32 },
    Failed(Failure),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        Question::new(text, Kind::A).map(|question| question.name().to_owned())
    }

    #[test]
    fn names_are_lower_case_and_end_with_a_dot() {
        assert_eq!(name("SBC1.Example.NET").as_deref(), Some("sbc1.example.net."));
        assert_eq!(name("_sip._udp.example.net.").as_deref(), Some("_sip._udp.example.net."));
        assert_eq!(Question::new("a.", Kind::Srv).map(|question| question.kind()), Some(Kind::Srv));
    }

    #[test]
    fn illegal_names_make_no_question() {
        for text in
            ["", ".", "..", "a..b", ".a", "a b.example", "exämple.net", "a\0b", "a/b", "example.net.."]
        {
            assert_eq!(name(text), None, "{text:?}");
        }
    }

    #[test]
    fn labels_and_names_end_at_their_limits() {
        assert!(name(&"a".repeat(63)).is_some());
        assert!(name(&"a".repeat(64)).is_none());
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61));
        assert_eq!(longest.len(), 253);
        assert!(name(&longest).is_some());
        assert!(name(&format!("{longest}.")).is_some());
        assert!(name(&format!("{longest}a")).is_none());
    }
}
