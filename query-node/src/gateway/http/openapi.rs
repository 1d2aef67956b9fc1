//! Description of the HTTP door for programs: OpenAPI 3.1.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::problem::json_response;

/// Returns the description.
pub(super) async fn document() -> Response {
    json_response(StatusCode::OK, &described())
}

fn problem(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": description, "content": { "application/problem+json": { "schema": schema } } })
}

fn of_json(description: &str, schema: &str) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn described() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Wanqu", "version": "1", "description": "Questions to a federation, at the gateway of one member" },
        "security": [{ "token": [] }],
        "paths": paths(),
        "components": components(),
    })
}

fn paths() -> Value {
    let id =
        json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } }]);
    let key = json!([{
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A request that is sent again with the same key and question is the same query",
        "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
    }]);
    let rows: serde_json::Map<String, Value> =
        ["application/vnd.apache.arrow.stream", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet"]
            .into_iter()
            .map(|form| (form.to_owned(), json!({})))
            .collect();
    let (none, refused) =
        (problem("There is no such query of yours"), problem("A refusal, with code, rule and remedy"));
    json!({
        "/v1/queries": { "post": {
            "operationId": "submit", "parameters": key,
            "requestBody": { "required": true, "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Question" } } } },
            "responses": { "202": of_json("It runs, or waits; Location is where to look", "Query"), "default": refused },
        } },
        "/v1/queries/{id}": {
            "get": { "operationId": "status", "parameters": id,
                "responses": { "200": of_json("How far it is", "Query"), "404": none, "default": refused } },
            "delete": { "operationId": "cancel", "parameters": id,
                "responses": { "204": { "description": "It is cancelled" }, "404": none, "default": refused } },
        },
        "/v1/queries/{id}/events": { "get": { "operationId": "events", "parameters": id,
            "responses": {
                "200": { "description": "Events waiting, running, answered and refused, with a Query as data",
                    "content": { "text/event-stream": {} } },
                "404": none, "default": refused,
            } } },
        "/v1/queries/{id}/rows": { "get": { "operationId": "rows", "parameters": id,
            "responses": {
                "200": { "description": "The rows; a body that breaks off is not whole", "content": rows },
                "404": none, "406": problem("Rows have no such form"), "409": problem("It has not ended"), "default": refused,
            } } },
        "/v1/catalog": { "get": { "operationId": "catalog",
            "responses": {
                "200": { "description": "The tables that a query can name",
                    "content": { "application/json": { "schema": { "type": "array", "items": { "type": "object" } } } } },
                "default": refused,
            } } },
        "/v1/openapi.json": { "get": { "operationId": "openapi", "security": [],
            "responses": { "200": { "description": "This description", "content": { "application/json": {} } } } } },
    })
}

fn components() -> Value {
    json!({
        "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        "schemas": {
            "Question": {
                "type": "object", "required": ["sql"], "additionalProperties": false,
                "properties": {
                    "sql": { "type": "string" },
                    "values": { "type": "array", "items": { "type": ["string", "number", "boolean", "null"] } },
                    "project": { "type": ["string", "null"] },
                    "purpose": { "type": ["string", "null"] },
                    "partial": { "type": "boolean" },
                    "markIncomplete": { "type": "boolean" },
                },
            },
            "Query": {
                "type": "object", "required": ["id", "state"],
                "properties": {
                    "id": { "type": "string", "format": "uuid" },
                    "state": { "enum": ["waiting", "running", "answered", "refused"] },
                    "waitingBehind": { "type": "integer" },
                    "released": { "type": ["number", "null"] },
                    "account": { "type": "object" },
                    "rows": { "type": "string" },
                    "problem": { "$ref": "#/components/schemas/Problem" },
                },
            },
            "Problem": {
                "type": "object", "required": ["type", "title", "status", "code"],
                "properties": {
                    "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                    "detail": { "type": "string" }, "code": { "type": "string" },
                    "rule": { "type": ["string", "null"] }, "subject": { "type": ["string", "null"] },
                    "owner": { "type": ["string", "null"] }, "remedy": { "type": ["string", "null"] },
                },
            },
        },
    })
}
