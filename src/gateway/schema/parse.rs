//! From a schema document to its nodes: every keyword read, checked, and its references resolved.

use super::error::CompileError;
use super::number::Number;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// More subschemas than this are refused.
const NODES_MAX: usize = 10_000;
/// Deepest nesting of subschemas, references counted.
const SCHEMA_DEPTH_MAX: usize = 100;
/// Keywords that say nothing about a document.
const ANNOTATIONS: [&str; 5] = ["$schema", "title", "description", "default", "definitions"];

/// JSON types as a set of bits; `number` is two of them.
pub(super) mod kind {
    pub(in super::super) const NULL: usize = 0;
    pub(in super::super) const BOOLEAN: usize = 1;
    /// A number written without fraction and exponent.
    pub(in super::super) const INTEGER: usize = 2;
    /// Any other number.
    pub(in super::super) const FRACTION: usize = 3;
    pub(in super::super) const STRING: usize = 4;
    pub(in super::super) const ARRAY: usize = 5;
    pub(in super::super) const OBJECT: usize = 6;
    pub(in super::super) const COUNT: usize = 7;
    /// All kinds.
    pub(in super::super) const ALL: u8 = (1 << COUNT) - 1;
}

/// A scalar of an `enum`.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    Number(Number),
    String(String),
}

/// Where a node stands in the list of nodes.
pub(super) type NodeId = usize;

/// One subschema.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// JSON pointer, for errors.
    pub(super) pointer: String,
    /// Kinds that `type` excludes, a bit each.
    pub(super) excluded: u8,
    /// `minimum` and whether it is itself excluded.
    pub(super) minimum: Option<(Number, bool)>,
    pub(super) maximum: Option<(Number, bool)>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) choices: Option<Vec<Scalar>>,
    pub(super) properties: BTreeMap<String, NodeId>,
    pub(super) required: Vec<String>,
    pub(super) additional: Additional,
    pub(super) items: Option<NodeId>,
    pub(super) all_of: Vec<NodeId>,
    pub(super) any_of: Vec<NodeId>,
    pub(super) one_of: Vec<NodeId>,
    pub(super) not: Option<NodeId>,
}

/// What `additionalProperties` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Additional {
    #[default]
    Allowed,
    Forbidden,
    Checked(NodeId),
}

/// The nodes of a schema and its root.
pub(super) fn parse(schema: &Value) -> Result<(Vec<Node>, NodeId), CompileError> {
    let mut parser = Parser { document: schema, nodes: Vec::new(), by_pointer: HashMap::new() };
    let root = parser.node(schema, String::new(), 0)?;
    Ok((parser.nodes, root))
}

struct Parser<'a> {
    document: &'a Value,
    nodes: Vec<Node>,
    by_pointer: HashMap<String, NodeId>,
}

