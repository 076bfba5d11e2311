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
    let (issuer, audience, subject, reason) = match ci {
        Ci::Github { repository, jobs, .. } => {
            check_path("repository", repository, 2)?;
            let (subject, reason) = match jobs {
                Jobs::Environment(name) => {
                    check("environment", name)?;
                    (
                        format!("repo:{repository}:environment:{name}"),
                        format!("jobs of {repository} in its environment {name}"),
                    )
                }
                Jobs::Branch(name) => {
                    check("branch", name)?;
                    (
                        format!("repo:{repository}:ref:refs/heads/{name}"),
                        format!("jobs of {repository} on its branch {name}"),
                    )
                }
            };
            (GITHUB, "sts.amazonaws.com", subject, reason)
        }
        Ci::Gitlab { project, branch } => {
            check_path("project", project, usize::MAX)?;
            check("branch", branch)?;
            let subject = format!("project_path:{project}:ref_type:branch:ref:{branch}");
            (GITLAB, "https://gitlab.com", subject, format!("jobs of {project} on {branch}"))
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
        .when(equals, &format!("{issuer}:sub"), [subject]);
    let statement = match ci {
        Ci::Github { repository_id: Some(id), .. } => {
            statement.when(equals, &format!("{issuer}:repository_id"), [id.to_string()])
        }
        _ => statement,
    };
    Ok(Document::new([statement]))
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
