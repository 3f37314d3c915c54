//! Pure. The memory of one decision, used again for the next.
//!
//! In:    bytes that a decision renders: numbers, settings, Contacts.
//! Out:   spans of one arena, valid until the next decision.
//! Never: grows after the first decisions; every part has its limit in [`crate::limits`].

use std::ops::Range;

use crate::{
    limits::{
        CARRIERS_PER_TABLE_MAX, CONTACTS_MAX, GROUP_MEMBERS_MAX, SCRATCH_BYTES_MAX, URI_BYTES_MAX,
        USER_PARAMS_MAX,
    },
    route::{GatewayId, Offer, Row},
    sip::{HeaderIndex, Models},
};

/// Made once for each loop. Nothing in it outlives a call of [`super::decide`] but the models, which change how long one takes
/// and nothing else.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) index: HeaderIndex,
    pub(super) models: Models,
    pub(super) work: Work,
}

impl Scratch {
    /// Takes the memory once.
    #[must_use]
    pub fn new() -> Self {
        Self { index: HeaderIndex::new(), models: Models::new(), work: Work::new() }
    }
}

/// Bytes in the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// A part of it; nothing when it goes beyond.
    pub(super) fn part(self, place: Range<usize>) -> Self {
        let inside = place.start <= place.end && place.end <= self.len as usize;
        if inside { span(self.start as usize + place.start, place.len()) } else { Self::default() }
    }

    /// What is left of it without its first so many bytes.
    pub(super) fn from(self, skipped: usize) -> Self {
        self.part(skipped.min(self.len())..self.len())
    }

    /// Its length in bytes.
    pub(super) fn len(self) -> usize {
        self.len as usize
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// What a decision renders and remembers until it ends.
#[derive(Debug, Default)]
pub(super) struct Work {
    arena: Vec<u8>,
    /// Where one value is rendered before it is kept or compared.
    pub(super) temp: Vec<u8>,
    /// The number of the Request-URI, normalised, as the routes so far left it.
    pub(super) number: Option<Span>,
    /// Whether it is known to be digits alone, or `+` and digits.
    pub(super) number_is_plain: bool,
    /// User parameters that routes set: name and value.
    pub(super) params: Vec<(Span, SetParam)>,
    /// Variables that routes set.
    pub(super) vars: Vec<(Span, Span)>,
    /// The row that the last `in:` hit, by table.
    pub(super) hits: Vec<Option<Row>>,
    pub(super) contacts: Vec<Contact>,
    /// From the first one that is to be located on, what is to become Contacts.
    pub(super) items: Vec<Item>,
    /// The one of them at hand, and one of its servers as a Contact.
    pub(super) item_uri: Vec<u8>,
    pub(super) server_uri: Vec<u8>,
    /// Contacts beyond the cap or dropped, counted for the reply.
    pub(super) trimmed: u8,
    pub(super) dropped: u8,
    /// Whether a gateway was left out because it is down.
    pub(super) left_out_down: bool,
    /// Of a rate deck, cheapest first.
    pub(super) offers: Vec<Offer>,
    /// Members of a group in the order drawn.
    pub(super) order: Vec<GatewayId>,
    /// Members of one tier before they are drawn.
    pub(super) tier: Vec<(GatewayId, u32)>,
}

/// A user parameter as routes left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetParam {
    Value(Span),
    Flag,
    Removed,
}

/// A URI that became a Contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) uri: Span,
    /// The host in it.
    pub(super) host: Span,
    pub(super) q_milli: u16,
    pub(super) expires_s: Option<u32>,
}

/// A URI that is to become one Contact or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) uri: Span,
    pub(super) kind: ItemKind,
    pub(super) expires_s: Option<u32>,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// A Contact as it is.
    Uri { q_milli: Option<u16> },
    /// One for each server that DNS has for it.
    Locate,
}

impl Work {
    fn new() -> Self {
        Self {
            arena: Vec::with_capacity(SCRATCH_BYTES_MAX),
            temp: Vec::with_capacity(4096),
            params: Vec::with_capacity(USER_PARAMS_MAX),
            vars: Vec::with_capacity(USER_PARAMS_MAX),
            contacts: Vec::with_capacity(CONTACTS_MAX),
            offers: Vec::with_capacity(CARRIERS_PER_TABLE_MAX),
            order: Vec::with_capacity(GROUP_MEMBERS_MAX),
            tier: Vec::with_capacity(GROUP_MEMBERS_MAX),
            ..Self::default()
        }
    }

