//! Whether a statement's conditions hold for a request.
//!
//! Facts: conditions and keys are all required, values of one key are alternatives, and with a
//! negated operator none of them may match
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html>).
//! A missing key fails, but passes a negated operator and `IfExists`. `ForAllValues` passes and
//! `ForAnyValue` fails without values or with nothing but empty ones
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>).
//!
//! What AWS leaves undefined goes against the caller, which means that an Allow does not apply and
//! a Deny does: several values under an operator without a set qualifier, and a value that is
//! not of the operator's kind. A policy variable without a value never matches, and a condition
//! whose negated test depends on one does not hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::evaluate::Context;
use super::glob::{self, Token};
use super::operator::{Compare, Order, Set};
use super::statement::{Condition, Effect, Version};
use super::value::{Network, compare_numbers, instant_ns, number};
use super::variable::{Place, expand};

/// Whether the condition holds for a statement of this effect.
pub(super) fn holds(
    condition: &Condition,
    effect: Effect,
    version: Version,
    context: &Context,
) -> bool {
    let values = context.get(&condition.key);
    let operator = condition.operator;
    if operator.test.compare == Compare::Null {
        let missing = values.is_empty();
        return condition.values.iter().any(|value| boolean(value) == Some(missing));
    }
    if values.is_empty() && operator.if_exists {
        return true;
    }
    let empty = values.iter().all(String::is_empty);
    let undefined = effect == Effect::Deny;
    let passes = |value: &String| passes(condition, value, version, context).unwrap_or(undefined);
    match operator.set {
        Some(Set::ForAllValues) => empty || values.iter().all(passes),
        Some(Set::ForAnyValue) => !empty && values.iter().any(passes),
        None => match values {
            [] => operator.test.negated,
            [value] => passes(value),
            _ => undefined,
        },
    }
}

/// Whether one value of the request passes; `None` where that is undefined.
fn passes(condition: &Condition, value: &str, version: Version, context: &Context) -> Option<bool> {
    let test = condition.operator.test;
    let mut matched = false;
    for wanted in &condition.values {
        match compare(test.compare, value, wanted, version, context) {
            Outcome::Is(hit) => matched |= hit,
            Outcome::NoValue if test.negated => return Some(false),
            Outcome::NoValue => {}
            Outcome::Undefined => return None,
        }
    }
    Some(matched != test.negated)
}

enum Outcome {
    Is(bool),
    /// The policy's value has a variable that the request gives no value.
    NoValue,
    Undefined,
}

fn compare(
    how: Compare,
    value: &str,
    wanted: &str,
    version: Version,
    context: &Context,
) -> Outcome {
    let pattern = |place| expand(wanted, place, version, context);
    let matched = match how {
        Compare::String => {
            pattern(Place::Exact).map(|wanted| glob::matches(&wanted, value.chars()))
        }
        Compare::StringIgnoreCase => {
            pattern(Place::Exact).map(|wanted| text(&wanted).to_lowercase() == value.to_lowercase())
        }
        Compare::StringLike => {
            pattern(Place::Text).map(|wanted| glob::matches(&wanted, value.chars()))
        }
        Compare::Arn => pattern(Place::Text).map(|wanted| arn_matches(&wanted, value)),
        _ => return compare_parsed(how, value, wanted).map_or(Outcome::Undefined, Outcome::Is),
    };
    matched.map_or(Outcome::NoValue, Outcome::Is)
}

fn compare_parsed(how: Compare, value: &str, wanted: &str) -> Option<bool> {
    match how {
        Compare::Numeric(order) => Some(order.holds(compare_numbers(value, wanted)?)),
        Compare::Date(order) => Some(order.holds(instant_ns(value)?.cmp(&instant_ns(wanted)?))),
        Compare::Bool => Some(boolean(value)? == boolean(wanted)?),
        Compare::Binary => Some(STANDARD.decode(value).ok()? == STANDARD.decode(wanted).ok()?),
        Compare::IpAddress => Some(Network::from_text(wanted)?.contains(value.parse().ok()?)),
        _ => None,
    }
}

/// What is wrong with a value of a policy under this comparison.
pub(super) fn complaint(how: Compare, wanted: &str) -> Option<&'static str> {
    let (good, kind) = match how {
        Compare::Numeric(Order::At | Order::Before | Order::UpTo | Order::After | Order::From) => {
            (number(wanted).is_some(), "a number")
        }
        Compare::Date(_) => (instant_ns(wanted).is_some(), "an ISO 8601 date or a Unix time"),
        Compare::Bool | Compare::Null => (boolean(wanted).is_some(), "`true` or `false`"),
        Compare::Binary => (STANDARD.decode(wanted).is_ok(), "base64"),
        Compare::IpAddress => (Network::from_text(wanted).is_some(), "an address or a CIDR range"),
        Compare::String | Compare::StringIgnoreCase | Compare::StringLike | Compare::Arn => {
            return None;
        }
    };
    (!good).then_some(kind)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The characters of a pattern that has no wildcards.
fn text(tokens: &[Token]) -> String {
    tokens
        .iter()
        .filter_map(|token| if let Token::Char(c) = token { Some(*c) } else { None })
        .collect()
}

/// Each of the six parts by itself, so that no wildcard reaches into the next part. What is not an
/// ARN matches nothing.
fn arn_matches(pattern: &[Token], value: &str) -> bool {
    let mut patterns = pattern.splitn(6, |token| *token == Token::Char(':'));
    let mut values = value.splitn(6, ':');
    (0..6).all(|_| match (patterns.next(), values.next()) {
        (Some(pattern), Some(value)) => glob::matches(pattern, value.chars()),
        _ => false,
    })
}
