//! Pure. Compares a file with the JSON Schema: keys, kinds of values, ranges. Finds every mistake.
//!
//! In:    the marked values of one file, the schema.
//! Out:   findings. A file without any can be read into the as-written types.
//! Never: judges meaning; `build` does.

use serde_json::{Map, Value};

use super::{
    findings::Findings,
    marks::{At, Kind},
    near::{did_you_mean, instead},
};
use crate::route::Place;

/// Notes everything in the file that the schema does not allow.
pub(super) fn check(root: At<'_>, schema: &Value, findings: &mut Findings) {
    Shape { schema, findings }.check(root, schema, &Label::File, &root.place());
}

struct Shape<'s, 'f> {
    schema: &'s Value,
    findings: &'f mut Findings,
}

/// How messages name a value.
#[derive(Clone)]
enum Label {
    File,
    Key(String),
    ItemOf(String),
}

impl Label {
    fn item(&self) -> Self {
        match self {
            Self::Key(name) => Self::ItemOf(name.clone()),
            other => other.clone(),
        }
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File => out.write_str("a route file"),
            Self::Key(name) => write!(out, "`{name}`"),
            Self::ItemOf(name) if name == "routes" => out.write_str("a route"),
            Self::ItemOf(name) => write!(out, "an item of `{name}`"),
        }
    }
}

