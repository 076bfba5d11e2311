//! `gwtf.toml` exactly as written: a type for each table, a field for each key.
//!
//! These types are the one source: the JSON Schema that editors complete from is generated from
//! them, a file is held to that schema key by key (`check`), and only then read into them. A field
//! that is not written is `None`; what it then means is decided in `resolved`.

use crate::spec::Architecture;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// The configuration of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "gwtf.toml")]
#[expect(missing_docs, reason = "each field is the table it names, documented at its type")]
pub struct File {
    pub endpoint: Endpoint,
    pub function: Function,
    pub service: Service,
    pub gateway: Gateway,
    pub usage_plan: Vec<UsagePlan>,
    pub gate: Option<Gate>,
    pub release: Release,
    pub observe: Observe,
}

/// What the endpoint is and where it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its name, in URLs and AWS resource names. Default: from the model's or the folder's name.
    #[schemars(extend("pattern" = "^[a-z][a-z0-9-]{0,30}$"))]
    pub name: Option<String>,
    /// The ONNX file, relative to this file.
    pub model: Option<PathBuf>,
    /// Where the endpoint runs. No default: gwtf never chooses this machine silently.
    pub target: Option<Target>,
    /// API Gateway stage, the first path segment of every URL. Default: `prod`.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]{1,128}$"))]
    pub stage: Option<String>,
    /// AWS Region. Default: AWS_REGION and the rest of the AWS chain.
    #[schemars(extend("pattern" = "^[a-z0-9-]{1,32}$"))]
    pub region: Option<String>,
    /// S3 bucket of deploy locks and large artefacts (target lambda). Default: one that gwtf makes,
    /// `gwtf-<account>-<region>`.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"))]
    pub bucket: Option<String>,
}

/// Where an endpoint runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// This machine.
    Local,
    /// AWS Lambda behind API Gateway.
    Lambda,
    /// AWS ECS on Fargate behind API Gateway.
    Ecs,
}

/// The Lambda function (target lambda).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Memory, MiB; CPU grows with it, a whole core at 1769. Default: 1769.
    #[schemars(range(min = 128, max = 10240))]
    pub memory_mib: Option<u32>,
    /// Longest invocation, seconds. Default: 10.
    #[schemars(range(min = 1, max = 900))]
    pub timeout_s: Option<u32>,
    /// Instruction set.
    pub architecture: Option<Architecture>,
    /// Form of the artefact.
    pub package: Option<PackageForm>,
    /// Most sandboxes at once, taken out of the account's pool.
    pub reserved_concurrency: Option<u32>,
    /// Sandboxes kept warm.
    pub provisioned_concurrency: Option<u32>,
    /// ARN of the managed policy that bounds the roles that a deploy makes.
    #[schemars(extend("pattern" = "^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$"))]
    pub permissions_boundary: Option<String>,
}

/// Form of a Lambda artefact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the form it names")]
pub enum PackageForm {
    Zip,
    Image,
}

/// The ECS service (target ecs).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// CPU units of a task; 1024 are one core.
    #[schemars(range(min = 256, max = 16384))]
    pub cpu: Option<u32>,
    /// Memory of a task, MiB.
    #[schemars(range(min = 512, max = 122880))]
    pub memory_mib: Option<u32>,
    /// How many tasks run.
    pub tasks: Option<Tasks>,
    /// Subnets of the tasks.
    pub subnets: Option<Vec<String>>,
    /// Security groups of the tasks.
    pub security_groups: Option<Vec<String>>,
}

/// Bounds of the number of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    /// Fewest tasks.
    pub min: u32,
    /// Most tasks.
    #[schemars(range(min = 1))]
    pub max: u32,
}

