//! Outside. `GET /api/v1/openapi.json`: the API as a document, made of [`OPERATIONS`] and of the types that are read
//! and written.
//!
//! In:    nothing.
//! Out:   OpenAPI 3.1.
//! Never: says what is not so: it is made of what answers.

use std::sync::{Arc, LazyLock};

use axum::{extract::State, http::StatusCode, response::Response};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    Admin,
    access::{OPEN, wants_token},
    answer::{Problem, json as answer_json},
    operations::{Body, Content, OPERATIONS, Operation},
};

/// It does not change while the process runs.
static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

pub(super) async fn answer(State(_): State<Arc<Admin>>) -> Response {
    answer_json(StatusCode::OK, &*DOCUMENT)
}

/// What is told is written, what is asked is read: an `Option` is there and null in the one, and may be left out of the
/// other.
struct Schemas {
    told: SchemaGenerator,
    asked: SchemaGenerator,
}

fn document() -> Value {
    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let mut schemas = Schemas {
        told: settings().for_serialize().into_generator(),
        asked: settings().for_deserialize().into_generator(),
    };
    let mut paths = Map::new();
    for operation in OPERATIONS {
        for path in std::iter::once(operation.path).chain(operation.old_path) {
            let described = described(operation, path, &mut schemas);
            let methods = paths.entry(path).or_insert_with(|| json!({}));
            if let Some(methods) = methods.as_object_mut() {
                methods.insert(operation.method.to_ascii_lowercase(), described);
            }
        }
    }
    let mut definitions = schemas.told.take_definitions(true);
    definitions.extend(schemas.asked.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Waypost admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        // None, where the port has no token.
        "security": [{}, { "token": [] }],
    })
}

const DESCRIPTION: &str = "Sees and steers one Waypost server. Reads are GET, changes are POST. Where `admin` has a token_file, everything but the page, /metrics, /healthz and /readyz wants Authorization: Bearer TOKEN; on an address that other machines reach, metrics and probes are all there is where there is no token_file. A POST below /api comes as application/json or with the header X-Waypost: 1. Keys are added to answers, never taken away or changed.";

fn described(operation: &Operation, path: &str, schemas: &mut Schemas) -> Value {
    let is_old = operation.old_path == Some(path);
    let mut described = json!({
        "operationId": if is_old { format!("{}Old", operation.id) } else { operation.id.to_owned() },
        "summary": operation.summary,
        "responses": responses(operation, path, schemas),
    });
    let mut put = |key: &str, value: Value| {
        if let Some(described) = described.as_object_mut() {
            described.insert(key.to_owned(), value);
        }
    };
    if !operation.parameters.is_empty() {
        let parameter = |parameter: &super::operations::Parameter| {
            let schema = match parameter.is_number {
                true => json!({ "type": "integer", "minimum": 0 }),
                false => json!({ "type": "string" }),
            };
            let place = if parameter.is_in_path { "path" } else { "query" };
            json!({
                "name": parameter.name, "in": place, "required": parameter.is_in_path,
                "description": parameter.what, "schema": schema,
            })
        };
        put("parameters", operation.parameters.iter().map(parameter).collect());
    }
    if let Some(body) = operation.body {
        let content = match body {
            Body::Json(schema) => json!({ "application/json": { "schema": schema(&mut schemas.asked) } }),
            Body::Text(media) => media
                .iter()
                .map(|media| ((*media).to_owned(), json!({ "schema": { "type": "string" } })))
                .collect(),
        };
        put("requestBody", json!({ "required": true, "content": content }));
    }
    if !wants_token(path) {
        put("security", json!([]));
    }
    described
}

fn responses(operation: &Operation, path: &str, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    let mut put = |status: u16, what: &str, content: Content| {
        let content = match content {
            Content::Html => json!({ "text/html": { "schema": { "type": "string" } } }),
            Content::Text => json!({ "text/plain": { "schema": { "type": "string" } } }),
            Content::Json(schema) => json!({ "application/json": { "schema": schema(&mut schemas.told) } }),
        };
        responses.insert(status.to_string(), json!({ "description": what, "content": content }));
    };
    for (status, what, content) in operation.says {
        put(*status, what, *content);
    }
    let problem = Content::Json(|schemas| schemas.subschema_for::<Problem>());
    if wants_token(path) {
        put(401, "The token is missing or wrong.", problem);
    }
    if !OPEN.contains(&path) {
        put(403, "This may not be asked from there, and what to do.", problem);
    }
    responses.into()
}
