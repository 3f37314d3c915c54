//! Pure. An ERE (POSIX.1 §9.4) to its tree.
//!
//! In:    the bytes between the first two delimiters of a substitution expression.
//! Out:   its nodes, inner ones before those around them; `None` when it is no ERE, or too large.
//! Never: reads on where POSIX says "undefined", but for an empty alternative, `{,n}` and `^+`.

use std::{mem::swap, ops::Range};

use crate::limits::{NAPTR_NODES_MAX, NAPTR_REPEAT_MAX, NESTING_MAX};

mod bracket;

/// Place of a node in [`Tree::nodes`].
pub(super) type Id = u16;

#[derive(Debug)]
pub(super) enum Node {
    /// One byte of a set of ASCII: bit `n` for byte `n`.
    Byte(u128),
    /// `^`: nothing, at the start of the subject.
    Start,
    /// `$`: nothing, at its end.
    End,
    /// One after the other; the range is of [`Tree::kids`].
    Sequence(Range<Id>),
    /// One of them; likewise.
    Choice(Range<Id>),
    /// The `number`th group, from 1.
    Group { number: Id, inner: Id },
    /// So many times; `None`: without an end.
    Repeat { inner: Id, least: u8, most: Option<u8> },
}

/// An ERE. The last node is the whole.
#[derive(Debug)]
pub(in crate::dns) struct Tree {
    pub(super) nodes: Box<[Node]>,
    kids: Box<[Id]>,
    pub(super) groups: Id,
    pub(super) tolerated_plus: bool,
}

impl Tree {
    /// `delimiter` may stand in `ere` escaped, for itself.
    pub(super) fn read(ere: &[u8], delimiter: u8, ignore_case: bool) -> Option<Self> {
        let mut parser = Parser {
            rest: ere,
            delimiter,
            ignore_case,
            nodes: Vec::new(),
            kids: Vec::new(),
            groups: 0,
            tolerated_plus: false,
        };
        parser.choice(0)?;
        // What is left starts with a `)` that has no `(`.
        parser.rest.is_empty().then(|| Self {
            nodes: parser.nodes.into(),
            kids: parser.kids.into(),
            groups: parser.groups,
            tolerated_plus: parser.tolerated_plus,
        })
    }

    pub(super) fn kids(&self, range: &Range<Id>) -> &[Id] {
        self.kids.get(usize::from(range.start)..usize::from(range.end)).unwrap_or_default()
    }

    /// Memory taken, in bytes, besides its own.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.nodes).saturating_add(size_of_val(&*self.kids))
    }
}

struct Parser<'e> {
    rest: &'e [u8],
    delimiter: u8,
    ignore_case: bool,
    nodes: Vec<Node>,
    kids: Vec<Id>,
    groups: Id,
    tolerated_plus: bool,
}