impl Parser<'_> {
    fn node(
        &mut self,
        value: &Value,
        pointer: String,
        depth: usize,
    ) -> Result<NodeId, CompileError> {
        if let Some(id) = self.by_pointer.get(&pointer) {
            return Ok(*id);
        }
        if self.nodes.len() >= NODES_MAX {
            return Err(CompileError::TooComplex { what: "subschemas" });
        }
        if depth > SCHEMA_DEPTH_MAX {
            return Err(CompileError::TooComplex { what: "levels" });
        }
        let id = self.nodes.len();
        self.by_pointer.insert(pointer.clone(), id);
        self.nodes.push(Node { pointer: pointer.clone(), ..Node::default() });
        let node = self.read(value, pointer, depth)?;
        self.nodes[id] = node;
        Ok(id)
    }

    fn read(&mut self, value: &Value, pointer: String, depth: usize) -> Result<Node, CompileError> {
        let mut node = Node { pointer, ..Node::default() };
        let schema = value.as_object().ok_or_else(|| form(&node, "schema", "an object"))?;
        if let Some(target) = schema.get("$ref") {
            // Draft 4: whatever stands beside a `$ref` is ignored.
            node.all_of = vec![self.reference(&node, target, depth)?];
            return Ok(node);
        }
        for (keyword, value) in schema {
            if !self.structure(&mut node, keyword, value, depth)?
                && !assertion(&mut node, schema, keyword, value)?
            {
                let (pointer, keyword) = (node.pointer, keyword.clone());
                return Err(CompileError::Keyword { pointer, keyword });
            }
        }
        Ok(node)
    }

    /// Keywords that hold subschemas; false for any other.
    fn structure(
        &mut self,
        node: &mut Node,
        keyword: &str,
        value: &Value,
        depth: usize,
    ) -> Result<bool, CompileError> {
        let below = |name: &str| format!("{}/{}", node.pointer, name);
        match keyword {
            "properties" => {
                let members =
                    value.as_object().ok_or_else(|| form(node, "properties", "an object"))?;
                for (name, schema) in members {
                    let escaped = name.replace('~', "~0").replace('/', "~1");
                    let at = format!("{}/properties/{escaped}", node.pointer);
                    node.properties.insert(name.clone(), self.node(schema, at, depth + 1)?);
                }
            }
            "additionalProperties" => {
                node.additional = match value {
                    Value::Bool(true) => Additional::Allowed,
                    Value::Bool(false) => Additional::Forbidden,
                    schema => Additional::Checked(self.node(schema, below(keyword), depth + 1)?),
                };
            }
            "items" if value.is_array() => {
                let (pointer, keyword) = (node.pointer.clone(), "items as a list".to_owned());
                return Err(CompileError::Keyword { pointer, keyword });
            }
            "items" => node.items = Some(self.node(value, below(keyword), depth + 1)?),
            "not" => node.not = Some(self.node(value, below(keyword), depth + 1)?),
            "allOf" => node.all_of = self.list(node, "allOf", value, depth)?,
            "anyOf" => node.any_of = self.list(node, "anyOf", value, depth)?,
            "oneOf" => node.one_of = self.list(node, "oneOf", value, depth)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn list(
        &mut self,
        node: &Node,
        keyword: &'static str,
        value: &Value,
        depth: usize,
    ) -> Result<Vec<NodeId>, CompileError> {
        let schemas = value
            .as_array()
            .filter(|schemas| !schemas.is_empty())
            .ok_or_else(|| form(node, keyword, "a list of at least one schema"))?;
        let at = |i: usize| format!("{}/{keyword}/{i}", node.pointer);
        schemas.iter().enumerate().map(|(i, one)| self.node(one, at(i), depth + 1)).collect()
    }

    fn reference(
        &mut self,
        node: &Node,
        target: &Value,
        depth: usize,
    ) -> Result<NodeId, CompileError> {
        let target = target.as_str().ok_or_else(|| form(node, "$ref", "a string"))?;
        let nowhere =
            || CompileError::Reference { pointer: node.pointer.clone(), target: target.to_owned() };
        let pointer = target.strip_prefix('#').ok_or_else(nowhere)?;
        let schema = self.document.pointer(pointer).ok_or_else(nowhere)?;
        self.node(schema, pointer.to_owned(), depth + 1)
    }
}

/// Keywords that judge a value themselves; false for any other.
fn assertion(
    node: &mut Node,
    schema: &Map<String, Value>,
    keyword: &str,
    value: &Value,
) -> Result<bool, CompileError> {
    let count = |node: &Node, keyword| {
        value.as_u64().map(Some).ok_or_else(|| form(node, keyword, "a number of things"))
    };
    match keyword {
        "type" => node.excluded = kind::ALL & !types(node, value)?,
        "required" => node.required = required(node, value)?,
        "enum" => node.choices = Some(choices(node, value)?),
        "minimum" => node.minimum = Some(bound(node, schema, "minimum", "exclusiveMinimum")?),
        "maximum" => node.maximum = Some(bound(node, schema, "maximum", "exclusiveMaximum")?),
        "exclusiveMinimum" if schema.contains_key("minimum") => {}
        "exclusiveMaximum" if schema.contains_key("maximum") => {}
        "exclusiveMinimum" => return Err(form(node, "exclusiveMinimum", "beside `minimum`")),
        "exclusiveMaximum" => return Err(form(node, "exclusiveMaximum", "beside `maximum`")),
        "minLength" => node.min_length = count(node, "minLength")?,
        "maxLength" => node.max_length = count(node, "maxLength")?,
        "minItems" => node.min_items = count(node, "minItems")?,
        "maxItems" => node.max_items = count(node, "maxItems")?,
        _ => return Ok(ANNOTATIONS.contains(&keyword)),
    }
    Ok(true)
}

fn form(node: &Node, keyword: &'static str, expected: &'static str) -> CompileError {
    CompileError::Form { pointer: node.pointer.clone(), keyword, expected }
}

fn types(node: &Node, value: &Value) -> Result<u8, CompileError> {
    let refuse = || form(node, "type", "a type of JSON or a list of such");
    let names = match value {
        Value::Array(names) if !names.is_empty() => names.as_slice(),
        one => std::slice::from_ref(one),
    };
    names.iter().try_fold(0, |set, name| {
        Ok(set
            | match name.as_str() {
                Some("null") => 1 << kind::NULL,
                Some("boolean") => 1 << kind::BOOLEAN,
                Some("integer") => 1 << kind::INTEGER,
                Some("number") => 1 << kind::INTEGER | 1 << kind::FRACTION,
                Some("string") => 1 << kind::STRING,
                Some("array") => 1 << kind::ARRAY,
                Some("object") => 1 << kind::OBJECT,
                _ => return Err(refuse()),
            })
    })
}

fn required(node: &Node, value: &Value) -> Result<Vec<String>, CompileError> {
    let refuse = || form(node, "required", "a list of at least one name");
    let names = value.as_array().filter(|names| !names.is_empty()).ok_or_else(refuse)?;
    names.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(refuse)).collect()
}

fn choices(node: &Node, value: &Value) -> Result<Vec<Scalar>, CompileError> {
    let refuse = || form(node, "enum", "a list of at least one value");
    let values = value.as_array().filter(|values| !values.is_empty()).ok_or_else(refuse)?;
    let scalar = |value: &Value| match value {
        Value::Null => Ok(Scalar::Null),
        Value::Bool(value) => Ok(Scalar::Boolean(*value)),
        Value::Number(value) => Ok(Scalar::Number(Number::read(&value.to_string()))),
        Value::String(value) => Ok(Scalar::String(value.clone())),
        Value::Array(_) | Value::Object(_) => Err(CompileError::Keyword {
            pointer: node.pointer.clone(),
            keyword: "enum with an array or object".to_owned(),
        }),
    };
    values.iter().map(scalar).collect()
}

fn bound(
    node: &Node,
    schema: &Map<String, Value>,
    keyword: &'static str,
    exclusive: &'static str,
) -> Result<(Number, bool), CompileError> {
    let number = match schema.get(keyword) {
        Some(Value::Number(number)) => Number::read(&number.to_string()),
        _ => return Err(form(node, keyword, "a number")),
    };
    match schema.get(exclusive) {
        None => Ok((number, false)),
        Some(Value::Bool(exclusive)) => Ok((number, *exclusive)),
        Some(_) => Err(form(node, exclusive, "true or false")),
    }
}
