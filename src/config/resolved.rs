//! `gwtf.toml`, the environment and the flags, resolved once: flags > environment > file > default.

use super::environment::Environment;
use super::error::Error;
use super::file::{self, Auth, File, Target};
use super::read;
use super::rules::{self, ENDPOINT_NAME_CHARS_MAX};
use super::unenforced::Unenforced;
use crate::release::Store;
use crate::spec::limits::INTEGRATION_TIMEOUT_MAX;
use crate::spec::{self, Period, Quota, Secret, Throttle, UsagePlan};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The stage when none is named.
pub const STAGE_DEFAULT: &str = "prod";
/// Versions that `prune` keeps when nothing says otherwise.
pub const KEEP_DEFAULT: usize = 5;
/// An endpoint's name when neither file, model nor folder gives one.
const ENDPOINT_NAME_DEFAULT: &str = "model";

/// A function's memory when nothing says otherwise, MiB: one whole core.
const FUNCTION_MEMORY_MIB_DEFAULT: u32 = 1_769;
/// A function's timeout when nothing says otherwise: AWS's own 3 s would end many first requests.
const FUNCTION_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The Lambda function as it will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Memory, MiB; CPU grows with it.
    pub memory_mib: u32,
    /// Longest invocation, whole seconds.
    pub timeout: Duration,
    /// Most sandboxes at once; `None` leaves the account's.
    pub reserved_concurrency: Option<u32>,
}

