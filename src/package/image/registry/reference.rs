//! Names of images: in a registry, or in a layout on the disk.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Docker Hub's name, its API's host, and the host's key in a Docker configuration.
const HUB: &str = "docker.io";
const HUB_API: &str = "registry-1.docker.io";
const HUB_CREDENTIALS: &str = "https://index.docker.io/v1/";
/// Longest repository name, characters (distribution specification).
const REPOSITORY_MAX: usize = 255;
/// Longest tag, characters (distribution specification).
const TAG_MAX: usize = 128;

/// The text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no image: {reason}")]
pub struct BadReference {
    text: String,
    reason: &'static str,
}

/// An image in a registry: `HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// An ECR registry, as its host name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcrRegistry {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
}

impl Reference {
    /// `HOST[:PORT]`, as it was written.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// What a manifest is asked for by: the digest, else the tag, else `latest`.
    pub fn manifest_name(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    /// Whether it names a manifest by its digest, which nothing else can be pushed to.
    pub fn has_digest(&self) -> bool {
        self.digest.is_some()
    }

    /// The host of the registry's API.
    pub(super) fn api_host(&self) -> &str {
        if self.registry == HUB { HUB_API } else { &self.registry }
    }

    /// The registry's key in a Docker configuration.
    pub(super) fn credentials_key(&self) -> &str {
        if self.registry == HUB { HUB_CREDENTIALS } else { &self.registry }
    }

    /// The registry, when it is ECR: `ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com[.cn]`.
    pub fn ecr(&self) -> Option<EcrRegistry> {
        let name = self.registry.strip_suffix(".cn").unwrap_or(&self.registry);
        let mut labels = name.strip_suffix(".amazonaws.com")?.split('.');
        let (account, dkr, ecr, region) =
            (labels.next()?, labels.next()?, labels.next()?, labels.next()?);
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let is_ecr = dkr == "dkr" && matches!(ecr, "ecr" | "ecr-fips") && labels.next().is_none();
        (is_account && is_ecr)
            .then(|| EcrRegistry { account: account.to_owned(), region: region.to_owned() })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason| BadReference { text: crate_text(text), reason };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        if digest
            .is_some_and(|digest| digest.parse::<super::super::document::BlobDigest>().is_err())
        {
            return Err(refuse("a digest is `sha256:` and 64 hexadecimal digits"));
        }
        // As Docker does: what stands before the first slash is a host if it looks like one.
        let (registry, rest) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => {
                (host, rest.to_owned())
            }
            Some(_) => (HUB, name.to_owned()),
            None => (HUB, format!("library/{name}")),
        };
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) => (repository.to_owned(), Some(tag.to_owned())),
            None => (rest, None),
        };
        if !is_host(registry) {
            return Err(refuse("its host is malformed"));
        }
        if !is_repository(&repository) {
            return Err(refuse("a repository is lower-case words joined by `/`, `.`, `_` or `-`"));
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(refuse("a tag is at most 128 letters, digits, `_`, `.` or `-`"));
        }
        let registry = registry.to_ascii_lowercase();
        let registry = if registry == "index.docker.io" { HUB.to_owned() } else { registry };
        Ok(Self { registry, repository, tag, digest: digest.map(str::to_owned) })
    }
}

fn crate_text(text: &str) -> String {
    super::super::document::shortened(text)
}

fn is_host(text: &str) -> bool {
    let Ok(url) = url::Url::parse(&format!("https://{text}/")) else { return false };
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    plain && url.has_host() && url.path() == "/"
}

fn is_repository(text: &str) -> bool {
    let is_word = |word: &str| {
        let ends_well = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
        ends_well(word.bytes().next())
            && ends_well(word.bytes().last())
            && word.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
            })
    };
    text.len() <= REPOSITORY_MAX && text.split('/').all(is_word)
}

fn is_tag(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !text.is_empty()
        && text.len() <= TAG_MAX
        && !text.starts_with(['.', '-'])
        && text.bytes().all(is_allowed)
}

/// Whether this host is this machine.
pub(super) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Whether a registry may lead to this address: HTTPS anywhere, plain HTTP on this machine alone and
/// only for a registry that is here itself. Another one has no business with this machine's ports.
pub(super) fn may_lead_to(url: &url::Url, is_local: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_local && is_loopback(url),
        _ => false,
    }
}

/// An image as `--base` and `--check` name it: `oci:DIR` or a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageName {
    /// The folder of an OCI layout.
    Layout(PathBuf),
    /// An image in a registry.
    Registry(Reference),
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(folder) => write!(f, "oci:{}", folder.display()),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

impl FromStr for ImageName {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("oci:") {
            Some("") => Err(BadReference {
                text: text.to_owned(),
                reason: "`oci:` is followed by the folder of an OCI layout",
            }),
            Some(folder) => Ok(Self::Layout(PathBuf::from(folder))),
            None => text.parse().map(Self::Registry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_reads() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cases = [
            ("alpine", "docker.io", "library/alpine", "latest"),
            ("me/app:v1", "docker.io", "me/app", "v1"),
            ("localhost/app", "localhost", "app", "latest"),
            ("127.0.0.1:5000/a/b:V-1.0_x", "127.0.0.1:5000", "a/b", "V-1.0_x"),
            ("[::1]:5000/a", "[::1]:5000", "a", "latest"),
            ("Ghcr.io/a/b__c", "ghcr.io", "a/b__c", "latest"),
        ];
        for (text, registry, repository, name) in cases {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.registry(), registry, "{text}");
            assert_eq!(reference.repository(), repository, "{text}");
            assert_eq!(reference.manifest_name(), name, "{text}");
        }
        let pinned: Reference = format!("host.example/app:v1@{digest}").parse().unwrap();
        assert_eq!(pinned.manifest_name(), digest);
        assert_eq!(pinned.to_string(), format!("host.example/app:v1@{digest}"));
        for bad in [
            "",
            "/",
            "a/",
            "App",
            "host.example/",
            "host.example/A",
            "host.example/a:",
            "a:b:c",
            "a@sha256:1",
            "host.example/../a",
            "host.example/a?b",
            "ho st.example/a",
            "a/.b",
            "user@host.example/a",
            "host.example:x/a",
            "host.example/a:.x",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_http_is_for_registries_of_this_machine() {
        let cases = [
            ("https://elsewhere.example/x", true, true),
            ("http://elsewhere.example/x", false, false),
            ("http://127.0.0.1:5000/x", true, false),
            ("http://localhost/x", true, false),
            ("http://[::1]/x", true, false),
            ("http://127.0.0.1.example/x", false, false),
            ("ftp://127.0.0.1/x", false, false),
        ];
        for (text, of_local, of_remote) in cases {
            let url = url::Url::parse(text).unwrap();
            assert_eq!(may_lead_to(&url, true), of_local, "{text}");
            assert_eq!(may_lead_to(&url, false), of_remote, "{text}");
        }
    }

    #[test]
    fn knows_ecr_by_its_host() {
        let ecr = |host: &str| format!("{host}/app").parse::<Reference>().unwrap().ecr();
        let found = ecr("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap();
        assert_eq!((found.account.as_str(), found.region.as_str()), ("123456789012", "eu-west-1"));
        assert!(ecr("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com").is_some());
        assert!(ecr("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn").is_some());
        for other in [
            "public.ecr.aws",
            "123.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "x.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(ecr(other), None, "{other}");
        }
    }
}