/// What YAML makes of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found<'t> {
    Text(&'t str),
    /// `exact`: its value says the same as its text.
    Number {
        text: &'t str,
        value: f64,
        whole: bool,
        exact: bool,
    },
    Bool(&'t str),
    Nothing,
    List,
    Map,
}

impl<'s> Shape<'s, '_> {
    /// `place` is where the value, or what it belongs to, begins.
    fn check(&mut self, at: At<'_>, schema: &'s Value, label: &Label, place: &Place) {
        let found = found(at);
        let place = &if found == Found::Nothing { place.clone() } else { at.place() };
        let choices = self.choices(schema);
        let fitting: Vec<_> = choices.iter().copied().filter(|choice| fits(choice, found)).collect();
        let Some(&choice) = fitting.first() else {
            self.findings.error(place, wrong_kind(label, found, &choices));
            return;
        };
        match found {
            Found::Map => self.check_map(at, choice, label),
            Found::List => self.check_list(at, choice, label),
            Found::Text(text) => self.check_word(text, &fitting, &choices, label, place),
            Found::Number { text, value, exact, .. } => {
                self.check_number(text, value, exact, choice, label, place);
            }
            Found::Bool(_) | Found::Nothing => {}
        }
    }

    /// The schemas of which one must fit: references followed, choices within choices flattened.
    fn choices(&self, schema: &'s Value) -> Vec<&'s Value> {
        if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
            let target = path.strip_prefix('#').and_then(|path| self.schema.pointer(path));
            return target.map(|target| self.choices(target)).unwrap_or_default();
        }
        let inner = ["allOf", "anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array());
        match inner {
            Some(inner) => inner.iter().flat_map(|choice| self.choices(choice)).collect(),
            None => vec![schema],
        }
    }

    fn check_list(&mut self, at: At<'_>, choice: &'s Value, label: &Label) {
        let Some(items) = choice.get("items") else { return };
        // A condition with no alternative never holds, an answer with no Contact is none: nobody means it.
        if at.items().next().is_none() && !matches!(label, Label::Key(name) if name == "routes") {
            self.findings
                .error(&at.place(), format!("{label} is an empty list; fill it, or take the key out"));
        }
        let label = label.item();
        for item in at.items() {
            self.check(item, items, &label, &item.place());
        }
    }

    fn check_map(&mut self, at: At<'_>, choice: &'s Value, label: &Label) {
        let none = Map::new();
        let properties = choice.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let others = choice.get("additionalProperties").filter(|others| others.is_object());
        for (key, value) in at.entries() {
            let name = key.text().unwrap_or_default();
            let schema = choice.get("properties").and_then(|properties| properties.get(name)).or(others);
            match schema {
                Some(schema) => self.check(value, schema, &Label::Key(name.to_owned()), &key.place()),
                None => {
                    let message = self.unknown_key(name, properties, label);
                    self.findings.error(&key.place(), message);
                }
            }
        }
        let required = choice.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !at.entries().any(|(key, _)| key.text() == Some(name)) {
                let description =
                    properties.get(name).and_then(|it| it.get("description")).and_then(Value::as_str);
                let about = description.map(|text| format!(": {}", first_sentence(text))).unwrap_or_default();
                self.findings.error(&at.place(), format!("{label} needs the key `{name}`{about}"));
            }
        }
    }

    fn unknown_key(&self, name: &str, properties: &Map<String, Value>, label: &Label) -> String {
        if name == "<<" {
            return "merge keys (`<<`) are not supported; write the keys out, or use an alias (`*name`) for a whole value"
                .to_owned();
        }
        let word = if matches!(label, Label::File) { "section" } else { "key" };
        let known = || properties.keys().map(String::as_str);
        let elsewhere = match self.property_with(name, properties) {
            Some(under) if did_you_mean(name, known()).is_empty() => format!("; it belongs under `{under}`"),
            _ => String::new(),
        };
        let rest = instead(name, known, &format!("the {word}s are"));
        format!("{label} has no {word} `{name}`{elsewhere}{rest}")
    }

    /// The property whose map has the key `name`.
    fn property_with<'p>(&self, name: &str, properties: &'p Map<String, Value>) -> Option<&'p str> {
        let has = |schema: &Value| {
            // Borrowed for less than 's, so the references are followed here once more.
            let path = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
            let schema = path.and_then(|path| self.schema.pointer(path)).unwrap_or(schema);
            schema.get("properties").and_then(|inner| inner.get(name)).is_some()
        };
        let within = |schema: &Value| {
            let inner = ["allOf", "anyOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
            has(schema)
                || inner.clone().any(has)
                || inner.filter_map(|inner| inner.get("allOf")?.as_array()).flatten().any(has)
        };
        properties.iter().find(|(_, schema)| within(schema)).map(|(key, _)| key.as_str())
    }

    fn check_word(
        &mut self,
        text: &str,
        fitting: &[&'s Value],
        choices: &[&'s Value],
        label: &Label,
        place: &Place,
    ) {
        let known: Vec<&str> = fitting.iter().flat_map(|choice| words(choice)).collect();
        let free = fitting.iter().any(|choice| words(choice).next().is_none());
        if !free && !known.contains(&text) {
            let expected = expected(choices);
            let message = match did_you_mean(text, known) {
                near if near.is_empty() => format!("{label} is `{text}`; expected {expected}"),
                near => format!("{label} is `{text}`{near} Expected {expected}"),
            };
            self.findings.error(place, message);
        }
    }

    fn check_number(
        &mut self,
        text: &str,
        value: f64,
        exact: bool,
        choice: &Value,
        label: &Label,
        place: &Place,
    ) {
        if has_type(choice, "string") {
            if !exact {
                self.findings.error(
                    place,
                    format!("{label} is `{text}` without quotes, a number to YAML, which changes it; put it in quotes"),
                );
            }
            return;
        }
        let bound = |name: &str| choice.get(name).and_then(Value::as_f64);
        let (least, most) = (bound("minimum"), bound("maximum"));
        if least.is_some_and(|least| value < least) || most.is_some_and(|most| value > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("{least} or more"),
                (None, most) => format!("{} or less", most.unwrap_or_default()),
            };
            self.findings.error(place, format!("{label} is {text}; expected {range}"));
        }
    }
}

fn first_sentence(text: &str) -> String {
    let line = text.replace('\n', " ");
    line.split_once(". ").map_or(line.as_str(), |(first, _)| first).trim_end_matches('.').to_owned()
}

