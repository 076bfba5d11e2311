//! The JSON Schema of `gwtf.toml`, generated from its types.
//!
//! `docs/schemas/gwtf.toml.json` is this document (a test keeps it in step): editors complete from
//! it, and `check` holds a file to it.

use super::file::File;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The schema, draft 7, which TOML editors read.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft07().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<File>().to_value();
    without_null(&mut schema);
    schema
}

/// TOML has no null: an optional key is one that may be left out.
fn without_null(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, value| key != "default" || value.is_string());
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.remove("anyOf") {
                let mut choices: Vec<Value> =
                    choices.into_iter().filter(|choice| choice["type"] != "null").collect();
                match choices.pop() {
                    Some(only) if choices.is_empty() && only.get("$ref").is_some() => {
                        // In draft 7 what stands beside `$ref` is ignored: `allOf` keeps both.
                        object.insert("allOf".to_owned(), Value::Array(vec![only]));
                    }
                    last => {
                        choices.extend(last);
                        object.insert("anyOf".to_owned(), Value::Array(choices));
                    }
                }
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}
