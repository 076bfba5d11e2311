//! Whether policies allow a request.
//!
//! An explicit deny anywhere decides; else every layer that is there must allow:
//!
//! ```text
//! same account:  (resource policy names the caller itself)
//!             or (identity or (resource policy names the role)) and boundary and session
//! other account: resource policy and identity and boundary and session
//! ```
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html> and
//! `..._evaluation-logic-cross-account.html`. A resource policy that names the caller's account
//! leaves the decision to that account's identity policies, so it allows nothing by itself in the
//! same account. Organisations' policies (SCP, RCP) are not looked at.

use std::collections::BTreeMap;

use super::condition;
use super::glob::{self, Token};
use super::statement::{Document, Effect, PrincipalKind, Principals, Statement, Version, Which};
use super::variable::resource_tokens;

/// The request context: keys, whose case does not count, and their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// With this key, in place of what it had.
    #[must_use]
    pub fn with<T: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.0.insert(key.to_lowercase(), values.into_iter().map(Into::into).collect());
        self
    }

    /// The key's values; none if the request has no such key.
    pub fn get(&self, key: &str) -> &[String] {
        self.0.get(&key.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.0.values_mut().flatten()
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// An IAM user, by ARN.
    User(String),
    /// A session of a role.
    RoleSession {
        /// The role's ARN.
        role: String,
        /// The session's ARN.
        session: String,
    },
    /// An identity provider's user, by the provider's ARN or name.
    Federated(String),
    /// An AWS service, by its principal name.
    Service(String),
    /// Nobody known.
    Anonymous,
}

/// One request for permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks; needed only where a resource policy is asked.
    pub caller: Caller,
    /// `lambda:CreateAlias`.
    pub action: String,
    /// The resource's ARN, or `*` for actions that know no resources.
    pub resource: String,
    /// What else is known.
    pub context: Context,
}

impl Request {
    /// A request of nobody in particular, without context.
    pub fn new(action: &str, resource: &str) -> Self {
        Self {
            caller: Caller::Anonymous,
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: Context::default(),
        }
    }

    /// The same from this caller.
    #[must_use]
    pub fn from(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// The same with this context key.
    #[must_use]
    pub fn with<T: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.context = self.context.with(key, values);
        self
    }
}

/// All policies that a request meets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// The caller's own; an empty slice allows nothing.
    pub identity: &'a [Document],
    /// The caller's permissions boundary.
    pub boundary: Option<&'a Document>,
    /// What the session was limited to when it began.
    pub session: Option<&'a Document>,
    /// The resource's own.
    pub resource: Option<&'a Document>,
    /// Where the resource is.
    pub accounts: Accounts,
}

/// Whether caller and resource are of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accounts {
    /// They are.
    #[default]
    Same,
    /// They are not: both sides must allow.
    Other,
}

/// A layer of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The caller's own policies.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// The session policy.
    Session,
    /// The resource's policy.
    Resource,
}

/// The statement that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// In which layer.
    pub layer: Layer,
    /// Its `Sid`, or `#n` counted from 0 where it has none.
    pub sid: String,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Allowed.
    Allowed {
        /// The first statement that grants.
        by: Ground,
    },
    /// Denied by a statement.
    ExplicitDeny {
        /// The first statement that denies.
        by: Ground,
    },
    /// Denied because nothing allows.
    ImplicitDeny {
        /// The first layer that does not allow.
        missing: Layer,
    },
}

impl Decision {
    /// Whether the request goes ahead.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Decides a request.
pub fn evaluate(policies: &Policies<'_>, request: &Request) -> Decision {
    let layers = policies
        .identity
        .iter()
        .map(|document| (Layer::Identity, document))
        .chain(policies.boundary.map(|document| (Layer::Boundary, document)))
        .chain(policies.session.map(|document| (Layer::Session, document)))
        .chain(policies.resource.map(|document| (Layer::Resource, document)));
    for (layer, document) in layers {
        if let Some((_, sid)) = find(document, layer, Effect::Deny, request) {
            return Decision::ExplicitDeny { by: Ground { layer, sid } };
        }
    }
    let allow = |layer, document: &Document| find(document, layer, Effect::Allow, request);
    let granted = policies.resource.and_then(|document| allow(Layer::Resource, document));
    let by_resource = |sid| Decision::Allowed { by: Ground { layer: Layer::Resource, sid } };
    let without_identity = matches!(request.caller, Caller::Service(_) | Caller::Anonymous);
    match (&granted, policies.accounts) {
        (Some((Reach::Itself, sid)), Accounts::Same) => return by_resource(sid.clone()),
        (Some((_, sid)), _) if without_identity => return by_resource(sid.clone()),
        (None, Accounts::Other) => return Decision::ImplicitDeny { missing: Layer::Resource },
        _ => {}
    }
    let own = policies.identity.iter().find_map(|document| allow(Layer::Identity, document));
    let by = match (own, granted) {
        (Some((_, sid)), _) => Ground { layer: Layer::Identity, sid },
        (None, Some((Reach::Role, sid))) if policies.accounts == Accounts::Same => {
            Ground { layer: Layer::Resource, sid }
        }
        _ => return Decision::ImplicitDeny { missing: Layer::Identity },
    };
    let limits = [(Layer::Boundary, policies.boundary), (Layer::Session, policies.session)];
    for (layer, document) in limits {
        if document.is_some_and(|document| allow(layer, document).is_none()) {
            return Decision::ImplicitDeny { missing: layer };
        }
    }
    Decision::Allowed { by }
}

/// How closely a resource policy names the caller; the closest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// The user or session, or anyone: nothing but an explicit deny limits that.
    Itself,
    /// The session's role: boundary and session policy limit it.
    Role,
    /// The account.
    Account,
}

