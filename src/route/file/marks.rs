//! Pure. YAML with the place of every value: what the messages point at.
//!
//! In:    the text of one file.
//! Out:   a tree of its values, each with line and column; aliases point at what they stand for.
//! Never: expands an alias, or goes deeper or on longer than the limits say.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::{
    limits::{NESTING_MAX, YAML_NODES_MAX},
    route::Place,
};

/// Index of a value in its [`Tree`].
type NodeId = usize;

/// The values of one file. Value 0 is the whole of it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    line: u32,
    column: u32,
    kind: Kind,
    /// Values in it and itself, after aliases are expanded.
    values: usize,
    /// Lists and maps, one in the other, from here down.
    height: usize,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    /// `plain`: without quotes.
    Scalar {
        text: Box<str>,
        plain: bool,
    },
    List(Vec<NodeId>),
    /// Keys, which are scalars, and values.
    Map(Vec<(NodeId, NodeId)>),
}

/// Something wrong with the YAML itself.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) message: String,
}

/// A value in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'t> {
    pub(super) file: &'t str,
    tree: &'t Tree,
    node: NodeId,
}

impl<'t> At<'t> {
    /// The whole of a file; `None` when there is nothing in it.
    pub(super) fn root(file: &'t str, tree: &'t Tree) -> Option<Self> {
        (!tree.nodes.is_empty()).then_some(Self { file, tree, node: 0 })
    }

    fn to(self, node: NodeId) -> Self {
        Self { node, ..self }
    }

    pub(super) fn kind(self) -> &'t Kind {
        const NOTHING: &Kind = &Kind::List(Vec::new());
        self.tree.nodes.get(self.node).map_or(NOTHING, |node| &node.kind)
    }

    pub(super) fn place(self) -> Place {
        let (line, column) = self.tree.nodes.get(self.node).map_or((1, 1), |node| (node.line, node.column));
        Place { file: self.file.into(), line, column }
    }

    /// The text of a scalar.
    pub(super) fn text(self) -> Option<&'t str> {
        match self.kind() {
            Kind::Scalar { text, .. } => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Keys and values of a map, in file order.
    pub(super) fn entries(self) -> impl Iterator<Item = (Self, Self)> {
        let entries = if let Kind::Map(entries) = self.kind() { entries.as_slice() } else { &[] };
        entries.iter().map(move |&(key, value)| (self.to(key), self.to(value)))
    }

    /// Items of a list.
    pub(super) fn items(self) -> impl Iterator<Item = Self> {
        let items = if let Kind::List(items) = self.kind() { items.as_slice() } else { &[] };
        items.iter().map(move |&item| self.to(item))
    }

    /// The value of a key; the map itself when it has no such key, so that there is always a place.
    pub(super) fn key(self, name: &str) -> Self {
        self.entries().find(|(key, _)| key.text() == Some(name)).map_or(self, |(_, value)| value)
    }

    /// An item of a list; anything else is a list of one.
    pub(super) fn item(self, index: usize) -> Self {
        match self.kind() {
            Kind::List(items) => items.get(index).map_or(self, |&item| self.to(item)),
            Kind::Scalar { .. } | Kind::Map(_) => self,
        }
    }

    /// Key and value of an entry of a map, by its index.
    pub(super) fn entry(self, index: usize) -> (Self, Self) {
        match self.kind() {
            Kind::Map(entries) => {
                entries.get(index).map_or((self, self), |&(key, value)| (self.to(key), self.to(value)))
            }
            Kind::Scalar { .. } | Kind::List(_) => (self, self),
        }
    }
}

/// Reads a file. Keys that are given twice are all reported; anything else ends the reading.
pub(super) fn read(text: &str) -> Result<Tree, Vec<Fault>> {
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let result = match event {
            Ok((event, span)) => reader.take(event, span),
            Err(error) => Err(fault(*error.marker(), syntax_message(error.info()))),
        };
        if let Err(fault) = result {
            reader.faults.push(fault);
            break;
        }
    }
    if reader.faults.is_empty() { Ok(Tree { nodes: reader.nodes }) } else { Err(reader.faults) }
}