/// What the decoder will make of a value. A text without quotes that could be something else is shown
/// to the decoder itself, so that the two never differ.
fn found(at: At<'_>) -> Found<'_> {
    let text = match at.kind() {
        Kind::List(_) => return Found::List,
        Kind::Map(_) => return Found::Map,
        Kind::Scalar { text, plain: false } => return Found::Text(text),
        Kind::Scalar { text, plain: true } => text,
    };
    let text: &str = text;
    if text.is_empty() {
        return Found::Nothing;
    }
    let first = text.as_bytes().first().copied().unwrap_or(0);
    if !(first.is_ascii_digit() || b"+-.~tTfFnN".contains(&first)) {
        return Found::Text(text);
    }
    match serde_yaml::from_str(text) {
        Ok(serde_yaml::Value::Null) => Found::Nothing,
        Ok(serde_yaml::Value::Bool(_)) => Found::Bool(text),
        Ok(serde_yaml::Value::Number(number)) => Found::Number {
            text,
            value: number.as_f64().unwrap_or(f64::NAN),
            whole: number.is_i64() || number.is_u64(),
            exact: number.to_string() == text && number.as_f64().is_some_and(f64::is_finite),
        },
        Ok(_) => Found::Text(text),
        // Digits beyond what it can hold.
        Err(_) => Found::Number { text, value: f64::INFINITY, whole: false, exact: false },
    }
}

fn has_type(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(types)) => types.iter().any(|kind| kind == name),
        _ => false,
    }
}

fn fits(schema: &Value, found: Found<'_>) -> bool {
    match found {
        Found::Text(_) => has_type(schema, "string"),
        Found::Number { whole, .. } => has_type(schema, "number") || (whole && has_type(schema, "integer")),
        Found::Bool(_) => has_type(schema, "boolean"),
        Found::Nothing => has_type(schema, "null"),
        Found::List => has_type(schema, "array"),
        Found::Map => has_type(schema, "object"),
    }
}

/// The words that a schema allows; none when it allows any text.
fn words(schema: &Value) -> impl Iterator<Item = &str> {
    let many = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    schema.get("const").into_iter().chain(many).filter_map(Value::as_str)
}

/// What the choices allow, for a message.
fn expected(choices: &[&Value]) -> String {
    let mut all: Vec<String> = Vec::new();
    for choice in choices {
        let mut add = |word: String| {
            if !all.contains(&word) {
                all.push(word);
            }
        };
        let before = words(choice).map(|word| add(format!("`{word}`"))).count();
        if before > 0 {
            continue;
        }
        let kinds = [
            ("string", "a text"),
            ("integer", "a whole number"),
            ("number", "a number"),
            ("boolean", "true or false"),
            ("array", "a list"),
            ("object", "a map (`key: value`)"),
        ];
        if let Some((_, words)) = kinds.into_iter().find(|(kind, _)| has_type(choice, kind)) {
            add(words.to_owned());
        }
    }
    all.join(" or ")
}

fn wrong_kind(label: &Label, found: Found<'_>, choices: &[&Value]) -> String {
    let can_be = |kind: &str| choices.iter().any(|choice| has_type(choice, kind));
    let (is, hint) = match found {
        Found::Nothing => ("empty".to_owned(), "; write a value, or take the key out"),
        Found::Bool(text) if can_be("string") => {
            (format!("`{text}`"), "; put it in quotes if that text is meant")
        }
        Found::Bool(text) => (format!("`{text}`"), ""),
        Found::Text(text) if can_be("boolean") && ["yes", "no", "on", "off"].contains(&text) => {
            (format!("the text `{text}`"), "; YAML 1.2 knows only true and false")
        }
        Found::Text(text) if can_be("integer") && text.parse::<u32>().is_ok() => {
            (format!("the text \"{text}\""), "; take the quotes off")
        }
        Found::Text(text) => (format!("the text `{text}`"), ""),
        Found::Number { text, .. } => (format!("the number {text}"), ""),
        Found::List => ("a list".to_owned(), ""),
        Found::Map if can_be("array") && !can_be("object") && !can_be("string") => {
            ("a map".to_owned(), "; begin every item with `- `")
        }
        Found::Map => ("a map".to_owned(), ""),
    };
    format!("{label} is {is}; expected {}{hint}", expected(choices))
}
