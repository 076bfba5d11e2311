//! Who asks, and how closely a resource policy names them.

use std::collections::BTreeMap;

use super::statement::{PrincipalKind, Principals};

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

/// How closely a resource policy names the caller; the closest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// The user or session, or anyone: nothing but an explicit deny limits that.
    Itself,
    /// The session's role: boundary and session policy limit it.
    Role,
    /// The account.
    Account,
}

/// `None` if the caller is not among those meant.
pub(super) fn reach(principals: &Principals, caller: &Caller) -> Option<Reach> {
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