fn syntax_message(info: &str) -> String {
    let hint = if info.contains("mapping values") || info.contains("simple key") {
        "; a text with `: ` in it needs quotes, and every key of a map the same indentation"
    } else if info.contains("tab") {
        "; indent with spaces"
    } else if info.contains("character that cannot start") {
        "; a text that begins with @, `, %, * or & needs quotes"
    } else if info.contains("unknown anchor") {
        "; a text that begins with * needs quotes"
    } else {
        ""
    };
    format!("not YAML: {info}{hint}")
}

fn fault(mark: saphyr_parser::Marker, message: String) -> Fault {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Fault { line: number(mark.line()), column: number(mark.col()).saturating_add(1), message }
}

#[derive(Default)]
struct Reader {
    nodes: Vec<Node>,
    /// Lists and maps that are not ended yet.
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    documents: usize,
    faults: Vec<Fault>,
}

struct Open {
    node: NodeId,
    anchor: usize,
    span: Span,
    items: Vec<NodeId>,
    /// Where each key of a map was first seen; `None` for a list.
    keys: Option<HashMap<Box<str>, (u32, u32)>>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(_) => self.start_document(span),
            Event::Scalar(text, style, anchor, tag) => {
                no_tag(tag.is_some(), span)?;
                let kind = Kind::Scalar { text: (*text).into(), plain: style == ScalarStyle::Plain };
                let node = self.add(kind, span)?;
                self.done(node, anchor, span)
            }
            Event::SequenceStart(anchor, tag) => self.start(anchor, tag.is_some(), false, span),
            Event::MappingStart(anchor, tag) => self.start(anchor, tag.is_some(), true, span),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(&node) = self.anchors.get(&anchor) else {
                    return Err(fault(span.start, "this alias stands inside what it stands for".to_owned()));
                };
                self.attach(node, span)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn start_document(&mut self, span: Span) -> Result<(), Fault> {
        self.documents += 1;
        if self.documents > 1 {
            let message =
                "a second YAML document begins here; a route file is one document, so take the `---` out";
            return Err(fault(span.start, message.to_owned()));
        }
        Ok(())
    }

    fn add(&mut self, kind: Kind, span: Span) -> Result<NodeId, Fault> {
        if self.nodes.len() >= YAML_NODES_MAX {
            return Err(fault(span.start, too_many()));
        }
        let Fault { line, column, .. } = fault(span.start, String::new());
        self.nodes.push(Node { line, column, kind, values: 1, height: 0 });
        Ok(self.nodes.len() - 1)
    }

    fn start(&mut self, anchor: usize, tagged: bool, is_map: bool, span: Span) -> Result<(), Fault> {
        no_tag(tagged, span)?;
        if self.open.len() >= NESTING_MAX {
            return Err(fault(span.start, too_deep()));
        }
        let node = self.add(Kind::List(Vec::new()), span)?;
        let keys = is_map.then(HashMap::new);
        self.open.push(Open { node, anchor, span, items: Vec::new(), keys });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(Open { node, anchor, span, items, keys }) = self.open.pop() else { return Ok(()) };
        let inner = || items.iter().filter_map(|&item| self.nodes.get(item));
        let values = inner().fold(1_usize, |sum, item| sum.saturating_add(item.values));
        let height = inner().map(|item| item.height).max().unwrap_or(0).saturating_add(1);
        if values > YAML_NODES_MAX {
            return Err(fault(span.start, too_many()));
        }
        if self.open.len().saturating_add(height) > NESTING_MAX {
            return Err(fault(span.start, too_deep()));
        }
        let kind = if keys.is_some() {
            Kind::Map(items.as_chunks().0.iter().map(|&[key, value]| (key, value)).collect())
        } else {
            Kind::List(items)
        };
        if let Some(place) = self.nodes.get_mut(node) {
            *place = Node { kind, values, height, ..*place };
        }
        self.done(node, anchor, span)
    }

    fn done(&mut self, node: NodeId, anchor: usize, span: Span) -> Result<(), Fault> {
        if anchor > 0 {
            self.anchors.insert(anchor, node);
        }
        self.attach(node, span)
    }

