//! A request model (JSON Schema draft 4) as an OpenAPI 3.0 schema that says exactly the same.
//!
//! OpenAPI 3.0 has its own dialect: one type at most, no `$schema`, `items` on every array. What is
//! written differently here is judged alike; what cannot be said, or what API Gateway is known to
//! drop when it imports a model, is refused by name (developer guide, "important notes": `default`,
//! `exclusiveMinimum`, `maxItems` and `minItems`).

use super::Error;
use serde_json::{Map, Value, json};

/// Deepest nesting of subschemas, as deep as the twin compiles.
const LEVELS_MAX: usize = 100;

/// The schema of the model of this name.
///
/// # Errors
/// The name or the schema would not come through an import as they are.
pub(super) fn render(model: &str, schema: &Value) -> Result<Value, Error> {
    if model.is_empty() || !model.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Error::ModelName { model: model.to_owned() });
    }
    Renderer { model }.schema(schema, "", 0)
}

struct Renderer<'a> {
    model: &'a str,
}

impl Renderer<'_> {
    fn refuse(&self, what: impl Into<String>, pointer: &str) -> Error {
        Error::Model {
            model: self.model.to_owned(),
            what: what.into(),
            pointer: format!("#{pointer}"),
        }
    }

    fn schema(&self, schema: &Value, pointer: &str, level: usize) -> Result<Value, Error> {
        if level > LEVELS_MAX {
            return Err(self.refuse("nesting that deep", pointer));
        }
        let Some(schema) = schema.as_object() else {
            return Err(self.refuse("what is no schema", pointer));
        };
        let mut rendered = Map::new();
        let mut types = Vec::new();
        for (keyword, value) in schema {
            let at = format!("{pointer}/{keyword}");
            let below = |value: &Value, at: &str| self.schema(value, at, level + 1);
            let value = match (keyword.as_str(), value) {
                // The dialect is the document's.
                ("$schema", _) => continue,
                ("type", value) => {
                    types = self.types(value, &at)?;
                    continue;
                }
                ("properties", Value::Object(members)) => members
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), below(value, &format!("{at}/{name}"))?)))
                    .collect::<Result<Map<_, _>, Error>>()?
                    .into(),
                ("anyOf" | "oneOf" | "allOf", Value::Array(forms)) => forms
                    .iter()
                    .enumerate()
                    .map(|(n, form)| below(form, &format!("{at}/{n}")))
                    .collect::<Result<Vec<_>, Error>>()?
                    .into(),
                ("items" | "not", value) => below(value, &at)?,
                ("additionalProperties", Value::Bool(_)) => value.clone(),
                ("additionalProperties", value) => below(value, &at)?,
                ("enum", Value::Array(choices)) if !choices.contains(&Value::Null) => value.clone(),
                (
                    "title" | "description" | "required" | "minimum" | "maximum" | "minLength"
                    | "maxLength",
                    value,
                ) => value.clone(),
                _ => return Err(self.refuse(format!("`{keyword}`"), pointer)),
            };
            rendered.insert(keyword.clone(), value);
        }
        add_types(&mut rendered, &types);
        Ok(rendered.into())
    }

    /// The types that are let through.
    fn types<'v>(&self, value: &'v Value, pointer: &str) -> Result<Vec<&'v str>, Error> {
        let names = match value {
            Value::Array(names) if !names.is_empty() => names.as_slice(),
            name => std::slice::from_ref(name),
        };
        let name = |name: &'v Value| match name.as_str() {
            Some(name @ ("boolean" | "integer" | "number" | "string" | "array" | "object")) => {
                Ok(name)
            }
            _ => Err(self.refuse(format!("the type {name}"), pointer)),
        };
        names.iter().map(name).collect()
    }
}

/// Says the types: one as it is, several as alternatives.
fn add_types(schema: &mut Map<String, Value>, types: &[&str]) {
    match types {
        [] => {}
        [single] => {
            schema.insert("type".to_owned(), json!(single));
            if *single == "array" {
                schema.entry("items").or_insert_with(|| json!({}));
            }
        }
        several => {
            let form = |name: &&str| match *name {
                "array" => json!({ "type": "array", "items": {} }),
                name => json!({ "type": name }),
            };
            let forms: Value = several.iter().map(form).collect();
            if schema.contains_key("anyOf") {
                let all = schema.entry("allOf").or_insert_with(|| json!([]));
                let all = all.as_array_mut().expect("a list of schemas was put there");
                all.push(json!({ "anyOf": forms }));
            } else {
                schema.insert("anyOf".to_owned(), forms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_same_in_openapis_dialect() {
        let cases = [
            (json!({ "$schema": "x", "title": "t" }), json!({ "title": "t" })),
            (json!({ "type": "array" }), json!({ "type": "array", "items": {} })),
            (json!({ "type": ["string"] }), json!({ "type": "string" })),
            (
                json!({ "type": ["string", "array"], "minLength": 1 }),
                json!({ "minLength": 1,
                    "anyOf": [{ "type": "string" }, { "type": "array", "items": {} }] }),
            ),
            (
                json!({ "type": ["string", "object"], "anyOf": [{ "enum": ["a"] }] }),
                json!({ "anyOf": [{ "enum": ["a"] }],
                    "allOf": [{ "anyOf": [{ "type": "string" }, { "type": "object" }] }] }),
            ),
            (
                json!({ "properties": { "$schema": { "type": "array" } },
                    "additionalProperties": false }),
                json!({ "properties": { "$schema": { "type": "array", "items": {} } },
                    "additionalProperties": false }),
            ),
        ];
        for (schema, rendered) in cases {
            assert_eq!(render("m", &schema).unwrap(), rendered);
        }
    }

    #[test]
    fn refuses_what_an_import_would_lose() {
        let cases = [
            (json!({ "minItems": 1 }), "`minItems` at `#`"),
            (json!({ "minimum": 0, "exclusiveMinimum": true }), "`exclusiveMinimum` at `#`"),
            (json!({ "properties": { "a": { "pattern": "x" } } }), "`pattern` at `#/properties/a`"),
            (json!({ "items": { "$ref": "#" } }), "`$ref` at `#/items`"),
            (json!({ "anyOf": [{ "type": "null" }] }), "the type \"null\" at `#/anyOf/0/type`"),
            (json!({ "type": [] }), "the type [] at `#/type`"),
            (json!({ "enum": [null] }), "`enum` at `#`"),
            (json!({ "not": true }), "what is no schema at `#/not`"),
        ];
        for (schema, refusal) in cases {
            let error = render("m", &schema).unwrap_err().to_string();
            assert_eq!(error, format!("request model `m`: {refusal} would be lost on import"));
        }
        assert!(render("a-b", &json!({})).is_err());
        let deep = (0..200).fold(json!({}), |inner, _| json!({ "items": inner }));
        assert!(render("m", &deep).is_err());
    }
}
