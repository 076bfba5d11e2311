//! Policy documents from JSON that nobody vouches for.
//!
//! Taken is what the grammar says
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>): one
//! statement or a list, one string or a list, numbers and truth values as condition values.
//! Everything else is refused with the place it stands at: unknown keys and operators, because what
//! is not understood may be what denies.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::complaint;
use super::operator::Operator;
use super::statement::{
    Condition, Document, Effect, PrincipalKind, Principals, Statement, Version, Which,
};
use super::tree::{self, Tree};
use super::{DOCUMENT_BYTES_MAX, Error, STATEMENTS_MAX};

/// Parses a document of at most [`DOCUMENT_BYTES_MAX`] bytes and [`STATEMENTS_MAX`] statements.
pub fn parse(bytes: &[u8]) -> Result<Document, Error> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    let mut version = Version::V2008;
    let mut statements = None;
    for (key, value) in object(tree::from_bytes(bytes)?, "document")? {
        match key.as_str() {
            "Version" => version = version_from(&text(value, "Version")?)?,
            "Id" => drop(text(value, "Id")?),
            "Statement" => statements = Some(value),
            _ => return Err(shape(format!("key `{key}`"), "not part of a policy document")),
        }
    }
    let statements = match statements {
        Some(Tree::List(list)) => list,
        Some(one) => vec![one],
        None => return Err(shape("document", "has no `Statement`")),
    };
    if statements.len() > STATEMENTS_MAX {
        return Err(shape("Statement", format!("more than {STATEMENTS_MAX} statements")));
    }
    let mut sids = BTreeSet::new();
    let mut parsed = Vec::with_capacity(statements.len());
    for (index, tree) in statements.into_iter().enumerate() {
        let statement = statement(tree, &format!("Statement[{index}]"))?;
        if let Some(sid) = statement.sid.as_ref().filter(|sid| !sids.insert((*sid).clone())) {
            return Err(shape(format!("Statement[{index}]"), format!("second `Sid` `{sid}`")));
        }
        parsed.push(statement);
    }
    Ok(Document { version, statements: parsed })
}

fn version_from(text: &str) -> Result<Version, Error> {
    match text {
        "2012-10-17" => Ok(Version::V2012),
        "2008-10-17" => Ok(Version::V2008),
        _ => Err(shape("Version", format!("`{text}` is neither 2012-10-17 nor 2008-10-17"))),
    }
}

fn statement(tree: Tree, at: &str) -> Result<Statement, Error> {
    let mut parts: BTreeMap<String, Tree> = object(tree, at)?.into_iter().collect();
    let mut take = |key: &str| parts.remove(key).map(|tree| (tree, format!("{at}.{key}")));
    let sid = take("Sid").map(|(tree, at)| text(tree, &at)).transpose()?;
    let effect = take("Effect").ok_or_else(|| shape(at, "has no `Effect`"))?;
    let effect = match text(effect.0, &effect.1)?.as_str() {
        "Allow" => Effect::Allow,
        "Deny" => Effect::Deny,
        other => return Err(shape(effect.1, format!("`{other}` is neither Allow nor Deny"))),
    };
    let principals = match (take("Principal"), take("NotPrincipal")) {
        (Some(_), Some(_)) => return Err(both(at, "Principal")),
        (Some((tree, at)), None) => Some(principals(tree, &at, false)?),
        (None, Some((tree, at))) => Some(principals(tree, &at, true)?),
        (None, None) => None,
    };
    let actions = which(at, "Action", take("Action"), take("NotAction"))?
        .ok_or_else(|| shape(at, "has neither `Action` nor `NotAction`"))?;
    let resources = which(at, "Resource", take("Resource"), take("NotResource"))?;
    let conditions = match take("Condition") {
        Some((tree, at)) => conditions(tree, &at)?,
        None => Vec::new(),
    };
    if let Some(key) = parts.keys().next() {
        return Err(shape(at, format!("key `{key}` is not part of a statement")));
    }
    // Trust documents are about the role they stand on.
    if resources.is_none() && principals.is_none() {
        return Err(shape(at, "has neither `Resource` nor `NotResource`"));
    }
    for action in actions.patterns() {
        let vendor =
            action.split_once(':').map(|(vendor, name)| !vendor.is_empty() && !name.is_empty());
        if action != "*" && vendor != Some(true) {
            return Err(shape(at, format!("action `{action}` is not `service:action` or `*`")));
        }
    }
    Ok(Statement { sid, effect, principals, actions, resources, conditions, reason: None })
}

