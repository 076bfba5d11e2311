//! Holds a file to the schema of `gwtf.toml`, key by key, so that all complaints come at once.
//!
//! The walk knows the part of JSON Schema that `schema` generates: objects with known keys, arrays,
//! strings, choices, booleans, and numbers with bounds. What the walk lets through, the types read.

use super::complaint::Complaints;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How alike two keys are, 0 to 1, for the one to be named for the other.
const LIKENESS_MIN: f64 = 0.75;
/// Most characters of a value that a message quotes.
const QUOTED_CHARS_MAX: usize = 40;

/// Where each key of the file stands, by its path (`usage_plan[0].name`).
pub(super) type Places = BTreeMap<String, Range<usize>>;

/// Checks a whole document and says where its keys are.
pub(super) fn check(
    table: &Spanned<DeTable<'_>>,
    schema: &Value,
    complaints: &mut Complaints,
) -> Places {
    let mut walk = Walk { root: schema, complaints, places: Places::new() };
    walk.object("", table.get_ref(), table.span(), schema);
    walk.places
}

struct Walk<'a> {
    root: &'a Value,
    complaints: &'a mut Complaints,
    places: Places,
}

impl<'a> Walk<'a> {
    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>, schema: &'a Value) {
        let schema = self.resolve(schema);
        let span = value.span();
        self.places.insert(path.to_owned(), span.clone());
        let choices = choices(schema);
        match (value.get_ref(), schema["type"].as_str()) {
            (DeValue::Table(table), Some("object")) => self.object(path, table, span, schema),
            (DeValue::Array(items), Some("array")) => {
                let least = schema["minItems"].as_u64().unwrap_or(0);
                if (items.len() as u64) < least {
                    let hint = format!("give at least {least}");
                    self.complaints.add(&span, format!("`{path}` is too short"), hint);
                }
                for (n, item) in items.iter().enumerate() {
                    self.value(&format!("{path}[{n}]"), item, &schema["items"]);
                }
            }
            (DeValue::String(text), _) if !choices.is_empty() => {
                if !choices.contains(&text.as_ref()) {
                    let (message, list) = (quoted(path, text), choices.join(", "));
                    let hint = match nearest(text, choices.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`? known: {list}"),
                        None => format!("one of: {list}"),
                    };
                    self.complaints.add(&span, message, hint);
                }
            }
            (DeValue::String(_), Some("string")) | (DeValue::Boolean(_), Some("boolean")) => {}
            (DeValue::Integer(number), Some("integer")) => {
                let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
                self.bounds(path, &span, number.as_str(), parsed.map(|n| n as f64), schema);
            }
            (DeValue::Integer(number), Some("number")) => {
                let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
                self.bounds(path, &span, number.as_str(), parsed.map(|n| n as f64), schema);
            }
            (DeValue::Float(number), Some("number")) => {
                let parsed = number.as_str().parse().ok().filter(|n: &f64| n.is_finite());
                self.bounds(path, &span, number.as_str(), parsed, schema);
            }
            (other, _) => {
                let message = format!("`{path}` is {}", with_article(other.type_str()));
                self.complaints.add(&span, message, format!("write {}", expected(schema)));
            }
        }
    }

    fn object(&mut self, path: &str, table: &DeTable<'_>, span: Range<usize>, schema: &'a Value) {
        let Some(properties) = schema["properties"].as_object() else { return };
        for (key, value) in table {
            let below = join(path, key.get_ref());
            match properties.get(key.get_ref().as_ref()) {
                Some(schema) => self.value(&below, value, schema),
                None => {
                    let hint = self.unknown_hint(key.get_ref(), properties);
                    self.complaints.add(&key.span(), format!("unknown key `{below}`"), hint);
                }
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !table.contains_key(name) {
                let message = format!("`{}` is missing", join(path, name));
                let hint =
                    format!("add `{name} = …`: {}", expected(self.resolve(&properties[name])));
                self.complaints.add(&span, message, hint);
            }
        }
    }

    /// The nearest known key, or the tables where the key belongs, or all known keys.
    fn unknown_hint(&self, key: &str, properties: &Map<String, Value>) -> String {
        if let Some(near) = nearest(key, properties.keys().map(String::as_str)) {
            return format!("did you mean `{near}`?");
        }
        let tables = self.root["properties"].as_object().into_iter().flatten();
        let homes: Vec<String> = tables
            .filter(|(_, table)| self.resolve(table)["properties"].get(key).is_some())
            .map(|(name, _)| format!("[{name}]"))
            .collect();
        if homes.is_empty() {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            format!("known keys here: {}", known.join(", "))
        } else {
            format!("`{key}` belongs in {}", homes.join(" or "))
        }
    }

    fn bounds(
        &mut self,
        path: &str,
        span: &Range<usize>,
        text: &str,
        number: Option<f64>,
        schema: &Value,
    ) {
        let least = schema["minimum"].as_f64().unwrap_or(f64::NEG_INFINITY);
        let most = schema["maximum"].as_f64().unwrap_or(match schema["format"].as_str() {
            Some("uint8") => f64::from(u8::MAX),
            Some("uint32") => f64::from(u32::MAX),
            // TOML's integers end where 64 signed bits do.
            _ if schema["type"] == "integer" => i64::MAX as f64,
            _ => f64::INFINITY,
        });
        if !number.is_some_and(|number| (least..=most).contains(&number)) {
            let hint = match (least.is_finite(), most.is_finite()) {
                (true, true) => format!("write a number from {least} to {most}"),
                (true, false) => format!("write a number from {least} up"),
                _ => "write a finite number".to_owned(),
            };
            self.complaints.add(span, format!("`{path}` is {text}"), hint);
        }
    }

    /// The schema behind `$ref`, alone or as the only member of `allOf`.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
        reference
            .and_then(|reference| self.root.pointer(reference.strip_prefix('#')?))
            .unwrap_or(schema)
    }
}

/// The texts that a choice takes; empty when the schema is no choice.
fn choices(schema: &Value) -> Vec<&str> {
    let plain = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten().map(|choice| &choice["const"]);
    plain.chain(described).filter_map(Value::as_str).collect()
}

fn expected(schema: &Value) -> String {
    let choices = choices(schema);
    if !choices.is_empty() {
        return format!("one of {}", choices.join(", "));
    }
    let name = schema["type"].as_str().unwrap_or("value");
    match name {
        "object" => {
            let keys = schema["properties"].as_object().into_iter().flatten();
            let keys: Vec<String> = keys.map(|(key, _)| format!("{key} = …")).collect();
            format!("a table {{ {} }}", keys.join(", "))
        }
        other => with_article(other),
    }
}

fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

fn quoted(path: &str, text: &str) -> String {
    let cut = text.chars().count() > QUOTED_CHARS_MAX;
    let shown: String = text.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect();
    format!("`{path}` is \"{shown}{}\"", if cut { "…" } else { "" })
}

fn join(path: &str, key: &str) -> String {
    let key: String = key.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect();
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The known word most like this one, if any is like it.
fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let word: String = word.chars().take(QUOTED_CHARS_MAX).collect();
    known
        .map(|known| (strsim::normalized_damerau_levenshtein(&word, known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
