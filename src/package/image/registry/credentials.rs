//! Credentials as `docker login` leaves them: in the configuration or with a helper program.
//!
//! Facts: <https://docs.docker.com/reference/cli/docker/login/> (credential stores and helpers) and
//! the helpers' protocol, <https://github.com/docker/docker-credential-helpers>.

use super::error::Error;
use super::reference::Reference;
use crate::spec::Secret;
use base64::Engine as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The configuration's file.
const CONFIGURATION_FILE: &str = "config.json";
/// Largest configuration read, bytes.
const CONFIGURATION_BYTES_MAX: u64 = 4 << 20;
/// Most bytes read from a helper.
const HELPER_BYTES_MAX: u64 = 64 << 10;
/// Time for a helper, which may ask a person to unlock a store.
const HELPER_TIMEOUT: Duration = Duration::from_secs(60);
/// The user name by which a helper says that its secret is an identity token.
const TOKEN_USERNAME: &str = "<token>";

/// What a registry is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user name and a password; ECR's are `AWS` and a token of 12 hours.
    Basic {
        /// The user name.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// A token that buys tokens (`docker login` to registries with OAuth).
    IdentityToken(Secret),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    auths: BTreeMap<String, AuthEntry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuthEntry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperReply {
    username: String,
    secret: String,
}

/// The credentials that the Docker configuration in `folder` (`DOCKER_CONFIG`, else `~/.docker`) has
/// for the reference's registry; helpers are looked for along `search_path`.
///
/// # Errors
/// The configuration is no valid one, or a helper fails. A configuration that is not there has none.
pub async fn find_credentials(
    reference: &Reference,
    folder: &Path,
    search_path: &OsStr,
) -> Result<Option<Credentials>, Error> {
    let path = folder.join(CONFIGURATION_FILE);
    let Some(configuration) = read_configuration(&path)? else { return Ok(None) };
    let key = reference.credentials_key();
    let helper = configuration.cred_helpers.iter().find(|(host, _)| is_same(host, key));
    let helper = helper.map(|(_, helper)| helper).or(configuration.creds_store.as_ref());
    if let Some(helper) = helper.filter(|helper| !helper.is_empty())
        && let Some(found) = ask_helper(helper, key, search_path).await?
    {
        return Ok(Some(found));
    }
    let entry = configuration.auths.iter().find(|(host, _)| is_same(host, key));
    let Some((_, entry)) = entry else { return Ok(None) };
    from_entry(entry).map_err(|reason| Error::Configuration {
        path: path.display().to_string(),
        reason: format!("the entry for `{key}`: {reason}"),
    })
}

fn read_configuration(path: &Path) -> Result<Option<Configuration>, Error> {
    let refuse = |reason: String| Error::Configuration { path: path.display().to_string(), reason };
    let file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error.kind().to_string())),
    };
    let mut bytes = Vec::new();
    let read = file.take(CONFIGURATION_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| refuse(error.kind().to_string()))?;
    // The parser's own words could quote a secret; its place in the file cannot.
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        refuse(format!("line {}, column {}: not as Docker writes it", error.line(), error.column()))
    })
}

/// Whether two keys mean one registry: older clients wrote `https://HOST/v1/`.
fn is_same(a: &str, b: &str) -> bool {
    fn host(key: &str) -> &str {
        let key =
            key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
        key.split('/').next().unwrap_or(key)
    }
    host(a).eq_ignore_ascii_case(host(b))
}

fn from_entry(entry: &AuthEntry) -> Result<Option<Credentials>, &'static str> {
    let text = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    if let Some(token) = text(&entry.identitytoken) {
        return Ok(Some(Credentials::IdentityToken(Secret::new(token))));
    }
    if let (Some(username), Some(password)) = (text(&entry.username), text(&entry.password)) {
        return Ok(Some(Credentials::Basic { username, password: Secret::new(password) }));
    }
    let Some(auth) = text(&entry.auth) else { return Ok(None) };
    let bytes = base64::engine::general_purpose::STANDARD.decode(auth.trim());
    let decoded = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or("`auth` is not base64 of text")?;
    let (username, password) = decoded.split_once(':').ok_or("`auth` has no `:` inside")?;
    // Docker pads what it writes with NULs.
    let password = Secret::new(password.trim_end_matches('\0'));
    Ok(Some(Credentials::Basic { username: username.to_owned(), password }))
}

/// Asks `docker-credential-NAME get`; `None` when it has none for the registry.
async fn ask_helper(
    name: &str,
    key: &str,
    search_path: &OsStr,
) -> Result<Option<Credentials>, Error> {
    let helper = format!("docker-credential-{}", super::super::document::shortened(name));
    let fail = |reason: String| Error::Helper { helper: helper.clone(), reason };
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let program = Some(&helper).filter(|_| is_plain).and_then(|helper| find(helper, search_path));
    let program = program.ok_or_else(|| fail("there is no such program".to_owned()))?;
    let mut child = tokio::process::Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| fail(error.to_string()))?;
    let talk = async {
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read has still to answer.
            let _ = stdin.write_all(format!("{key}\n").as_bytes()).await;
        }
        let mut bytes = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(HELPER_BYTES_MAX).read_to_end(&mut bytes).await?;
        }
        Ok::<_, std::io::Error>((bytes, child.wait().await?))
    };
    let (bytes, status) = match tokio::time::timeout(HELPER_TIMEOUT, talk).await {
        Ok(done) => done.map_err(|error| fail(error.to_string()))?,
        Err(_) => return Err(fail("no answer in time".to_owned())),
    };
    if !status.success() {
        let said = String::from_utf8_lossy(&bytes);
        // The protocol's own words for "none".
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(fail(format!("it ended with {status}")));
    }
    let reply: HelperReply = serde_json::from_slice(&bytes)
        .map_err(|_| fail("its answer is not understood".to_owned()))?;
    let secret = Secret::new(reply.secret);
    Ok(Some(if reply.username == TOKEN_USERNAME {
        Credentials::IdentityToken(secret)
    } else {
        Credentials::Basic { username: reply.username, password: secret }
    }))
}

fn find(program: &str, search_path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(search_path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
