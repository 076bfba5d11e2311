//! Who may take the deployer's role: one repository's CI jobs, signed in over OIDC.

use crate::error::{Exit, Explain};
use crate::identity::policy::{Compare, Document, Operator, PrincipalKind, Statement, Test};

const GITHUB: &str = "token.actions.githubusercontent.com";
const GITLAB: &str = "gitlab.com";

/// A CI system's jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ci {
    /// GitHub Actions of this repository (`ORG/REPO`).
    Github {
        /// `ORG/REPO`.
        repository: String,
        /// The organisation's or the person's number. With the repository's, tokens that have the
        /// numbers in their subject are accepted too.
        organization_id: Option<u64>,
        /// The repository's number, which stays when it is renamed or its name is taken over.
        repository_id: Option<u64>,
        /// Which of its jobs.
        jobs: Jobs,
    },
    /// GitLab CI of this project (`GROUP/PROJECT`) on gitlab.com.
    Gitlab {
        /// `GROUP/PROJECT`.
        project: String,
        /// The branch that jobs run for.
        branch: String,
    },
}

/// Which jobs of a GitHub repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jobs {
    /// Those of an environment, with its reviewers and rules.
    Environment(String),
    /// Those of a branch.
    Branch(String),
}

/// A name that would not name one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}`: {cause}")]
pub struct TrustError {
    what: &'static str,
    text: String,
    cause: &'static str,
}

impl Explain for TrustError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("name exactly one; whoever the trust document names may deploy".to_owned())
    }
}

/// The trust document: exact `aud` and `sub`, never a wildcard.
///
/// Forms of `sub`: GitHub docs, "OpenID Connect reference"; GitLab docs, "Configure OpenID Connect in
/// AWS to retrieve temporary credentials". `aud` is what the official actions ask a token for.
///
/// # Errors
/// A name has characters that it cannot have, wildcards among them.
pub fn trust(partition: &str, account_id: &str, ci: &Ci) -> Result<Document, TrustError> {
    let (issuer, audience, subjects, reason) = match ci {
        Ci::Github { repository, organization_id, repository_id, jobs } => {
            check_path("repository", repository, 2)?;
            let (of, reason) = match jobs {
                Jobs::Environment(name) => {
                    check("environment", name)?;
                    let reason = format!("jobs of {repository} in its environment {name}");
                    (format!("environment:{name}"), reason)
                }
                Jobs::Branch(name) => {
                    check("branch", name)?;
                    let reason = format!("jobs of {repository} on its branch {name}");
                    (format!("ref:refs/heads/{name}"), reason)
                }
            };
            let numbered = numbered(repository, *organization_id, *repository_id);
            let spellings = std::iter::once(repository.clone()).chain(numbered);
            let subjects = spellings.map(|repository| format!("repo:{repository}:{of}")).collect();
            (GITHUB, "sts.amazonaws.com", subjects, reason)
        }
        Ci::Gitlab { project, branch } => {
            check_path("project", project, usize::MAX)?;
            check("branch", branch)?;
            let subject = format!("project_path:{project}:ref_type:branch:ref:{branch}");
            (GITLAB, "https://gitlab.com", vec![subject], format!("jobs of {project} on {branch}"))
        }
    };
    let provider = format!("arn:{partition}:iam::{account_id}:oidc-provider/{issuer}");
    let equals = Operator {
        set: None,
        test: Test { compare: Compare::String, negated: false },
        if_exists: false,
    };
    let statement = Statement::allow("Ci", reason)
        .principals(PrincipalKind::Federated, [provider])
        .actions(["sts:AssumeRoleWithWebIdentity"])
        .when(equals, &format!("{issuer}:aud"), [audience])
        .when(equals, &format!("{issuer}:sub"), subjects);
    let statement = match ci {
        Ci::Github { repository_id: Some(id), .. } => {
            statement.when(equals, &format!("{issuer}:repository_id"), [id.to_string()])
        }
        _ => statement,
    };
    Ok(Document::new([statement]))
}

/// The repository as tokens name it that was made, renamed or moved since July 2026: each name with its
/// number (GitHub docs, "OpenID Connect", immutable subject claims).
fn numbered(
    repository: &str,
    organization_id: Option<u64>,
    repository_id: Option<u64>,
) -> Option<String> {
    let (organization, name) = repository.split_once('/')?;
    let (of, number) = (organization_id?, repository_id?);
    Some(format!("{organization}@{of}/{name}@{number}"))
}

/// A path of names: `ORG/REPO`.
fn check_path(what: &'static str, text: &str, parts_max: usize) -> Result<(), TrustError> {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let parts = text.split('/').count();
    if parts < 2 || parts > parts_max || !text.split('/').all(plain) {
        let cause = "it is not of the form OWNER/NAME";
        return Err(TrustError { what, text: text.to_owned(), cause });
    }
    Ok(())
}

/// A branch or an environment. `:` would end it early, GitHub writes it as `%3A`.
fn check(what: &'static str, text: &str) -> Result<(), TrustError> {
    let refused = |c: char| c.is_control() || "*?:$\"\\".contains(c);
    if text.is_empty() || text.chars().any(refused) {
        let cause = "it is empty or has one of `*?:$\"\\`";
        return Err(TrustError { what, text: text.to_owned(), cause });
    }
    Ok(())
}
