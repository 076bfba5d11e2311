//! The names of condition operators.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::fmt;

/// A condition operator as a document names it: `ForAnyValue:StringLikeIfExists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// For keys with several values in the request.
    pub set: Option<Set>,
    /// The comparison.
    pub test: Test,
    /// True where the request has no such key.
    pub if_exists: bool,
}

/// How a key with several values in the request is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Every value of the request must pass; true without a value.
    ForAllValues,
    /// One value of the request must pass; false without a value.
    ForAnyValue,
}

/// A comparison, and whether its outcome is turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Test {
    /// What is compared.
    pub compare: Compare,
    /// `Not`: passes where no value of the policy matches, and where the key is missing.
    pub negated: bool,
}

/// What a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// The same characters.
    String,
    /// The same characters, case aside.
    StringIgnoreCase,
    /// A pattern over the whole string.
    StringLike,
    /// Numbers.
    Numeric(Order),
    /// Instants.
    Date(Order),
    /// `true` or `false`.
    Bool,
    /// Bytes, both sides in base64.
    Binary,
    /// An address within a network.
    IpAddress,
    /// A pattern over each of an ARN's six parts.
    Arn,
    /// Whether the key is missing.
    Null,
}

/// How two ordered values must stand: the request's before, at or after the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Equal.
    At,
    /// Less.
    Before,
    /// Less or equal.
    UpTo,
    /// Greater.
    After,
    /// Greater or equal.
    From,
}

impl Order {
    /// Whether the request's value stands so to the policy's.
    pub(super) fn holds(self, request_to_policy: std::cmp::Ordering) -> bool {
        match self {
            Self::At => request_to_policy.is_eq(),
            Self::Before => request_to_policy.is_lt(),
            Self::UpTo => request_to_policy.is_le(),
            Self::After => request_to_policy.is_gt(),
            Self::From => request_to_policy.is_ge(),
        }
    }
}

/// `ArnEquals` and `ArnLike` are one comparison by two names; the first is the one rendered.
const TESTS: [(&str, Compare, bool); 27] = [
    ("StringEquals", Compare::String, false),
    ("StringNotEquals", Compare::String, true),
    ("StringEqualsIgnoreCase", Compare::StringIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Compare::StringIgnoreCase, true),
    ("StringLike", Compare::StringLike, false),
    ("StringNotLike", Compare::StringLike, true),
    ("NumericEquals", Compare::Numeric(Order::At), false),
    ("NumericNotEquals", Compare::Numeric(Order::At), true),
    ("NumericLessThan", Compare::Numeric(Order::Before), false),
    ("NumericLessThanEquals", Compare::Numeric(Order::UpTo), false),
    ("NumericGreaterThan", Compare::Numeric(Order::After), false),
    ("NumericGreaterThanEquals", Compare::Numeric(Order::From), false),
    ("DateEquals", Compare::Date(Order::At), false),
    ("DateNotEquals", Compare::Date(Order::At), true),
    ("DateLessThan", Compare::Date(Order::Before), false),
    ("DateLessThanEquals", Compare::Date(Order::UpTo), false),
    ("DateGreaterThan", Compare::Date(Order::After), false),
    ("DateGreaterThanEquals", Compare::Date(Order::From), false),
    ("Bool", Compare::Bool, false),
    ("BinaryEquals", Compare::Binary, false),
    ("IpAddress", Compare::IpAddress, false),
    ("NotIpAddress", Compare::IpAddress, true),
    ("ArnLike", Compare::Arn, false),
    ("ArnEquals", Compare::Arn, false),
    ("ArnNotLike", Compare::Arn, true),
    ("ArnNotEquals", Compare::Arn, true),
    ("Null", Compare::Null, false),
];

impl Operator {
    /// The operator of this name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        let (set, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Set::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(Set::ForAnyValue), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (rest, if_exists) = match rest.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (_, compare, negated) = TESTS.into_iter().find(|(name, ..)| *name == rest)?;
        // Whether the key exists is what `Null` asks already.
        (compare != Compare::Null || !if_exists && set.is_none()).then_some(Self {
            set,
            test: Test { compare, negated },
            if_exists,
        })
    }

    /// All names without qualifiers, for messages.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        TESTS.into_iter().map(|(name, ..)| name)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.set {
            Some(Set::ForAllValues) => f.write_str("ForAllValues:")?,
            Some(Set::ForAnyValue) => f.write_str("ForAnyValue:")?,
            None => {}
        }
        let found = TESTS.into_iter().find(|(_, compare, negated)| {
            (*compare, *negated) == (self.test.compare, self.test.negated)
        });
        // A pair that no name stands for can only be built by hand; no parser takes its text.
        f.write_str(found.map_or("Unnamed", |(name, ..)| name))?;
        f.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}