    fn attach(&mut self, node: NodeId, span: Span) -> Result<(), Fault> {
        let Some(parent) = self.open.last_mut() else { return Ok(()) };
        if let Some(keys) = &mut parent.keys
            && parent.items.len() % 2 == 0
        {
            let Some(Kind::Scalar { text, .. }) = self.nodes.get(node).map(|node| &node.kind) else {
                return Err(fault(span.start, "a key is a text here, never a list or a map".to_owned()));
            };
            let here = fault(span.start, String::new());
            if let Some((line, column)) = keys.get(text) {
                let message = format!("`{text}` is given twice; the first is at {line}:{column}");
                self.faults.push(Fault { message, ..here });
            } else {
                keys.insert(text.clone(), (here.line, here.column));
            }
        }
        parent.items.push(node);
        Ok(())
    }
}

fn no_tag(tagged: bool, span: Span) -> Result<(), Fault> {
    if tagged {
        let message =
            "a YAML tag (`!…`) means nothing here; take it out, and put a text that begins with ! in quotes";
        return Err(fault(span.start, message.to_owned()));
    }
    Ok(())
}

fn too_many() -> String {
    format!(
        "more than {YAML_NODES_MAX} values, aliases expanded; put numbers into a table (`tables:`) instead of YAML"
    )
}

fn too_deep() -> String {
    format!(
        "nested more than {NESTING_MAX} deep; move the inner routes or conditions into a list of their own"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let faults = read(text).expect_err(text);
        faults
            .iter()
            .map(|fault| format!("{}:{} {}", fault.line, fault.column, fault.message))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn every_value_knows_its_place() {
        let tree =
            read("routes:\n  - name: a\n    answer: { contacts: [x, \"y\"] }\n  - 404\n").expect("YAML");
        let root = At::root("f", &tree).expect("root");
        let routes = root.key("routes");
        let place = |at: At<'_>| (at.place().line, at.place().column);
        assert_eq!(place(routes.item(0)), (2, 5));
        assert_eq!(place(routes.item(0).key("answer").key("contacts").item(1)), (3, 29));
        assert_eq!(place(routes.item(1)), (4, 5));
        assert_eq!(place(root.entry(0).0), (1, 1));
        assert_eq!(place(routes.item(0).key("nothing")), (2, 5), "what is not there stands where it belongs");
        assert!(At::root("f", &read("# only a comment\n").expect("YAML")).is_none());
    }

    #[test]
    fn aliases_stand_for_what_they_name() {
        let tree = read("a: &x [1, 2]\nb: *x\n").expect("YAML");
        let root = At::root("f", &tree).expect("root");
        assert_eq!(root.key("b").item(1).text(), Some("2"));
    }

    #[test]
    fn an_alias_bomb_ends_at_once() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let inner = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
        }
        assert!(message(&bomb).starts_with("6:5 more than 1000000 values"), "{}", message(&bomb));
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(NESTING_MAX)).is_ok());
        assert!(message(&nested(NESTING_MAX + 1)).contains("nested more than 32"));
        assert_eq!(message(&"[".repeat(1_000_000)), "1:256 not YAML: recursion limit exceeded");
        let half = nested(NESTING_MAX / 2);
        let through_alias =
            |depth: usize| format!("- &a {half}\n- {}*a{}\n", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&through_alias(NESTING_MAX / 2 - 1)).is_ok());
        assert!(message(&through_alias(NESTING_MAX / 2)).contains("nested more than 32"));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, expected) in [
            (
                "a: 1\nb: 2\na: 3\nb: 4\n",
                "3:1 `a` is given twice; the first is at 1:1\n4:1 `b` is given twice",
            ),
            ("a: 1\n---\nb: 2\n", "2:1 a second YAML document"),
            ("a: !x 1\n", "a YAML tag"),
            ("[a]: 1\n", "1:1 a key is a text"),
            ("a: &x [*x]\n", "1:8 this alias stands inside"),
            ("a: *x\n", "begins with * needs quotes"),
            ("a: b: c\n", "not YAML: "),
            ("a:\n\t- b\n", "indent with spaces"),
            ("a: [1, 2\n", "not YAML: "),
        ] {
            assert!(message(text).contains(expected), "{text:?}: {}", message(text));
        }
    }
}