/// The statement of this effect that covers the request, of several the one that names the caller
/// most closely.
fn find(
    document: &Document,
    layer: Layer,
    effect: Effect,
    request: &Request,
) -> Option<(Reach, String)> {
    let covering = document.statements.iter().enumerate().filter_map(|(index, statement)| {
        let reach = match (layer, &statement.principals) {
            (Layer::Resource, Some(principals)) => reach(principals, &request.caller)?,
            (Layer::Resource, None) => return None,
            // AWS takes no such document; a Deny in one is heeded all the same.
            (_, Some(_)) if effect == Effect::Allow => return None,
            _ => Reach::Itself,
        };
        let covers = statement.effect == effect && covers(statement, document.version, request);
        let sid = || statement.sid.clone().unwrap_or_else(|| format!("#{index}"));
        covers.then(|| (reach, sid()))
    });
    covering.min_by_key(|(reach, _)| *reach)
}

/// Whether the statement is about this action on this resource under these conditions.
pub(super) fn covers(statement: &Statement, version: Version, request: &Request) -> bool {
    covers_action(&statement.actions, &request.action)
        && statement
            .resources
            .as_ref()
            .is_none_or(|resources| covers_resource(resources, statement.effect, version, request))
        && statement.conditions.iter().all(|condition| {
            condition::holds(condition, statement.effect, version, &request.context)
        })
}

pub(super) fn covers_action(actions: &Which, action: &str) -> bool {
    let matches = |pattern: &String| action_matches(pattern, action);
    match actions {
        Which::Listed(patterns) => patterns.iter().any(matches),
        Which::AllBut(patterns) => !patterns.iter().any(matches),
    }
}

/// Case does not count in actions, and variables are none there.
pub(super) fn action_matches(pattern: &str, action: &str) -> bool {
    let pattern: Vec<Token> = pattern
        .chars()
        .map(|c| match c {
            '*' => Token::Many { colon: true },
            '?' => Token::One { colon: true },
            c => Token::Char(c.to_ascii_lowercase()),
        })
        .collect();
    glob::matches(&pattern, action.chars().map(|c| c.to_ascii_lowercase()))
}

fn covers_resource(resources: &Which, effect: Effect, version: Version, request: &Request) -> bool {
    let wide = matches!((effect, resources), (Effect::Deny, Which::Listed(_)))
        || matches!((effect, resources), (Effect::Allow, Which::AllBut(_)));
    let matches = |pattern: &String| {
        let tokens = resource_tokens(pattern, wide, version, &request.context)?;
        Some(glob::matches(&tokens, request.resource.chars()))
    };
    match resources {
        Which::Listed(patterns) => patterns.iter().any(|pattern| matches(pattern) == Some(true)),
        // A variable without a value keeps the statement from applying.
        Which::AllBut(patterns) => patterns.iter().all(|pattern| matches(pattern) == Some(false)),
    }
}

/// Whether an Allow's pattern matches the request's resource.
pub(super) fn resource_matches(pattern: &str, version: Version, request: &Request) -> bool {
    resource_tokens(pattern, false, version, &request.context)
        .is_some_and(|tokens| glob::matches(&tokens, request.resource.chars()))
}

fn reach(principals: &Principals, caller: &Caller) -> Option<Reach> {
    match principals {
        Principals::Anyone => Some(Reach::Itself),
        Principals::Listed(listed) => closest(listed, caller),
        Principals::AllBut(listed) => closest(listed, caller).is_none().then_some(Reach::Itself),
    }
}

fn closest(listed: &BTreeMap<PrincipalKind, Vec<String>>, caller: &Caller) -> Option<Reach> {
    let named = listed
        .iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| (*kind, name.as_str())));
    named.filter_map(|(kind, name)| names(kind, name, caller)).min()
}

/// How this entry of `Principal` names the caller. `*` stands only for everybody: principals take
/// no patterns.
fn names(kind: PrincipalKind, name: &str, caller: &Caller) -> Option<Reach> {
    let itself = |own: &str| (own == name).then_some(Reach::Itself);
    match (kind, caller) {
        (PrincipalKind::Aws, _) if name == "*" => Some(Reach::Itself),
        (PrincipalKind::Aws, Caller::User(arn)) => itself(arn).or_else(|| account(name, arn)),
        (PrincipalKind::Aws, Caller::RoleSession { role, session }) => itself(session)
            .or_else(|| (role == name).then_some(Reach::Role))
            .or_else(|| account(name, session)),
        (PrincipalKind::Federated, Caller::Federated(own))
        | (PrincipalKind::Service, Caller::Service(own)) => itself(own),
        _ => None,
    }
}

/// An account is named by its id or by the ARN of its root.
fn account(name: &str, arn: &str) -> Option<Reach> {
    let own = arn.split(':').nth(4).filter(|own| !own.is_empty())?;
    let root = name.strip_prefix("arn:").and_then(|rest| rest.split_once(":iam::"));
    let named = root.and_then(|(_, rest)| rest.strip_suffix(":root")).unwrap_or(name);
    (named == own).then_some(Reach::Account)
}

/// A pattern's tokens without a request, for whoever looks at patterns themselves.
pub(super) fn plain_tokens(pattern: &str) -> Option<Vec<Token>> {
    resource_tokens(pattern, false, Version::V2012, &Context::default())
}
