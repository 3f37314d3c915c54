//! Pure. The JSON Schema of a route file: editors complete keys by it, and [`super::shape`] checks
//! files against it, so that the two cannot differ.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::written::FileWritten;

/// JSON Schema (draft 7, what editors' YAML plugins read best) of a route file.
#[must_use]
pub fn schema() -> Value {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<FileWritten>();
    let mut schema = schema.to_value();
    tidy(&mut schema);
    // A section whose items are all commented out is empty, not wrong.
    if let Some(sections) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for section in sections.values_mut() {
            allow_null(section);
        }
    }
    schema
}

/// Takes out what the derive adds and a reader of the schema does not need: `null` for keys that may
/// be left out, defaults that are nothing, number formats.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            // A number format is a text; a key of ours with that name is a schema.
            if map.get("format").is_some_and(Value::is_string) {
                map.remove("format");
            }
            if map.get("default").is_some_and(is_nothing) {
                map.remove("default");
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                if choices.len() == 1
                    && let Some(Value::Object(only)) = choices.pop()
                {
                    map.remove("anyOf");
                    absorb(map, only);
                }
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Moves the keys of the only choice up. A `$ref` stands alone in draft 7, so one with neighbours is
/// put into `allOf`.
fn absorb(map: &mut Map<String, Value>, only: Map<String, Value>) {
    if only.contains_key("$ref") && !map.is_empty() {
        map.insert("allOf".to_owned(), Value::Array(vec![Value::Object(only)]));
        return;
    }
    for (key, value) in only {
        map.entry(key).or_insert(value);
    }
}

fn allow_null(section: &mut Value) {
    if let Some(kind) = section.get_mut("type") {
        *kind = Value::Array(vec![kind.take(), Value::String("null".to_owned())]);
    }
}
