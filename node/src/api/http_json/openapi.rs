//! The OpenAPI document, made from the table of routes and from what the .proto files say. `docs/openapi.json` is this, and a test says so.

use std::collections::BTreeMap;

use assent_proto::describe::{Enumeration, Field, Kind, Label, Message, Method};
use serde_json::{Map, Value, json};

use super::routes::{Answer, ROUTES, Route, Verb};
use super::shape::{self, BASE64_SUFFIX, Shape};
use super::streams::PAGE_MAX;
use super::{OPENAPI_PATH, codes};

const ABOUT: &str = "Decisions of agents' actions on a replicated, tamper-evident ledger. Every method of the gRPC services has its path \
    here, with the same meaning: the same credentials, checks, errors and receipts. Any node answers; followers pass commands on to the \
    leader.\n\nConnections need a client certificate of the cluster's authority, and `authorization: Bearer <token>`. Bodies are JSON in \
    UTF-8; unknown fields, duplicate keys, nulls and wrong types are refused. Content that is recorded (`inputs`, …) is taken as the exact \
    text of the field's value, or in base64 under the field's name with `_base64`. In answers, numbers, truth values and lists always \
    stand; other fields stand when they are not empty.\n\nAn error says in `write` what became of the write: `refused` (nothing was recorded), \
    `not-accepted` (nothing was recorded, try again) or `outcome-unknown` (retry with the same request id only).";

/// The document as JSON text.
pub fn document() -> String {
    let mut schemas = Schemas::default();
    for route in ROUTES {
        let in_path: Vec<&str> = route.in_path().collect();
        if route.verb == Verb::Post {
            schemas.add(route.method.input, Side::Request, &in_path);
        }
        schemas.add(route.method.output, Side::Answer, &[]);
    }
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let verb = if route.verb == Verb::Get { "get" } else { "post" };
        paths.entry(route.path).or_default().insert(verb.to_owned(), operation(route));
    }
    let own = json!({"operationId": "openapi", "summary": "This document.", "tags": ["Description"],
        "responses": {"200": {"description": "An OpenAPI 3.1 document.", "content": {"application/json": {"schema": {"type": "object"}}}}}});
    paths.entry(OPENAPI_PATH).or_default().insert("get".to_owned(), own);
    let mut components = schemas.written();
    components.insert("Problem".to_owned(), problem());
    components.insert("EntriesPage".to_owned(), entries_page());
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Assent", "version": "1", "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{"certificate": [], "token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": codes::responses(),
            "securitySchemes": {
                "certificate": {"type": "mutualTLS", "description": "A client certificate of the cluster's authority."},
                "token": {"type": "http", "scheme": "bearer", "description": "64 lower-case hexadecimal characters."}}},
    });
    format!("{document:#}\n")
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(route: &Route) -> Value {
    let method = route.method;
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), json!(format!("{}.{}", method.service, method.name)));
    operation.insert("summary".to_owned(), json!(method.doc.lines().next().unwrap_or_default()));
    operation.insert("tags".to_owned(), json!([method.service]));
    let rest: Vec<&str> = method.doc.lines().skip(1).collect();
    if !rest.is_empty() {
        operation.insert("description".to_owned(), json!(rest.join("\n")));
    }
    let parameters = parameters(route);
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), json!(parameters));
    }
    if route.verb == Verb::Post {
        let media = if route.answer == Answer::Lines { "application/x-ndjson" } else { "application/json" };
        let body = json!({"required": true, "content": {media: {"schema": reference(method.input.name)}}});
        operation.insert("requestBody".to_owned(), body);
    }
    let mut responses = codes::of_route(route);
    responses.insert("200".to_owned(), answer(route.answer, method));
    operation.insert("responses".to_owned(), Value::Object(responses));
    Value::Object(operation)
}

fn answer(answer: Answer, method: &Method) -> Value {
    let schema = reference(method.output.name);
    match answer {
        Answer::One => json!({"description": "Done.", "content": {"application/json": {"schema": schema}}}),
        Answer::Lines => json!({"description": "One line for each line of the body.",
            "content": {"application/x-ndjson": {"schema": schema}}}),
        Answer::Entries => json!({
            "description": "A page; or, with `follow=true` or `accept: text/event-stream`, events named `entry` whose id is the entry's \
                seq and whose data is the entry; `last-event-id` goes on behind it.",
            "content": {"application/json": {"schema": reference("EntriesPage")}, "text/event-stream": {"schema": {"type": "string"}}}}),
    }
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path: Vec<&str> = route.in_path().collect();
    let fields = route.method.input.fields.iter();
    let fields = fields.filter(|field| route.verb == Verb::Get || in_path.contains(&field.name));
    let parameter = |field: &Field| {
        let place = if in_path.contains(&field.name) { "path" } else { "query" };
        let mut schema = value(field);
        let doc = schema.as_object_mut().and_then(|schema| schema.remove("description")).unwrap_or(json!(""));
        json!({"name": field.name, "in": place, "required": place == "path", "description": doc, "schema": schema})
    };
    fields.map(parameter).collect()
}

/// On which side of a call a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Request,
    Answer,
}

/// The messages that the routes use, and on which sides.
#[derive(Default)]
struct Schemas {
    used: BTreeMap<&'static str, (&'static Message, Vec<Side>, Vec<String>)>,
}

impl Schemas {
    fn add(&mut self, message: &'static Message, side: Side, in_path: &[&str]) {
        let used = self.used.entry(message.name).or_insert((message, Vec::new(), Vec::new()));
        used.1.push(side);
        used.2.extend(in_path.iter().map(|name| (*name).to_owned()));
        for field in message.fields {
            if let Kind::Message(inner) = field.kind {
                self.add(inner, side, &[]);
            }
        }
    }