/// What the command line says about configuration; a field that is `None` says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--region`.
    pub region: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--onnxruntime`.
    pub onnxruntime: Option<PathBuf>,
    /// `--target`.
    pub target: Option<Target>,
}

/// What a command works with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The `gwtf.toml` that was read; `None` when there is none.
    pub config: Option<PathBuf>,
    /// The folder of `gwtf.toml`, or the working folder: `.gwtf/` lies in it.
    pub folder: PathBuf,
    /// The endpoint's name as configured; see [`Settings::endpoint`].
    pub endpoint_name: Option<String>,
    /// The model file as configured.
    pub model: Option<PathBuf>,
    /// Where releases go; `None` when nothing says so.
    pub target: Option<Target>,
    /// First path segment of every URL.
    pub stage: String,
    /// AWS Region.
    pub region: Option<String>,
    /// AWS profile.
    pub profile: Option<String>,
    /// The ONNX Runtime library that `--onnxruntime` names.
    pub onnxruntime: Option<PathBuf>,
    /// The ONNX Runtime library that `ORT_DYLIB_PATH` names.
    pub ort_dylib_path: Option<PathBuf>,
    /// Where what was fetched is kept.
    pub cache_folder: Option<PathBuf>,
    /// The stage's limit.
    pub throttle: Option<Throttle>,
    /// How long the model may take.
    pub integration_timeout: Duration,
    /// The Lambda function (target lambda, or an artefact that runs as one).
    pub function: Function,
    /// Usage plans.
    pub usage_plans: Vec<UsagePlan>,
    /// Names of local API keys and the plan of each.
    pub key_plans: BTreeMap<String, String>,
    /// Whether each request is logged.
    pub access_logs: bool,
    /// A deploy's canary share when the command line names none.
    pub canary_percent: Option<u8>,
    /// Versions that `prune` keeps.
    pub keep: usize,
    /// The file as written, for features that read their own tables.
    pub file: File,
}

impl Settings {
    /// Reads `gwtf.toml`, if there is one, and resolves it with flags and environment.
    ///
    /// # Errors
    /// The file cannot be read or is wrong (all complaints at once), or a variable has the wrong
    /// form.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, Error> {
        let named = flags.config.as_ref().map(|path| environment.folder().join(path));
        let config = named
            .or_else(|| environment.path("GWTF_CONFIG"))
            .or_else(|| read::find(environment.folder()));
        let file = match config.as_deref() {
            Some(path) => {
                // Complaints name the file as one would from here.
                read::read(path, path.strip_prefix(environment.folder()).unwrap_or(path))?
            }
            None => File::default(),
        };
        Self::resolve(flags, environment, config, file)
    }

    /// Resolves a file already read.
    fn resolve(
        flags: &Flags,
        environment: &Environment,
        config: Option<PathBuf>,
        file: File,
    ) -> Result<Self, Error> {
        let folder = match config.as_deref().and_then(Path::parent) {
            Some(parent) => parent.to_path_buf(),
            None => environment.folder().to_path_buf(),
        };
        let endpoint = &file.endpoint;
        let target = match (flags.target, environment.get_os("GWTF_TARGET")) {
            (Some(target), _) => Some(target),
            (None, Some(text)) => {
                let target = text.to_str().and_then(Target::from_name);
                Some(target.ok_or_else(|| Error::Variable {
                    name: "GWTF_TARGET".to_owned(),
                    expected: "`local`, `lambda` or `ecs`",
                })?)
            }
            (None, None) => endpoint.target,
        };
        let variable =
            |names: &[&str]| names.iter().find_map(|name| environment.get(name)).map(str::to_owned);
        Ok(Self {
            endpoint_name: endpoint.name.clone(),
            model: endpoint.model.as_ref().map(|path| folder.join(path)),
            target,
            stage: endpoint.stage.clone().unwrap_or_else(|| STAGE_DEFAULT.to_owned()),
            region: flags
                .region
                .clone()
                .or_else(|| variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
                .or_else(|| endpoint.region.clone()),
            profile: flags.profile.clone().or_else(|| variable(&["AWS_PROFILE"])),
            onnxruntime: flags.onnxruntime.as_ref().map(|path| environment.folder().join(path)),
            ort_dylib_path: environment.path("ORT_DYLIB_PATH"),
            cache_folder: environment.cache_folder(),
            throttle: file.gateway.throttle.map(throttle),
            integration_timeout: file
                .gateway
                .timeout_ms
                .map_or(INTEGRATION_TIMEOUT_MAX, |ms| Duration::from_millis(u64::from(ms))),
            function: function(&file.function),
            usage_plans: file.usage_plan.iter().map(usage_plan).collect(),
            key_plans: key_plans(&file),
            access_logs: file.observe.access_logs.unwrap_or(true),
            canary_percent: file.release.canary_percent,
            keep: file.release.keep.map_or(KEEP_DEFAULT, |keep| keep as usize),
            config,
            folder,
            file,
        })
    }

    /// The store of local releases.
    pub fn store(&self) -> Store {
        Store::new(&self.folder)
    }

    /// The endpoint's name: as configured, else as recorded in the ledger, else from the model
    /// file's name (from its folder's when the file is called `model.onnx`), else the folder's.
    pub fn endpoint(&self, recorded: Option<&str>, model: Option<&Path>) -> String {
        if let Some(name) = self.endpoint_name.as_deref().or(recorded) {
            return name.to_owned();
        }
        endpoint_name_of(model, &self.folder)
    }

    /// Who may call the endpoint on AWS; signed requests alone when nothing is said.
    ///
    /// # Errors
    /// The file names an authorizer that is not deployed yet, or wants API keys and names none.
    pub fn cloud_auth(&self) -> Result<spec::Auth, Error> {
        match self.file.gateway.auth {
            None | Some(Auth::Iam) => Ok(spec::Auth::Iam),
            Some(Auth::ApiKey) if self.file.usage_plan.is_empty() => {
                Err(Error::KeyAuthWithoutPlans)
            }
            Some(Auth::ApiKey) => Ok(spec::Auth::ApiKey),
            Some(Auth::None) => Ok(spec::Auth::None),
            Some(Auth::Jwt) => Err(Error::AuthNotBuilt { auth: "jwt" }),
            Some(Auth::Cognito) => Err(Error::AuthNotBuilt { auth: "cognito" }),
        }
    }

    /// The AWS Region, which has to be named.
    ///
    /// # Errors
    /// Neither flag, environment nor file names one.
    pub fn require_region(&self) -> Result<&str, Error> {
        self.region.as_deref().ok_or(Error::NoRegion)
    }

    /// Where releases go.
    ///
    /// # Errors
    /// Nothing says so, or it is a target that this build cannot release to.
    pub fn release_target(&self, environment: &Environment) -> Result<Target, Error> {
        match self.target {
            Some(Target::Ecs) => Err(Error::TargetNotBuilt { target: Target::Ecs }),
            Some(target) => Ok(target),
            None => Err(Error::NoTarget { has_aws_credentials: environment.has_aws_credentials() }),
        }
    }

    /// The same for commands about releases already made: where no target is named, a ledger in
    /// `.gwtf/` answers, since only a deploy that named this machine makes one.
    ///
    /// # Errors
    /// No target is named and nothing was released here, or a target that this build cannot release
    /// to.
    pub fn released_target(&self, environment: &Environment) -> Result<Target, Error> {
        if self.target.is_none() && self.store().has_ledger() {
            return Ok(Target::Local);
        }
        self.release_target(environment)
    }

    /// Who may call the local endpoint.
    ///
    /// # Errors
    /// The file names an authorizer that is not enforced locally and not in `allowed`, or wants API
    /// keys and names none.
    pub fn local_auth(&self, allowed: &[Unenforced]) -> Result<spec::Auth, Error> {
        Unenforced::refuse(&Unenforced::by_serve(&self.file), allowed)?;
        match self.file.gateway.auth {
            Some(Auth::ApiKey) if self.key_plans.is_empty() => Err(Error::KeyAuthWithoutKeys),
            Some(Auth::ApiKey) => Ok(spec::Auth::ApiKey),
            _ => Ok(spec::Auth::None),
        }
    }

    /// Values of local API keys that the environment sets (`GWTF_KEY_<NAME>`), by name.
    ///
    /// # Errors
    /// A value is not 20 to 128 visible ASCII characters; the error does not show it.
    pub fn key_overrides(
        &self,
        environment: &Environment,
    ) -> Result<BTreeMap<String, Secret>, Error> {
        let mut values = BTreeMap::new();
        for name in self.key_plans.keys() {
            if let Some(value) = environment.api_key(name)? {
                values.insert(name.clone(), value);
            }
        }
        Ok(values)
    }
}

fn throttle(written: file::Throttle) -> Throttle {
    Throttle { rate_rps: written.rate_rps, burst: written.burst }
}

fn function(written: &file::Function) -> Function {
    Function {
        memory_mib: written.memory_mib.unwrap_or(FUNCTION_MEMORY_MIB_DEFAULT),
        timeout: written
            .timeout_s
            .map_or(FUNCTION_TIMEOUT_DEFAULT, |seconds| Duration::from_secs(u64::from(seconds))),
        reserved_concurrency: written.reserved_concurrency,
    }
}

fn usage_plan(written: &file::UsagePlan) -> UsagePlan {
    let quota = written.quota.map(|quota| Quota {
        limit: quota.limit,
        period: match quota.period {
            file::Period::Day => Period::Day,
            file::Period::Week => Period::Week,
            file::Period::Month => Period::Month,
        },
    });
    UsagePlan {
        name: written.name.clone(),
        throttle: written.throttle.map(throttle),
        method_throttles: BTreeMap::new(),
        quota,
    }
}

fn key_plans(file: &File) -> BTreeMap<String, String> {
    let plans = file.usage_plan.iter();
    plans.flat_map(|plan| plan.keys.iter().map(|key| (key.clone(), plan.name.clone()))).collect()
}

/// An endpoint's name from the model file's name (from its folder's when the file is called
/// `model.onnx`), else from this folder's.
pub fn endpoint_name_of(model: Option<&Path>, folder: &Path) -> String {
    let stem = model.and_then(Path::file_stem).filter(|stem| *stem != "model");
    let parent = model.and_then(Path::parent).and_then(Path::file_name);
    let parent = parent.or_else(|| folder.file_name());
    stem.into_iter()
        .chain(parent)
        .find_map(|name| endpoint_name_from(&name.to_string_lossy()))
        .unwrap_or_else(|| ENDPOINT_NAME_DEFAULT.to_owned())
}

/// A name made into an endpoint's: small letters, digits and `-`, a letter first; `None` when
/// nothing is left of it.
pub fn endpoint_name_from(text: &str) -> Option<String> {
    let mut name = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || (c.is_ascii_digit() && !name.is_empty()) {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(ENDPOINT_NAME_CHARS_MAX);
    let name = name.trim_end_matches('-');
    rules::is_endpoint_name(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
