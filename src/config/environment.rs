//! The environment, captured once: the variables, the working folder, the user.
//!
//! # Invariants
//! Nothing else in the crate asks the operating system for a variable; what needs one takes an
//! [`Environment`] or a value resolved from it. Values may be secrets and are never printed.

use super::error::Error;
use super::rules;
use crate::spec::Secret;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// Longest user name taken, characters.
const USER_CHARS_MAX: usize = 64;

/// Variables, working folder and user of this process.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    folder: PathBuf,
    user_id: Option<u32>,
}

impl Environment {
    /// What this process was started with.
    pub fn capture() -> Self {
        // A folder that was removed under the process still has a name to be refused by.
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let user_id = Some(rustix::process::getuid().as_raw());
        Self { variables: std::env::vars_os().collect(), folder, user_id }
    }

    /// An environment made by hand.
    pub fn new<K, V>(
        folder: impl Into<PathBuf>,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self { variables, folder: folder.into(), user_id: None }
    }

    /// The folder that relative paths on the command line start from.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The variable as it is; `None` when it is not set or empty.
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value.as_os_str())
    }

    /// The variable as text; `None` when it is not set, empty, or not UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_os(name)?.to_str()
    }

    /// The value of the API key of this name that `GWTF_KEY_<NAME>` sets; `None` when it does not.
    ///
    /// # Errors
    /// The value is not 20 to 128 visible ASCII characters; the error does not show it.
    pub fn api_key(&self, name: &str) -> Result<Option<Secret>, Error> {
        let name = rules::key_variable(name);
        let Some(value) = self.get_os(&name) else { return Ok(None) };
        match value.to_str().filter(|text| crate::release::keys::is_key_value(text)) {
            Some(text) => Ok(Some(Secret::new(text))),
            None => Err(Error::Variable { name, expected: "20 to 128 visible ASCII characters" }),
        }
    }

    /// The variable as a path, relative to the working folder.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join(self.get_os(name)?))
    }

    /// The person or machine account that runs gwtf: at most 64 visible characters.
    pub fn user(&self) -> String {
        let named = ["USER", "LOGNAME"].into_iter().find_map(|name| self.get(name));
        match (named, self.user_id) {
            (Some(name), _) => {
                name.chars().filter(|c| !c.is_control()).take(USER_CHARS_MAX).collect()
            }
            (None, Some(id)) => format!("uid {id}"),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// Whether colour is unwanted (<https://no-color.org>).
    pub fn no_color(&self) -> bool {
        self.get_os("NO_COLOR").is_some()
    }

    /// Where a CI job wants its Markdown summary (GitHub Actions).
    pub fn step_summary(&self) -> Option<PathBuf> {
        self.path("GITHUB_STEP_SUMMARY")
    }

    /// Whether a CI job runs this.
    pub fn is_ci(&self) -> bool {
        self.get("CI").is_some_and(|value| value != "false" && value != "0")
    }

    /// gwtf's own folder for what can be fetched again (XDG base directories).
    pub fn cache_folder(&self) -> Option<PathBuf> {
        let base = self
            .get_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(self.path("HOME")?.join(".cache")))?;
        Some(base.join("gwtf"))
    }

    /// Whether anything names AWS credentials: a variable, or one of the shared files.
    pub fn has_aws_credentials(&self) -> bool {
        let named = [
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ];
        let file = |variable: &str, home: &str| {
            self.path(variable).or_else(|| Some(self.path("HOME")?.join(home)))
        };
        named.into_iter().any(|name| self.get_os(name).is_some())
            || file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")
                .is_some_and(|path| path.is_file())
            || file("AWS_CONFIG_FILE", ".aws/config").is_some_and(|path| path.is_file())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("names", &self.variables.keys().collect::<Vec<_>>())
            .field("folder", &self.folder)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_never_shown() {
        let environment = Environment::new("/", [("GWTF_KEY_ALICE", "secret-value")]);
        let shown = format!("{environment:?}");
        assert!(shown.contains("GWTF_KEY_ALICE") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_user_name_is_short_and_visible() {
        let user = |name: &str| Environment::new("/", [("USER", name)]).user();
        assert_eq!(user("ada"), "ada");
        assert_eq!(user("a\u{1b}[31mda"), "a[31mda");
        assert_eq!(user(&"a".repeat(99)).len(), 64);
        assert_eq!(user(""), "unknown");
    }

    #[test]
    fn the_cache_follows_xdg() {
        let home = [("HOME", "/home/ada")];
        let cache =
            |variables: &[(&str, &str)]| Environment::new("/", variables.to_vec()).cache_folder();
        assert_eq!(cache(&home), Some("/home/ada/.cache/gwtf".into()));
        assert_eq!(cache(&[home[0], ("XDG_CACHE_HOME", "/c")]), Some("/c/gwtf".into()));
        assert_eq!(
            cache(&[home[0], ("XDG_CACHE_HOME", "c")]),
            Some("/home/ada/.cache/gwtf".into())
        );
        assert_eq!(cache(&[]), None);
    }
}
