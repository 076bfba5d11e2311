//! Why a configuration is refused.

use super::complaint::{self, Complaint};
use super::file::Target;
use super::unenforced::Unenforced;
use crate::error::{Exit, Explain};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A configuration that cannot be read, is wrong, or asks for what this target cannot give.
#[derive(Debug)]
#[expect(missing_docs, reason = "each message says what its fields are")]
pub enum Error {
    Read {
        path: PathBuf,
        source: io::Error,
    },
    TooLarge {
        path: PathBuf,
    },
    NotText {
        path: PathBuf,
    },
    /// Everything that is wrong with the file, at once.
    Complaints {
        path: PathBuf,
        complaints: Vec<Complaint>,
    },
    /// A variable whose value has the wrong form; the value is not kept.
    Variable {
        name: String,
        expected: &'static str,
    },
    NoTarget {
        has_aws_credentials: bool,
    },
    TargetNotBuilt {
        target: Target,
    },
    /// What the file asks for and nothing on this machine enforces.
    Unenforced {
        names: Vec<Unenforced>,
    },
    NoRegion,
    KeyAuthWithoutKeys,
    /// API keys are asked for on AWS, where a key without a usage plan opens nothing.
    KeyAuthWithoutPlans,
    /// An authorizer that is not deployed yet.
    AuthNotBuilt {
        auth: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } => write!(f, "configuration `{}`", path.display()),
            Self::TooLarge { path } => {
                write!(f, "configuration `{}`: it is larger than 1 MiB", path.display())
            }
            Self::NotText { path } => {
                write!(f, "configuration `{}`: it is not UTF-8 text", path.display())
            }
            Self::Complaints { path, complaints } => complaint::write_all(f, path, complaints),
            Self::Variable { name, expected } => {
                write!(f, "variable `{name}`: it is not {expected}")
            }
            Self::NoTarget { has_aws_credentials } => {
                f.write_str("target: none is named")?;
                if *has_aws_credentials {
                    Ok(())
                } else {
                    f.write_str(", and there are no AWS credentials")
                }
            }
            Self::TargetNotBuilt { target } => write!(
                f,
                "target `{}`: this build releases to `local` and to `lambda`",
                target.name()
            ),
            Self::Unenforced { names } => {
                let names: Vec<String> =
                    names.iter().map(|name| format!("`{}`", name.setting())).collect();
                write!(f, "{}: not enforced locally yet", names.join(", "))
            }
            Self::NoRegion => f.write_str("region: none is named"),
            Self::KeyAuthWithoutKeys => {
                f.write_str("gateway.auth `api-key`: no usage plan has keys, so nobody could call")
            }
            Self::KeyAuthWithoutPlans => {
                f.write_str("gateway.auth `api-key`: there is no usage plan, so nobody could call")
            }
            Self::AuthNotBuilt { auth } => write!(
                f,
                "gateway.auth `{auth}`: authorizers are not made yet, they come with the identity work"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } | Self::TooLarge { .. } | Self::NotText { .. } => {
                "name a readable gwtf.toml with --config, or leave --config away".to_owned()
            }
            Self::Complaints { .. } => "every key is described in docs/cli.md".to_owned(),
            Self::Variable { name, .. } => format!("correct or unset {name}"),
            Self::NoTarget { .. } => {
                "pass `--target local` to use this machine, or write `target` \
                                      under [endpoint] in gwtf.toml"
                    .to_owned()
            }
            Self::TargetNotBuilt { .. } => "pass `--target local` or `--target lambda`".to_owned(),
            Self::Unenforced { names } => {
                let flags: Vec<String> = names
                    .iter()
                    .map(|name| format!("--allow-unenforced {}", name.name()))
                    .collect();
                format!("pass {} to go on without, or change gwtf.toml", flags.join(" "))
            }
            Self::NoRegion => {
                "pass --region, set AWS_REGION, or write `region` under [endpoint] in gwtf.toml"
                    .to_owned()
            }
            Self::AuthNotBuilt { .. } => {
                "set `auth` to \"iam\", \"api-key\" or \"none\" under [gateway] in gwtf.toml"
                    .to_owned()
            }
            Self::KeyAuthWithoutKeys | Self::KeyAuthWithoutPlans => {
                "add `keys = [\"alice\"]` to a [[usage_plan]] in gwtf.toml".to_owned()
            }
        })
    }
}
