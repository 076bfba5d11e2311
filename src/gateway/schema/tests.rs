use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};

fn compile(schema: &Value) -> Schema {
    Schema::compile(schema).unwrap_or_else(|error| panic!("{schema}: {error}"))
}

#[test]
fn judges_by_each_keyword() {
    use Verdict::{Invalid, Malformed, Valid};
    let cases = [
        (json!({}), "null", Valid),
        (json!({ "type": "integer" }), "1", Valid),
        (json!({ "type": "integer" }), "1.0", Invalid),
        (json!({ "type": "number" }), "-1e-2", Valid),
        (json!({ "type": ["string", "null"] }), "null", Valid),
        (json!({ "type": "boolean" }), "0", Invalid),
        (json!({ "minimum": 3, "exclusiveMinimum": true }), "3.0", Invalid),
        (json!({ "maximum": 3 }), "\"a string has no maximum\"", Valid),
        (json!({ "minLength": 2, "maxLength": 2 }), r#""\ud83d\ude00é""#, Valid),
        (json!({ "maxLength": 1 }), r#""ab""#, Invalid),
        (json!({ "minItems": 1 }), "[]", Invalid),
        (json!({ "items": { "type": "integer" }, "maxItems": 2 }), "[1, 2]", Valid),
        (json!({ "items": { "type": "integer" } }), "[1, \"2\"]", Invalid),
        (json!({ "enum": ["a", 1, null, true] }), "1.0", Valid),
        (json!({ "enum": ["a", 1, null, true] }), r#""\u0061""#, Valid),
        (json!({ "enum": ["a", 1, null, true] }), "false", Invalid),
        (json!({ "required": ["a"] }), r#"{"b":1}"#, Invalid),
        (json!({ "required": ["a"] }), r#"{"\u0061":1}"#, Valid),
        (json!({ "properties": { "a": { "type": "null" } } }), r#"{"a":1,"a":null}"#, Valid),
        (json!({ "properties": { "a": { "type": "null" } } }), r#"{"a":null,"a":1}"#, Invalid),
        (
            json!({ "additionalProperties": false, "properties": { "a": {} } }),
            r#"{"b":1}"#,
            Invalid,
        ),
        (json!({ "additionalProperties": { "type": "null" } }), r#"{"b":1,"b":null}"#, Valid),
        (json!({ "additionalProperties": { "type": "null" } }), r#"{"b":null,"b":1}"#, Invalid),
        (json!({ "not": { "type": "string" } }), "1", Valid),
        (json!({ "oneOf": [{ "type": "number" }, { "minimum": 2 }] }), "3", Invalid),
        (json!({ "oneOf": [{ "type": "number" }, { "minimum": 2 }] }), "1", Valid),
        (json!({ "allOf": [{ "type": "number" }, { "minimum": 2 }] }), "1", Invalid),
        (
            json!({ "$ref": "#/definitions/a", "definitions": { "a": { "type": "null" } } }),
            "1",
            Invalid,
        ),
        (json!({}), "", Malformed),
        (json!({}), "[1 2]", Malformed),
        (json!({}), "NaN", Malformed),
        (json!({}), "\u{feff}{}", Malformed),
        (json!({ "type": "null" }), "1 1", Malformed),
    ];
    for (schema, body, expected) in cases {
        assert_eq!(compile(&schema).check(body.as_bytes()), expected, "{schema} on {body}");
    }
    assert_eq!(compile(&json!({})).check(b"\"\xff\""), Malformed);
}

#[test]
fn follows_recursive_references() {
    let tree = compile(&json!({
        "definitions": { "tree": {
            "type": "array",
            "items": { "anyOf": [{ "type": "integer" }, { "$ref": "#/definitions/tree" }] },
        } },
        "$ref": "#/definitions/tree",
    }));
    assert_eq!(tree.check(b"[1,[2,[3,[]]],[[[]]]]"), Verdict::Valid);
    assert_eq!(tree.check(b"[1,[2,[3,[\"x\"]]]]"), Verdict::Invalid);
}

#[test]
fn refuses_by_name_what_it_does_not_enforce() {
    let cases = [
        (json!({ "pattern": "a" }), "`pattern`"),
        (json!({ "items": [{}] }), "`items as a list`"),
        (json!({ "properties": { "a/b": { "uniqueItems": true } } }), "`/properties/a~1b`"),
        (json!({ "enum": [[1]] }), "`enum with an array or object`"),
        (json!({ "type": "any" }), "`type` at ``"),
        (json!({ "required": [] }), "`required`"),
        (json!({ "required": true }), "`required`"),
        (json!({ "minimum": 1, "exclusiveMinimum": 0 }), "`exclusiveMinimum`"),
        (json!({ "exclusiveMaximum": true }), "`maximum`"),
        (json!({ "minLength": -1 }), "`minLength`"),
        (json!({ "anyOf": [] }), "`anyOf`"),
        (json!({ "items": true }), "`schema` at `/items`"),
        (json!({ "$ref": "https://example.org/a" }), "`https://example.org/a`"),
        (json!({ "$ref": "#/definitions/b" }), "leads nowhere"),
        (json!({ "$ref": "#" }), "refers to itself"),
        (json!({ "anyOf": [{ "not": { "$ref": "#" } }] }), "refers to itself"),
    ];
    for (schema, reason) in cases {
        let error = Schema::compile(&schema).expect_err(&schema.to_string()).to_string();
        assert!(error.contains(reason), "{schema}: {error}");
    }
    let wide: Vec<Value> = (0..100).map(|i| json!({ "minimum": i })).collect();
    let error = Schema::compile(&json!({ "anyOf": wide })).unwrap_err();
    assert!(error.to_string().contains("too many alternatives"), "{error}");
    let deep = (0..500).fold(json!({}), |inner, _| json!({ "items": inner }));
    assert!(Schema::compile(&deep).unwrap_err().to_string().contains("too many levels"));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let schema = compile(&json!({}));
    assert_eq!(schema.check(nested(DEPTH_MAX).as_bytes()), Verdict::Valid);
    assert_eq!(schema.check(nested(DEPTH_MAX + 1).as_bytes()), Verdict::Malformed);
    assert_eq!(schema.check("[{\"a\":".repeat(1_000_000).as_bytes()), Verdict::Malformed);
}

/// A document as it is written: names may repeat, numbers keep their notation.
#[derive(Debug, Clone)]
enum Written {
    Plain(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Written {
    fn write(&self, text: &mut String) {
        match self {
            Self::Plain(scalar) => text.push_str(scalar),
            Self::List(items) => {
                text.push('[');
                for (i, item) in items.iter().enumerate() {
                    text.push_str(if i == 0 { " " } else { " ,\n" });
                    item.write(text);
                }
                text.push(']');
            }
            Self::Object(members) => {
                text.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    text.push_str(if i == 0 { "" } else { "," });
                    text.push_str(name);
                    text.push_str("\t: ");
                    value.write(text);
                }
                text.push('}');
            }
        }
    }
}

const NAMES: [&str; 3] = ["a", "b", "\u{e9}"];
const WRITTEN_NAMES: [&str; 6] =
    [r#""a""#, r#""\u0061""#, r#""b""#, r#""é""#, r#""\u00e9""#, r#""c""#];
const SCALARS: [&str; 17] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "2",
    "-1",
    "1.0",
    "1.5",
    "2e0",
    "1e1",
    "0.0",
    r#""""#,
    r#""a""#,
    r#""\u0061b""#,
    r#""éé""#,
    r#""\ud83d\ude00""#,
];

fn document() -> impl Strategy<Value = Written> {
    let scalar =
        prop::sample::select(&SCALARS[..]).prop_map(|text| Written::Plain(text.to_owned()));
    scalar.prop_recursive(4, 30, 4, |inner| {
        let name = prop::sample::select(&WRITTEN_NAMES[..]).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Written::List),
            prop::collection::vec((name, inner), 0..4).prop_map(Written::Object),
        ]
    })
}

fn assertion() -> impl Strategy<Value = Map<String, Value>> {
    let types = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let kind = prop::sample::select(types.to_vec());
    let scalar = prop::sample::select(&SCALARS[..])
        .prop_map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
    let bound = prop::sample::select(vec![json!(0), json!(1), json!(1.5), json!(-1)]);
    let keyword = prop_oneof![
        kind.clone().prop_map(|kind| json!({ "type": kind })),
        prop::collection::hash_set(kind, 1..4).prop_map(|kinds| json!({ "type": kinds })),
        prop::collection::vec(scalar, 1..4).prop_map(|values| json!({ "enum": values })),
        (bound.clone(), any::<bool>())
            .prop_map(|(bound, ex)| json!({ "minimum": bound, "exclusiveMinimum": ex })),
        (bound, any::<bool>())
            .prop_map(|(bound, ex)| json!({ "maximum": bound, "exclusiveMaximum": ex })),
        (0..3u64).prop_map(|n| json!({ "minLength": n })),
        (0..3u64).prop_map(|n| json!({ "maxLength": n })),
        (0..3u64).prop_map(|n| json!({ "minItems": n })),
        (0..3u64).prop_map(|n| json!({ "maxItems": n })),
        prop::sample::subsequence(NAMES.to_vec(), 1..3)
            .prop_map(|names| json!({ "required": names })),
        any::<bool>().prop_map(|allowed| json!({ "additionalProperties": allowed })),
        Just(json!({ "$ref": "#/definitions/d" })),
        Just(json!({ "items": { "$ref": "#" } })),
        Just(json!({ "properties": { "b": { "$ref": "#" } } })),
    ];
    prop::collection::vec(keyword, 0..3).prop_map(merge)
}

fn merge(parts: Vec<Value>) -> Map<String, Value> {
    parts.into_iter().filter_map(|part| part.as_object().cloned()).flatten().collect()
}

fn subschema() -> impl Strategy<Value = Value> {
    let leaf = assertion().prop_map(Value::Object);
    leaf.prop_recursive(3, 20, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        let name = prop::sample::select(NAMES.to_vec());
        let structure = prop_oneof![
            some.clone().prop_map(|schemas| json!({ "allOf": schemas })),
            some.clone().prop_map(|schemas| json!({ "anyOf": schemas })),
            some.prop_map(|schemas| json!({ "oneOf": schemas })),
            inner.clone().prop_map(|schema| json!({ "not": schema })),
            inner.clone().prop_map(|schema| json!({ "items": schema })),
            inner.clone().prop_map(|schema| json!({ "additionalProperties": schema })),
            prop::collection::hash_map(name, inner, 1..3)
                .prop_map(|schemas| json!({ "properties": schemas })),
        ];
        (assertion(), prop::collection::vec(structure, 1..3)).prop_map(|(own, structures)| {
            let mut schema = own;
            schema.extend(merge(structures));
            Value::Object(schema)
        })
    })
}

/// A schema with one shared definition, which does not refer to itself.
fn schema() -> impl Strategy<Value = Value> {
    (
        subschema(),
        prop::sample::select(vec![json!({ "type": "integer" }), json!({ "minItems": 1 })]),
    )
        .prop_map(|(mut schema, shared)| {
            schema["definitions"] = json!({ "d": shared });
            schema
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn agrees_with_an_independent_validator(
        schema in schema(),
        documents in prop::collection::vec(document(), 1..12),
    ) {
        let ours = compile(&schema);
        let theirs = jsonschema::draft4::new(&schema).expect("a draft 4 schema");
        for document in documents {
            let mut text = String::new();
            document.write(&mut text);
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let expected = if theirs.is_valid(&value) { Verdict::Valid } else { Verdict::Invalid };
            prop_assert_eq!(ours.check(text.as_bytes()), expected, "{} on {}", schema, text);
        }
    }

    #[test]
    fn reads_as_json_what_is_json(document in document(), edits in prop::collection::vec(
        (any::<prop::sample::Index>(), prop::sample::select(&b"{}[]\",:0123eE+-.truefalsn \\u\x01"[..])),
        0..4,
    )) {
        let mut text = String::new();
        document.write(&mut text);
        let mut bytes = text.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            // Skipping reads syntax alone: no range of numbers, no pairing of surrogates.
            let expected = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            let verdict = compile(&json!({})).check(&bytes);
            prop_assert_eq!(verdict != Verdict::Malformed, expected, "{}", text);
        }
    }

    #[test]
    fn takes_any_bytes_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = compile(&json!({ "maxLength": 1 })).check(&bytes);
    }
}
