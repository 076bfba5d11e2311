//! A policy document as data, and how one is put together.

use std::collections::BTreeMap;

use super::operator::Operator;

/// A policy document. Parsed with [`super::parse()`], rendered by its `Serialize`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The policy language's version; decides whether `${...}` is a variable.
    pub version: Version,
    /// The statements, in the document's order.
    pub statements: Vec<Statement>,
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// `2008-10-17`, also meant where a document names none: without variables.
    V2008,
    /// `2012-10-17`, which every document of ours says.
    #[default]
    V2012,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its name in the document, unique there.
    pub sid: Option<String>,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Whom it is about: resource policies and trust documents only.
    pub principals: Option<Principals>,
    /// The actions it is about.
    pub actions: Which,
    /// The resources it is about; trust documents have none.
    pub resources: Option<Which>,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// Why it is there, for a person; not part of the JSON document.
    pub reason: Option<String>,
}

/// `Effect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Grants, unless something denies.
    Allow,
    /// Takes away, whatever else allows.
    Deny,
}

/// `Action`/`Resource`, or `NotAction`/`NotResource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those that one of the patterns matches.
    Listed(Vec<String>),
    /// Those that none of the patterns matches.
    AllBut(Vec<String>),
}

impl Which {
    /// The patterns, whichever way they are meant.
    pub fn patterns(&self) -> &[String] {
        match self {
            Self::Listed(patterns) | Self::AllBut(patterns) => patterns,
        }
    }
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principals {
    /// `"Principal": "*"`.
    Anyone,
    /// Those named.
    Listed(BTreeMap<PrincipalKind, Vec<String>>),
    /// All but those named.
    AllBut(BTreeMap<PrincipalKind, Vec<String>>),
}

/// What kind of name a principal goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// An account (id or root ARN), user, role or session.
    Aws,
    /// An S3 canonical user.
    CanonicalUser,
    /// An identity provider.
    Federated,
    /// An AWS service.
    Service,
}

impl PrincipalKind {
    /// All of them, in the order they are rendered.
    pub const ALL: [Self; 4] = [Self::Aws, Self::CanonicalUser, Self::Federated, Self::Service];

    /// The key in the document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::CanonicalUser => "CanonicalUser",
            Self::Federated => "Federated",
            Self::Service => "Service",
        }
    }
}

/// One key of one operator: `"StringEquals": {"aws:RequestTag/team": ["a", "b"]}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How the values are compared.
    pub operator: Operator,
    /// The context key; case does not count.
    pub key: String,
    /// The values, of which one must match (with a negated operator: none).
    pub values: Vec<String>,
}

impl Condition {
    /// Whether both would stand at the same key of the document.
    pub(super) fn is_same_key(&self, other: &Self) -> bool {
        self.operator == other.operator && self.key.eq_ignore_ascii_case(&other.key)
    }
}

impl Document {
    /// A document of these statements, in this order.
    pub fn new(statements: impl IntoIterator<Item = Statement>) -> Self {
        Self { version: Version::V2012, statements: statements.into_iter().collect() }
    }

    /// Why each statement is there: `Sid` to reason, for the statements that have both.
    pub fn reasons(&self) -> BTreeMap<&str, &str> {
        self.statements
            .iter()
            .filter_map(|statement| Some((statement.sid.as_deref()?, statement.reason.as_deref()?)))
            .collect()
    }
}

impl Statement {
    /// An Allow of nothing yet.
    pub fn allow(sid: &str, reason: impl Into<String>) -> Self {
        Self::new(Effect::Allow, sid, reason.into())
    }

    /// A Deny of nothing yet.
    pub fn deny(sid: &str, reason: impl Into<String>) -> Self {
        Self::new(Effect::Deny, sid, reason.into())
    }

    fn new(effect: Effect, sid: &str, reason: String) -> Self {
        Self {
            sid: Some(sid.to_owned()),
            effect,
            principals: None,
            actions: Which::Listed(Vec::new()),
            resources: None,
            conditions: Vec::new(),
            reason: Some(reason),
        }
    }

    /// With these actions, sorted and each once.
    #[must_use]
    pub fn actions<T: Into<String>>(mut self, actions: impl IntoIterator<Item = T>) -> Self {
        self.actions = Which::Listed(sorted(actions));
        self
    }

    /// On these resources, sorted and each once.
    #[must_use]
    pub fn resources<T: Into<String>>(mut self, resources: impl IntoIterator<Item = T>) -> Self {
        self.resources = Some(Which::Listed(sorted(resources)));
        self
    }

    /// For these principals besides those already named.
    #[must_use]
    pub fn principals<T: Into<String>>(
        mut self,
        kind: PrincipalKind,
        names: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut listed = match self.principals {
            Some(Principals::Listed(listed)) => listed,
            _ => BTreeMap::new(),
        };
        listed.insert(kind, sorted(names));
        self.principals = Some(Principals::Listed(listed));
        self
    }

    /// Only where this condition holds too.
    #[must_use]
    pub fn when<T: Into<String>>(
        mut self,
        operator: Operator,
        key: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.conditions.push(Condition { operator, key: key.to_owned(), values: sorted(values) });
        self
    }
}

/// Same document, same bytes, whatever order a caller collected its parts in.
fn sorted<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut items: Vec<String> = items.into_iter().map(Into::into).collect();
    items.sort();
    items.dedup();
    items
}