    fn written(&self) -> Map<String, Value> {
        let written = self.used.iter().map(|(name, (message, sides, in_path))| {
            let (asked, answered) = (sides.contains(&Side::Request), sides.contains(&Side::Answer));
            ((*name).to_owned(), object(message, asked, answered, in_path))
        });
        written.collect()
    }
}

fn object(message: &'static Message, asked: bool, answered: bool, in_path: &[String]) -> Value {
    let mut properties = Map::new();
    let mut required: Vec<&str> = Vec::new();
    let mut choices: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for field in message.fields.iter().filter(|field| !in_path.iter().any(|name| name == field.name)) {
        properties.insert(field.name.to_owned(), repeated(field));
        let bytes = matches!(field.kind, Kind::Bytes) && field.label != Label::Repeated;
        if bytes && shape::of(field) != Shape::Hex {
            let about = format!("The bytes of `{}` in base64, instead of it.", field.name);
            let schema = json!({"type": "string", "contentEncoding": "base64", "description": about});
            properties.insert(format!("{}{BASE64_SUFFIX}", field.name), schema);
        }
        let number = matches!(field.kind, Kind::Bool | Kind::Uint32 | Kind::Uint64) && field.label == Label::Single;
        if (number || field.label == Label::Repeated) && field.choice.is_none() {
            required.push(field.name);
        }
        if let Some(choice) = field.choice {
            choices.entry(choice).or_default().push(field.name);
        }
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if let Some(schema) = schema.as_object_mut() {
        if !message.doc.is_empty() {
            schema.insert("description".to_owned(), json!(message.doc));
        }
        if asked {
            schema.insert("additionalProperties".to_owned(), json!(false));
        }
        if answered && !asked && !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        for names in choices.values().filter(|_| answered) {
            let one: Vec<Value> = names.iter().map(|name| json!({"required": [name]})).collect();
            schema.insert("oneOf".to_owned(), json!(one));
        }
    }
    schema
}

fn repeated(field: &'static Field) -> Value {
    if field.label != Label::Repeated {
        return value(field);
    }
    let mut item = value(field);
    let doc = item.as_object_mut().and_then(|item| item.remove("description"));
    let mut list = json!({"type": "array", "items": item});
    if let (Some(list), Some(doc)) = (list.as_object_mut(), doc) {
        list.insert("description".to_owned(), doc);
    }
    list
}

fn value(field: &Field) -> Value {
    let mut schema = match field.kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Uint32 => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
        Kind::Uint64 => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
        Kind::String => json!({"type": "string"}),
        Kind::Enumeration(of) => json!({"type": "string", "enum": names(of)}),
        Kind::Bytes => match shape::of(field) {
            // Any JSON value: what is kept is its text.
            Shape::Raw => json!({}),
            Shape::Text => json!({"type": "string"}),
            Shape::Hex => json!({"type": "string", "pattern": "^([0-9a-f]{2})*$"}),
        },
        Kind::Message(kind) => reference(kind.name),
    };
    if let Some(schema) = schema.as_object_mut().filter(|_| !field.doc.is_empty()) {
        schema.insert("description".to_owned(), json!(field.doc));
    }
    schema
}

fn names(of: &Enumeration) -> Vec<&'static str> {
    of.values.iter().filter(|value| value.number > 0).map(|value| value.name).collect()
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong, what to do, and what became of the write.",
        "required": ["code", "message", "write", "retry_after_ms"],
        "properties": {
            "code": {"type": "string", "description": "A stable name in capitals; the responses list them by status."},
            "message": {"type": "string", "description": "What is wrong and what to do, in words."},
            "write": {"type": "string", "enum": ["refused", "not-accepted", "outcome-unknown"]},
            "retry_after_ms": {"type": "integer", "minimum": 0, "description": "How long to wait before trying again; 0 says nothing."}}
    })
}

fn entries_page() -> Value {
    json!({
        "type": "object",
        "description": format!("Entries in order, at most {PAGE_MAX}."),
        "required": ["entries"],
        "properties": {
            "entries": {"type": "array", "items": reference("EntryRecord")},
            "next_from_seq": {"type": "integer", "minimum": 0, "description": "Where the next page begins; absent when this is the last."}}
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_document_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let made = document();
        if std::env::var_os("ASSENT_BLESS").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == made, "docs/openapi.json is not what the node serves; run this test with ASSENT_BLESS=1");
    }

    #[test]
    fn every_operation_says_what_it_does_and_how_it_fails() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        for route in ROUTES {
            let verb = if route.verb == Verb::Get { "get" } else { "post" };
            let operation = &document["paths"][route.path][verb];
            let said = operation["summary"].as_str().unwrap_or_default();
            assert!(said.ends_with('.') || said.ends_with(':'), "{} {}: {said:?}", verb, route.path);
            for status in ["200", "400", "401", "403", "409", "503", "default"] {
                assert!(operation["responses"][status].is_object(), "{verb} {}: {status}", route.path);
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_its_own_name() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let mut ids = Vec::new();
        fn walk(document: &Value, value: &Value, ids: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
                    }
                    ids.extend(map.get("operationId").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|value| walk(document, value, ids));
                }
                Value::Array(items) => items.iter().for_each(|value| walk(document, value, ids)),
                _ => {}
            }
        }
        walk(&document, &document, &mut ids);
        assert_eq!(ids.len(), ROUTES.len() + 1);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), ROUTES.len() + 1);
    }
}