impl Parser<'_> {
    /// Alternatives, inside of `depth` groups, to the end or a `)`.
    fn choice(&mut self, depth: usize) -> Option<Id> {
        let mut branches = vec![self.sequence(depth)?];
        while self.take(b"|") {
            branches.push(self.sequence(depth)?);
        }
        // glibc tries the second of `(|1)` first: an empty first alternative is the one after it.
        if let [first, second, ..] = &mut *branches
            && self.is_nothing(*first)
            && !self.is_nothing(*second)
        {
            swap(first, second);
        }
        self.list(&branches, Node::Choice)
    }

    fn sequence(&mut self, depth: usize) -> Option<Id> {
        let mut items = Vec::new();
        // POSIX.1 §9.4.3: a repetition is undefined first, and after an anchor.
        let mut repeatable = false;
        while let Some((&byte, after)) = self.rest.split_first() {
            if matches!(byte, b'|' | b')') {
                break;
            }
            self.rest = after;
            let (item, is_atom) = match byte {
                b'^' => (self.push(Node::Start)?, false),
                b'$' => (self.push(Node::End)?, false),
                // `^+44`, not escaped, is no ERE; zones have it, and it can only mean the plus sign.
                b'+' if !repeatable => {
                    self.tolerated_plus = true;
                    (self.literal(byte)?, true)
                }
                b'*' | b'+' | b'?' | b'{' => return None,
                _ => (self.atom(byte, depth)?, true),
            };
            repeatable = is_atom;
            items.push(if is_atom { self.repeated(item)? } else { item });
        }
        self.list(&items, Node::Sequence)
    }

    fn atom(&mut self, byte: u8, depth: usize) -> Option<Id> {
        match byte {
            b'(' => {
                if depth >= NESTING_MAX {
                    return None;
                }
                self.groups = self.groups.checked_add(1)?;
                let number = self.groups;
                let inner = self.choice(depth.checked_add(1)?)?;
                self.take(b")").then_some(())?;
                self.push(Node::Group { number, inner })
            }
            b'[' => {
                let set = self.bracket()?;
                self.push(Node::Byte(set))
            }
            // POSIX.1 §9.4.4: any character but NUL.
            b'.' => self.push(Node::Byte(!1)),
            b'\\' => {
                let (&escaped, after) = self.rest.split_first()?;
                self.rest = after;
                // POSIX.1 §9.4.2: `\d` and the like are undefined, and `\1` is of basic expressions
                // only: a zone that has them means another dialect.
                if escaped.is_ascii_alphanumeric() && escaped != self.delimiter {
                    return None;
                }
                self.literal(escaped)
            }
            _ => self.literal(byte),
        }
    }

    /// `item`, with the repetition that follows it.
    fn repeated(&mut self, item: Id) -> Option<Id> {
        let (least, most) = match self.rest {
            [b'*', ..] => (0, None),
            [b'+', ..] => (1, None),
            [b'?', ..] => (0, Some(1)),
            [b'{', ..] => self.interval()?,
            _ => return Some(item),
        };
        self.rest = self.rest.get(1..)?;
        // A repetition of a repetition is undefined; `*?` is another dialect's lazy one.
        if matches!(self.rest, [b'*' | b'+' | b'?' | b'{', ..]) {
            return None;
        }
        self.push(Node::Repeat { inner: item, least, most })
    }

    /// `{n}`, `{n,}`, `{n,m}` and the common `{,m}`, up to the last brace.
    fn interval(&mut self) -> Option<(u8, Option<u8>)> {
        let end = self.rest.iter().position(|byte| *byte == b'}')?;
        let (inside, after) = self.rest.split_at_checked(end)?;
        self.rest = after;
        let mut bounds = inside.get(1..)?.splitn(2, |byte| *byte == b',');
        let bound = |text: &[u8]| {
            let digits = text.iter().all(u8::is_ascii_digit).then_some(text)?;
            let number = std::str::from_utf8(digits).ok()?.parse::<u32>().ok()?;
            u8::try_from(number).ok().filter(|_| number <= NAPTR_REPEAT_MAX)
        };
        let (least, most) = match (bounds.next()?, bounds.next()) {
            (exact, None) => (bound(exact)?, Some(bound(exact)?)),
            (b"", Some(most)) => (0, Some(bound(most)?)),
            (least, Some(b"")) => (bound(least)?, None),
            (least, Some(most)) => (bound(least)?, Some(bound(most)?)),
        };
        most.is_none_or(|most| least <= most).then_some((least, most))
    }

    /// One character that stands for itself.
    fn literal(&mut self, byte: u8) -> Option<Id> {
        let set = bit(byte).filter(|_| is_literal(byte))?;
        self.push(Node::Byte(if self.ignore_case { both_cases(set) } else { set }))
    }

    /// Whether no text is left of the node: an empty alternative, `1{0}`.
    fn is_nothing(&self, id: Id) -> bool {
        match self.nodes.get(usize::from(id)) {
            Some(Node::Repeat { most, .. }) => *most == Some(0),
            Some(Node::Sequence(kids)) => {
                let mut kids = self.kids.iter().take(usize::from(kids.end)).skip(usize::from(kids.start));
                kids.all(|kid| self.is_nothing(*kid))
            }
            _ => false,
        }
    }

    /// One node of `ids`: itself if it is alone.
    fn list(&mut self, ids: &[Id], kind: fn(Range<Id>) -> Node) -> Option<Id> {
        if let [id] = ids {
            return Some(*id);
        }
        let start = Id::try_from(self.kids.len()).ok()?;
        self.kids.extend_from_slice(ids);
        let end = Id::try_from(self.kids.len()).ok()?;
        self.push(kind(start..end))
    }

    fn push(&mut self, node: Node) -> Option<Id> {
        let id = Id::try_from(self.nodes.len()).ok().filter(|id| usize::from(*id) < NAPTR_NODES_MAX)?;
        self.nodes.push(node);
        Some(id)
    }

    /// Passes over `text`, when it is next.
    fn take(&mut self, text: &[u8]) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }
}

fn is_literal(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn bit(byte: u8) -> Option<u128> {
    1_u128.checked_shl(u32::from(byte))
}

/// With each letter, the same one in the other case.
fn both_cases(set: u128) -> u128 {
    // Bits 65 to 90 are the upper case, 32 further on is the lower one.
    const UPPER: u128 = ((1 << 26) - 1) << b'A';
    set | (set & UPPER) << 32 | (set >> 32) & UPPER
}