/// The API: who may call it, how often, and how long a call may take.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Who may call. Default: `iam` on AWS, `none` (and loopback only) locally.
    pub auth: Option<Auth>,
    /// The stage's limit, per method. Default: the account's limit alone.
    pub throttle: Option<Throttle>,
    /// Longest wait for the model, milliseconds. Default: 29000.
    #[schemars(range(min = 50, max = 29000))]
    pub timeout_ms: Option<u32>,
    /// Tokens that are taken (auth jwt).
    pub jwt: Option<Jwt>,
}

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// Whoever IAM allows, by signed requests.
    Iam,
    /// Whoever has a key of a usage plan.
    ApiKey,
    /// Whoever has a token of the issuer named in `[gateway.jwt]`.
    Jwt,
    /// Whoever has a token of a Cognito user pool.
    Cognito,
    /// Anybody who reaches it.
    None,
}

/// A token bucket: refill rate and capacity.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Requests a second.
    #[schemars(range(min = 0))]
    pub rate_rps: f64,
    /// Requests at once.
    pub burst: u32,
}

/// Tokens that are taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The issuer's URL, as in the token's `iss`.
    pub issuer: String,
    /// Audiences taken, as in the token's `aud`.
    #[schemars(length(min = 1))]
    pub audience: Vec<String>,
    /// Claims that give permissions.
    #[serde(default)]
    pub grant: Vec<Grant>,
}

/// A claim that gives permissions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The claim's name.
    pub claim: String,
    /// What it must hold.
    pub contains: String,
    /// What it then allows.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The IAM role that is asked whether it may invoke.
    pub role: Option<String>,
}

/// A usage plan: limits for each of its keys.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsagePlan {
    /// Its name, unique in the file.
    pub name: String,
    /// Each key's limit.
    pub throttle: Option<Throttle>,
    /// Each key's requests in a period.
    pub quota: Option<Quota>,
    /// Names of its keys (target local). Their values are in `.gwtf/keys.json`, made at first need;
    /// the variable `GWTF_KEY_<NAME>` sets one.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// Requests allowed in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Requests.
    #[schemars(range(min = 1))]
    pub limit: u64,
    /// The period.
    pub period: Period,
}

/// The span after which a quota starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the period it names")]
pub enum Period {
    Day,
    Week,
    Month,
}

/// A load test that a version must pass before it goes live.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Rate, requests a second.
    #[schemars(range(min = 0))]
    pub rps: Option<f64>,
    /// Length, seconds.
    #[schemars(range(min = 1))]
    pub duration_s: Option<u32>,
    /// What must hold, as in `gwtf loadtest --assert`.
    #[serde(default)]
    pub assert: Vec<String>,
    /// Requests and the replies expected, a line each, relative to this file.
    pub golden: Option<PathBuf>,
}

/// How a version goes live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Share of the requests that a new version gets at first, percent. Default: all of them.
    #[schemars(range(min = 1, max = 99))]
    pub canary_percent: Option<u8>,
    /// How long a canary is watched before it goes live, seconds.
    pub bake_s: Option<u32>,
    /// What ends a canary, as in `gwtf loadtest --assert`.
    #[serde(default)]
    pub rollback_on: Vec<String>,
    /// Versions that `gwtf prune` keeps. Default: 5.
    #[schemars(range(min = 1, max = 100))]
    pub keep: Option<u32>,
}

/// Logs, alarms and the dashboard.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observe {
    /// Whether each request is logged. Default: true.
    pub access_logs: Option<bool>,
    /// How long CloudWatch keeps logs, days.
    #[schemars(range(min = 1, max = 3653))]
    pub log_retention_days: Option<u32>,
    /// Alarms.
    pub alarms: Option<Alarms>,
    /// Whether there is a CloudWatch dashboard.
    pub dashboard: Option<bool>,
    /// Whether requests are traced with X-Ray.
    pub tracing: Option<bool>,
}

/// Bounds past which an alarm sounds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alarms {
    /// 99th percentile of response times, milliseconds.
    #[schemars(range(min = 0))]
    pub p99_ms: Option<f64>,
    /// Share of failed requests, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub error_rate: Option<f64>,
}

impl Target {
    /// All targets, in the order of the documents.
    pub const ALL: [Self; 3] = [Self::Local, Self::Lambda, Self::Ecs];

    /// Its name in `gwtf.toml` and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Lambda => "lambda",
            Self::Ecs => "ecs",
        }
    }

    /// The target of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }
}
