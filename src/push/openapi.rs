//! The `OpenAPI` document of the JSON interface.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    import::Record,
    push::{
        Rules,
        articles::{BatchWritten, StoredBody, Written},
        reply::ProblemBody,
    },
};

/// Where schemas are, as `$ref` has it.
const SCHEMAS: &str = "/components/schemas";

/// The document; its addresses are those of `rules`.
pub fn document(rules: &Rules) -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = SCHEMAS.into());
    let mut generator = settings.into_generator();
    let record = reference::<Record>(&mut generator);
    let written = reference::<Written>(&mut generator);
    let batch = reference::<BatchWritten>(&mut generator);
    let stored = reference::<StoredBody>(&mut generator);
    let problem = reference::<ProblemBody>(&mut generator);
    let answers = Answers { problem };
    let schemas = generator.take_definitions(true);
    let base = rules.base.as_str().trim_end_matches('/');
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Courant: articles",
            "version": "1",
            "description": "Articles are pushed as records. What a record may say is in its schema; `docs/push.md` \
                has the rest. A write is on disk before it is answered.",
        },
        "servers": [{ "url": base }],
        "security": [{ "token": [] }],
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas,
        },
        "paths": {
            "/articles": {
                "post": {
                    "operationId": "pushArticles",
                    "summary": "Hand in several articles; one transaction, one revision",
                    "parameters": [flag("atomic", "All or none."), republish(), idempotency_key()],
                    "requestBody": {
                        "required": true,
                        "description": format!(
                            "Up to {} records and {} bytes; as an array, or one a line as `application/x-ndjson`.",
                            rules.max_records, rules.max_body_bytes
                        ),
                        "content": { "application/json": {
                            "schema": { "type": "array", "items": record, "minItems": 1, "maxItems": rules.max_records },
                        } },
                    },
                    "responses": answers.with(json!({
                        "200": json_answer("Every record was taken.", &batch, false),
                        "207": json_answer("Some were taken, some were refused.", &batch, false),
                        "422": {
                            "description": "None was taken, or the key belongs to another request.",
                            "content": {
                                "application/json": { "schema": batch },
                                "application/problem+json": { "schema": answers.problem },
                            },
                        },
                    }), &["400", "408", "409", "413", "415"]),
                },
            },
            "/articles/{id}": {
                "parameters": [{
                    "name": "id",
                    "in": "path",
                    "required": true,
                    "description": "The publisher's own key, percent-encoded.",
                    "schema": { "type": "string", "minLength": 1, "maxLength": 512 },
                }],
                "get": {
                    "operationId": "readArticle",
                    "summary": "See what is stored of an article",
                    "parameters": [if_match(), if_none_match()],
                    "responses": answers.with(json!({
                        "200": json_answer("It is there.", &stored, true),
                        "304": { "description": "It is as it was.", "headers": etag() },
                    }), &["400", "404", "410", "412"]),
                },
                "put": {
                    "operationId": "putArticle",
                    "summary": "Hand in an article",
                    "parameters": [if_match(), if_none_match(), republish(), idempotency_key()],
                    "requestBody": {
                        "required": true,
                        "description": "The whole record; its `id` may be left out.",
                        "content": { "application/json": { "schema": optional_id(&record) } },
                    },
                    "responses": answers.with(json!({
                        "200": json_answer("The article was there.", &written, true),
                        "201": json_answer("The article is new.", &written, true),
                    }), &["400", "404", "408", "409", "412", "413", "415", "422"]),
                },
                "delete": {
                    "operationId": "withdrawArticle",
                    "summary": "Take an article back",
                    "parameters": [if_match(), idempotency_key()],
                    "responses": answers.with(json!({
                        "200": json_answer("It is withdrawn.", &written, false),
                    }), &["400", "404", "409", "412", "422"]),
                },
            },
        },
    })
}

fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// A record whose id the address says.
fn optional_id(record: &Value) -> Value {
    // An id that is written as well has to be the same, which no schema can say: so it is left out here.
    json!({ "anyOf": [record, { "type": "object", "not": { "required": ["id"] } }] })
}

/// What goes wrong in the same way everywhere.
struct Answers {
    problem: Value,
}

impl Answers {
    fn with(&self, own: Value, others: &[&str]) -> Value {
        let Value::Object(mut answers) = own else { return own };
        let all = ["401", "403", "405", "414", "421", "429", "431", "500", "503"];
        for status in others.iter().chain(&all) {
            answers.insert((*status).to_owned(), self.answer(status));
        }
        Value::Object(answers)
    }

    fn answer(&self, status: &str) -> Value {
        let description = match status {
            "400" => "The request is not as it should be.",
            "401" => "No token that is good.",
            "403" => "The token is not good for this.",
            "404" => "There is no such article.",
            "405" => "Something else can be done here; `Allow` says what.",
            "408" => "The body took too long.",
            "409" => "The store has something that this would contradict.",
            "410" => "The article was withdrawn.",
            "412" => "The article is in another state; `revision` says in which.",
            "413" => "The body is too large.",
            "414" => "The address is too long.",
            "415" => "The body is of another type.",
            "421" => "Another host.",
            "422" => {
                "The record is refused, and `errors` says why; or the key belongs to another request."
            }
            "429" => "Too many requests; `Retry-After` says when to come again.",
            "431" => "The header is too large.",
            "503" => "Not now; `Retry-After` says when to come again.",
            _ => "Our fault.",
        };
        let mut answer = json!({
            "description": description,
            "content": { "application/problem+json": { "schema": self.problem } },
        });
        let field = match status {
            "401" => Some("WWW-Authenticate"),
            "405" => Some("Allow"),
            "429" | "503" => Some("Retry-After"),
            _ => None,
        };
        if let Some(field) = field {
            let mut fields = Map::new();
            fields.insert(field.to_owned(), json!({ "schema": { "type": "string" } }));
            answer["headers"] = fields.into();
        }
        answer
    }
}

fn json_answer(description: &str, schema: &Value, is_tagged: bool) -> Value {
    let mut answer = json!({
        "description": description,
        "content": { "application/json": { "schema": schema } },
    });
    if is_tagged {
        answer["headers"] = etag();
    }
    answer
}

fn etag() -> Value {
    json!({ "ETag": { "description": "`\"r…\"` with the revision.", "schema": { "type": "string" } } })
}

fn flag(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": { "type": "boolean" } })
}

fn republish() -> Value {
    flag("republish", "Publish withdrawn articles again; needs the scope `withdraw`.")
}

fn field(name: &str, description: &str, pattern: &str) -> Value {
    let schema = json!({ "type": "string", "pattern": pattern });
    json!({ "name": name, "in": "header", "description": description, "schema": schema })
}

fn if_match() -> Value {
    let pattern = "^(\\*|\"r[0-9]{1,15}\")$";
    field("If-Match", "Only if the article is in this state; `*`: in any.", pattern)
}

fn if_none_match() -> Value {
    let pattern = "^(\\*|\"r[0-9]{1,15}\")$";
    field("If-None-Match", "Only if the article is in another state; `*`: in none.", pattern)
}

fn idempotency_key() -> Value {
    field(
        "Idempotency-Key",
        "The same key with the same request is answered as before, for a day.",
        "^\"[!#-~]{1,255}\"$",
    )
}
