//! Narrower patterns: what a wildcard stands for in all of some resources, in its place.

use super::evaluate::Context;
use super::glob;
use super::statement::Version;
use super::variable::resource_tokens;

/// The pattern with one wildcard replaced by what it stands for in all of the resources, for each
/// wildcard that this makes narrower. Patterns with variables are left as they are.
pub(super) fn narrower(pattern: &str, resources: &[&str]) -> Vec<String> {
    let wildcards = wildcards(pattern);
    let tokens = resource_tokens(pattern, false, Version::V2012, &Context::default());
    let Some(tokens) = tokens.filter(|_| !resources.is_empty()) else {
        return Vec::new();
    };
    let captures: Option<Vec<Vec<String>>> =
        resources.iter().map(|resource| glob::captures(&tokens, resource)).collect();
    let Some(captures) = captures else { return Vec::new() };
    let narrow = |(place, at): (usize, &usize)| {
        let texts: Vec<&str> = captures.iter().map(|captured| captured[place].as_str()).collect();
        let wildcard = &pattern[*at..=*at];
        let common = common(&texts, wildcard)?;
        Some(format!("{}{common}{}", &pattern[..*at], &pattern[at + 1..]))
    };
    wildcards.iter().enumerate().filter_map(narrow).filter(|to| to != pattern).collect()
}

/// What the texts have in common, as a pattern; `None` if that is the wildcard itself.
fn common(texts: &[&str], wildcard: &str) -> Option<String> {
    let first = *texts.first()?;
    // The resource `*` of actions that know no resources.
    if texts.contains(&"*") {
        return None;
    }
    if texts.iter().all(|text| *text == first) {
        return Some(escape(first));
    }
    let shortest = texts.iter().map(|text| text.chars().count()).min()?;
    let same = |other: &str, back: bool| {
        let pairs =
            |a: &mut dyn Iterator<Item = (char, char)>| a.take_while(|(a, b)| a == b).count();
        if back {
            pairs(&mut first.chars().rev().zip(other.chars().rev()))
        } else {
            pairs(&mut first.chars().zip(other.chars()))
        }
    };
    let prefix = texts.iter().map(|text| same(text, false)).min()?;
    let suffix = texts.iter().map(|text| same(text, true)).min()?.min(shortest - prefix);
    if wildcard != "*" || prefix + suffix == 0 {
        return None;
    }
    let length = first.chars().count();
    let head: String = first.chars().take(prefix).collect();
    let tail: String = first.chars().skip(length - suffix).collect();
    Some(format!("{}*{}", escape(&head), escape(&tail)))
}

/// Where the wildcards are that are not in a variable.
fn wildcards(pattern: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = pattern[at..].chars().next() {
        match pattern[at..].strip_prefix("${").and_then(|rest| rest.find('}')) {
            Some(end) => at += end + 3,
            None => {
                if matches!(c, '*' | '?') {
                    found.push(at);
                }
                at += c.len_utf8();
            }
        }
    }
    found
}

/// A text as the pattern that matches nothing else; `*` alone stays what actions without resources
/// are asked about.
pub(super) fn escape(text: &str) -> String {
    if text == "*" {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '$' => escaped.extend(['$', '{', c, '}']),
            c => escaped.push(c),
        }
    }
    escaped
}