    /// Forgets the decision before.
    pub(super) fn start(&mut self, tables: usize) {
        self.arena.clear();
        self.temp.clear();
        self.number = None;
        self.number_is_plain = false;
        self.params.clear();
        self.vars.clear();
        self.hits.clear();
        self.hits.resize(tables, None);
        self.clear_contacts();
    }

    /// Forgets the Contacts of a route that came to nothing.
    pub(super) fn clear_contacts(&mut self) {
        self.contacts.clear();
        self.items.clear();
        self.trimmed = 0;
        self.dropped = 0;
        self.left_out_down = false;
    }

    /// The number is another from here on.
    pub(super) fn set_number(&mut self, number: Span) {
        self.number = Some(number);
        self.number_is_plain = false;
    }

    /// Keeps bytes for the rest of the decision; `None` when the arena is full.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Option<Span> {
        let start = self.arena.len();
        (start + bytes.len() <= SCRATCH_BYTES_MAX).then(|| {
            self.arena.extend_from_slice(bytes);
            span(start, bytes.len())
        })
    }

    /// Keeps bytes of the arena with others around them; `None` when the arena is full.
    pub(super) fn keep_around(&mut self, before: &[u8], middle: Span, behind: &[u8]) -> Option<Span> {
        let (start, len) = (self.arena.len(), before.len() + middle.len() + behind.len());
        (start + len <= SCRATCH_BYTES_MAX).then(|| {
            self.arena.extend_from_slice(before);
            self.arena.extend_from_within(middle.range());
            self.arena.extend_from_slice(behind);
            span(start, len)
        })
    }

    /// Whether all the Contacts of an answer fit into the arena, each rendered in two steps.
    pub(super) fn has_room_for_contacts(&self) -> bool {
        self.arena.len() + 2 * CONTACTS_MAX * URI_BYTES_MAX <= SCRATCH_BYTES_MAX
    }

    /// How far the arena is filled.
    pub(super) fn mark(&self) -> usize {
        self.arena.len()
    }

    /// Forgets what was kept since `mark`: nobody may hold a span of it.
    pub(super) fn give_back(&mut self, mark: usize) {
        self.arena.truncate(mark);
    }

    /// Keeps what stands in `temp`.
    pub(super) fn keep_temp(&mut self) -> Option<Span> {
        let temp = std::mem::take(&mut self.temp);
        let span = self.keep(&temp);
        self.temp = temp;
        span
    }

    /// The bytes of a span.
    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.arena.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// What a user parameter was set to.
    pub(super) fn set_param(&self, name: &[u8]) -> Option<SetParam> {
        self.param_at(name).and_then(|at| self.params.get(at)).map(|&(_, set)| set)
    }

    /// Sets a user parameter, in the place of an earlier setting.
    pub(super) fn put_param(&mut self, name: &[u8], set: SetParam) {
        if let Some(at) = self.param_at(name) {
            self.params[at].1 = set;
        } else if self.params.len() < USER_PARAMS_MAX
            && let Some(name) = self.keep(name)
        {
            self.params.push((name, set));
        }
    }

    /// What a variable was set to.
    pub(super) fn var(&self, name: &[u8]) -> Option<Span> {
        self.var_at(name).and_then(|at| self.vars.get(at)).map(|&(_, value)| value)
    }

    /// Sets a variable, in the place of an earlier setting.
    pub(super) fn put_var(&mut self, name: &[u8], value: Span) {
        if let Some(at) = self.var_at(name) {
            self.vars[at].1 = value;
        } else if self.vars.len() < USER_PARAMS_MAX
            && let Some(name) = self.keep(name)
        {
            self.vars.push((name, value));
        }
    }

    fn param_at(&self, name: &[u8]) -> Option<usize> {
        self.params.iter().position(|(of, _)| self.bytes(*of).eq_ignore_ascii_case(name))
    }

    fn var_at(&self, name: &[u8]) -> Option<usize> {
        self.vars.iter().position(|(of, _)| self.bytes(*of) == name)
    }
}

fn span(start: usize, len: usize) -> Span {
    // Both are at most SCRATCH_BYTES_MAX.
    Span { start: u32::try_from(start).unwrap_or(0), len: u32::try_from(len).unwrap_or(0) }
}
