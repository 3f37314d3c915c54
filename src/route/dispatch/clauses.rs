//! Pure. Conditions to keys: of which a call must have one, or the route does not hold.

use std::{collections::HashMap, hash::BuildHasherDefault, net::IpAddr};

use ahash::AHasher;
use ipnet::IpNet;

use super::{
    super::{
        Condition, MethodPattern, NumberPattern, TextPattern, ValueTest,
        pattern::{NumberShape, TextShape},
    },
    Field, Probe, Shape, cover,
};
use crate::{limits::NESTING_MAX, sip::Method};

/// A condition, as keys: when a call has none of them, it does not hold.
pub(super) type Clause = Vec<Key>;

/// What a value must be, or be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) probe: Probe,
    pub(super) hash: u64,
}

/// The fields of a list, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Fields {
    numbers: HashMap<Field, u16, BuildHasherDefault<AHasher>>,
    pub(super) fields: Vec<Field>,
}

impl Fields {
    /// `None` when there are more than can be told apart; what they say is then no clause.
    fn number(&mut self, field: Field) -> Option<u16> {
        if let Some(&number) = self.numbers.get(&field) {
            return Some(number);
        }
        let number = u16::try_from(self.fields.len()).ok()?;
        self.fields.push(field.clone());
        self.numbers.insert(field, number);
        Some(number)
    }

    /// The clauses of conditions that must all hold, up to the first that does something when it is tried.
    pub(super) fn clauses(&mut self, when: &[Condition]) -> Vec<Clause> {
        self.nested(when, 0)
    }

    fn nested(&mut self, when: &[Condition], depth: usize) -> Vec<Clause> {
        let mut clauses = Vec::new();
        for condition in when {
            clauses.extend(self.clause(condition, depth).map(|mut keys| {
                keys.sort_unstable();
                keys.dedup();
                keys
            }));
            // What comes after it may only be left out together with what it does.
            if has_effect(condition, depth) {
                break;
            }
        }
        clauses
    }

    /// `None`: no key tells when it does not hold.
    fn clause(&mut self, condition: &Condition, depth: usize) -> Option<Clause> {
        match condition {
            Condition::Source(networks) => {
                let field = self.number(Field::Source)?;
                Some(networks.iter().filter_map(|network| key_of_network(field, network)).collect())
            }
            Condition::Listener(names) => {
                self.words(Field::Listener, names.iter().map(|name| name.as_bytes()))
            }
            // Others than those we know are all meant by it.
            Condition::Method(methods) if methods.contains(&MethodPattern::Known(Method::Other)) => None,
            Condition::Method(methods) => self.words(
                Field::Method,
                methods.iter().map(|method| match method {
                    MethodPattern::Known(method) => method.name().as_bytes(),
                    MethodPattern::Other(name) => name.as_bytes(),
                }),
            ),
            Condition::Number(party, patterns) => self.numbers(Field::Number(*party), patterns),
            Condition::Routing(patterns) => self.numbers(Field::Routing, patterns),
            Condition::User(party, patterns) => self.texts(Field::User(*party), patterns),
            Condition::Host(party, patterns) => self.texts(Field::Host(*party), patterns),
            Condition::Param(name, ValueTest::Is(patterns)) => {
                self.texts(Field::Param(name.clone()), patterns)
            }
            Condition::Any(choices) if depth < NESTING_MAX => {
                let mut all = Clause::new();
                for choice in choices {
                    let clauses = self.nested(choice, depth + 1);
                    all.extend(clauses.into_iter().min_by_key(|keys| (self.coarseness(keys), keys.len()))?);
                }
                Some(all)
            }
            // Transports and schemes are three, and access lists a few: a look-up costs more than it leaves out.
            Condition::Any(_)
            | Condition::Access(_)
            | Condition::Username(_)
            | Condition::Certificate(_)
            | Condition::Transport(_)
            | Condition::Scheme(_)
            | Condition::Param(_, ValueTest::Present | ValueTest::Absent)
            | Condition::Header(..)
            | Condition::Value(..)
            | Condition::In(..)
            | Condition::Time(_)
            | Condition::Not(_) => None,
        }
    }

