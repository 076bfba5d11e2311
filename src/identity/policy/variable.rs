//! Text of a policy as a pattern: wildcards, and policy variables filled in from a request.
//!
//! `${key}` stands for the request's one value of that key, `${key, 'default'}` for the default
//! where the request has none, and `${*}`, `${?}`, `${$}` for these characters themselves
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>). What a
//! variable brings in never acts as a wildcard. A key with several values cannot be a variable.

use super::evaluate::Context;
use super::glob::Token;
use super::statement::Version;

/// Where a text stands, which decides how far its wildcards reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Wildcards over everything.
    Text,
    /// An ARN in `Resource`, in doubt wide or narrow: see [`resource_tokens`].
    Resource { wide: bool },
    /// No wildcards: `*` and `?` are themselves.
    Exact,
}

/// The text as a pattern for this request; `None` if a variable has no value, which matches
/// nothing ("any attempt to match it fails", same page).
pub(super) fn expand(
    text: &str,
    place: Place,
    version: Version,
    context: &Context,
) -> Option<Vec<Token>> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut colons = 0;
    while let Some(c) = rest.chars().next() {
        if let Some((inside, after)) = variable(rest).filter(|_| version == Version::V2012) {
            match inside {
                "*" | "?" | "$" => tokens.extend(inside.chars().map(Token::Char)),
                // Variables stand only after the fifth colon of an ARN.
                _ if matches!(place, Place::Resource { .. }) && colons < 5 => return None,
                _ => tokens.extend(value(inside, context)?.chars().map(Token::Char)),
            }
            rest = after;
            continue;
        }
        colons += usize::from(c == ':');
        rest = &rest[c.len_utf8()..];
        tokens.push(match (c, place) {
            (_, Place::Exact) => Token::Char(c),
            ('*', Place::Text) => Token::Many { colon: true },
            ('?', Place::Text) => Token::One { colon: true },
            ('*', Place::Resource { wide }) => {
                Token::Many { colon: wide || rest.is_empty() || rest.starts_with(':') }
            }
            ('?', Place::Resource { wide }) => Token::One { colon: wide },
            _ => Token::Char(c),
        });
    }
    Some(tokens)
}

/// A pattern in `Resource`.
///
/// AWS: wildcards stand within the segments between colons; `*` expands over `/` like over any
/// character, and "if the * wildcard is the last character of a resource ARN segment, it can
/// expand to match beyond the colon boundaries"
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).
/// So a `*` that ends its segment takes anything, and a `*` inside one, like `?`, no colon. AWS does
/// not say that they never do; `wide` lets them, for patterns whose match goes against the caller.
/// Case counts.
pub(super) fn resource_tokens(
    text: &str,
    wide: bool,
    version: Version,
    context: &Context,
) -> Option<Vec<Token>> {
    expand(text, Place::Resource { wide }, version, context)
}

/// Splits `${inside}after`.
fn variable(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("${")?.split_once('}')
}

fn value<'a>(inside: &'a str, context: &'a Context) -> Option<&'a str> {
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            (key.trim(), Some(quoted))
        }
        None => (inside, None),
    };
    match context.get(key) {
        [one] => Some(one),
        [] => default,
        _ => None,
    }
}