type Part = Option<(Tree, String)>;

fn which(at: &str, name: &str, listed: Part, all_but: Part) -> Result<Option<Which>, Error> {
    match (listed, all_but) {
        (Some(_), Some(_)) => Err(both(at, name)),
        (Some((tree, at)), None) => Ok(Some(Which::Listed(texts(tree, &at)?))),
        (None, Some((tree, at))) => match texts(tree, &at)? {
            // All but nothing is everything, which nobody writes like this on purpose.
            texts if texts.is_empty() => Err(shape(at, "excludes nothing")),
            texts => Ok(Some(Which::AllBut(texts))),
        },
        (None, None) => Ok(None),
    }
}

fn principals(tree: Tree, at: &str, negated: bool) -> Result<Principals, Error> {
    if let Tree::Text(text) = &tree {
        return match text.as_str() {
            "*" if !negated => Ok(Principals::Anyone),
            _ => Err(shape(at, format!("`{text}` names nobody: an object is needed here"))),
        };
    }
    let mut listed = BTreeMap::new();
    for (key, names) in object(tree, at)? {
        let kind = PrincipalKind::ALL.into_iter().find(|kind| kind.name() == key);
        let kind = kind.ok_or_else(|| shape(at, format!("`{key}` is not a kind of principal")))?;
        listed.insert(kind, texts(names, &format!("{at}.{key}"))?);
    }
    Ok(if negated { Principals::AllBut(listed) } else { Principals::Listed(listed) })
}

fn conditions(tree: Tree, at: &str) -> Result<Vec<Condition>, Error> {
    let mut conditions: Vec<Condition> = Vec::new();
    for (name, keys) in object(tree, at)? {
        let Some(operator) = Operator::from_name(&name) else {
            return Err(Error::Operator { at: at.to_owned(), name });
        };
        let at = format!("{at}.{name}");
        for (key, values) in object(keys, &at)? {
            let at = format!("{at}.{key}");
            let values = texts(values, &at)?;
            for value in &values {
                if let Some(kind) = complaint(operator.test.compare, value) {
                    return Err(shape(at, format!("`{value}` is not {kind}")));
                }
            }
            // Keys are the same key whatever their case.
            let condition = Condition { operator, key, values };
            if conditions.iter().any(|other| other.is_same_key(&condition)) {
                return Err(shape(at, "stands twice under its operator"));
            }
            conditions.push(condition);
        }
    }
    Ok(conditions)
}

fn object(tree: Tree, at: &str) -> Result<Vec<(String, Tree)>, Error> {
    match tree {
        Tree::Object(entries) => Ok(entries),
        _ => Err(shape(at, "is not an object")),
    }
}

fn texts(tree: Tree, at: &str) -> Result<Vec<String>, Error> {
    match tree {
        Tree::List(list) => list.into_iter().map(|item| text(item, at)).collect(),
        one => Ok(vec![text(one, at)?]),
    }
}

fn text(tree: Tree, at: &str) -> Result<String, Error> {
    match tree {
        Tree::Text(text) => Ok(text),
        _ => Err(shape(at, "is not a string")),
    }
}

fn shape(at: impl Into<String>, cause: impl Into<String>) -> Error {
    Error::Shape { at: at.into(), cause: cause.into() }
}

fn both(at: &str, name: &str) -> Error {
    shape(at, format!("has both `{name}` and `Not{name}`"))
}