    fn words<'w>(&mut self, field: Field, words: impl Iterator<Item = &'w [u8]>) -> Option<Clause> {
        let field = self.number(field)?;
        let probe = Probe { field, shape: Shape::Whole, len: 0 };
        words.map(|word| key(probe, word)).collect()
    }

    fn numbers(&mut self, field: Field, patterns: &[NumberPattern]) -> Option<Clause> {
        let field = self.number(field)?;
        let mut keys = Clause::new();
        for pattern in patterns {
            match &pattern.shape {
                NumberShape::Any | NumberShape::Regex(_) => return None,
                NumberShape::Exact(number) => {
                    keys.push(key(Probe { field, shape: Shape::Whole, len: 0 }, number)?);
                }
                NumberShape::Prefix(start) => keys.push(beginning(field, start)?),
                NumberShape::Range(first, last) => {
                    for start in cover::beginnings(first, last) {
                        keys.push(beginning(field, &start)?);
                    }
                }
            }
        }
        Some(keys)
    }

    fn texts(&mut self, field: Field, patterns: &[TextPattern]) -> Option<Clause> {
        let folds = field.is_folded();
        let field = self.number(field)?;
        let mut keys = Clause::new();
        for pattern in patterns {
            if pattern.fold != folds {
                return None;
            }
            let folded = |text: &[u8]| if folds { text.to_ascii_lowercase() } else { text.to_vec() };
            keys.push(match &pattern.shape {
                TextShape::Any | TextShape::Regex(_) => return None,
                TextShape::Exact(text) => key(Probe { field, shape: Shape::Whole, len: 0 }, &folded(text))?,
                TextShape::Prefix(text) => beginning(field, &folded(text))?,
                TextShape::Suffix(text) => ending(field, &folded(text))?,
            });
        }
        Some(keys)
    }

    /// Whether the values are few, so that a key tells little.
    fn coarseness(&self, keys: &[Key]) -> usize {
        let is_coarse = |key: &&Key| {
            let field = self.fields.get(usize::from(key.probe.field));
            matches!(field, Some(Field::Listener | Field::Method))
        };
        keys.iter().filter(is_coarse).count()
    }
}

impl Field {
    /// Whether values and patterns are compared in small letters.
    fn is_folded(&self) -> bool {
        matches!(self, Self::Host(_) | Self::Param(_))
    }
}

fn key(probe: Probe, value: &[u8]) -> Option<Key> {
    Some(Key { probe, hash: probe.key_of(value)? })
}

/// Of a text that is longer than a probe can say, the first 255 bytes are its key.
fn beginning(field: u16, start: &[u8]) -> Option<Key> {
    let len = u8::try_from(start.len()).unwrap_or(u8::MAX);
    key(Probe { field, shape: Shape::Starts, len }, start)
}

fn ending(field: u16, end: &[u8]) -> Option<Key> {
    let len = u8::try_from(end.len()).unwrap_or(u8::MAX);
    key(Probe { field, shape: Shape::Ends, len }, end)
}

fn key_of_network(field: u16, network: &IpNet) -> Option<Key> {
    let len = network.prefix_len();
    match network.addr() {
        IpAddr::V4(address) => key(Probe { field, shape: Shape::NetworkV4, len }, &address.octets()),
        IpAddr::V6(address) => key(Probe { field, shape: Shape::NetworkV6, len }, &address.octets()),
    }
}

/// Whether trying it changes what later conditions and templates see: a look-up in a table does.
fn has_effect(condition: &Condition, depth: usize) -> bool {
    match condition {
        Condition::In(..) => true,
        // Deeper ones are never tried, see `decide`.
        Condition::Not(_) | Condition::Any(_) if depth >= NESTING_MAX => false,
        Condition::Not(all) => all.iter().any(|inner| has_effect(inner, depth + 1)),
        Condition::Any(choices) => choices.iter().flatten().any(|inner| has_effect(inner, depth + 1)),
        Condition::Source(_)
        | Condition::Access(_)
        | Condition::Username(_)
        | Condition::Certificate(_)
        | Condition::Listener(_)
        | Condition::Transport(_)
        | Condition::Method(_)
        | Condition::Scheme(_)
        | Condition::Number(..)
        | Condition::Routing(_)
        | Condition::User(..)
        | Condition::Host(..)
        | Condition::Param(..)
        | Condition::Header(..)
        | Condition::Value(..)
        | Condition::Time(_) => false,
    }
}
