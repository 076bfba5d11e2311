//! Version tags: what `--version` names, and a segment of every pinned path.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest version tag, characters.
pub const VERSION_CHARS_MAX: usize = 31;

/// Words that mean something else in a path or on the command line.
const RESERVED: [&str; 11] = [
    "canary", "health", "infer", "latest", "live", "metadata", "models", "predict", "previous",
    "ready", "versions",
];

/// A version tag: `[a-z0-9][a-z0-9._-]{0,30}` and no reserved word.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

/// Why a text is no version tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no version tag: {reason}")]
pub struct VersionError {
    text: String,
    reason: &'static str,
}

impl Version {
    /// The tag itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason| Err(VersionError { text: text.to_owned(), reason });
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !text.starts_with(inside) {
            return refuse("it starts with a small letter or a digit");
        }
        if !text.chars().all(|c| inside(c) || matches!(c, '.' | '_' | '-')) {
            return refuse("it holds small letters, digits, `.`, `_` and `-` only");
        }
        if text.len() > VERSION_CHARS_MAX {
            return refuse("it is longer than 31 characters");
        }
        if RESERVED.contains(&text) {
            return refuse("the word is reserved");
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_tags_and_refuses_what_a_path_could_not_hold() {
        for text in ["v1", "0", "2024-06-01", "1.2.3_rc", &"a".repeat(31)] {
            assert_eq!(text.parse::<Version>().unwrap().as_str(), text);
        }
        for text in
            ["", "V1", "-a", ".", "..", "a/b", "a b", "é", "predict", "models", &"a".repeat(32)]
        {
            let error = text.parse::<Version>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no version tag: ")), "{error}");
        }
    }
}
