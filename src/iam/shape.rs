//! What `gwtf.toml` asks for, as far as it decides which calls are made.

/// The parts that an endpoint has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// The package is an image; a zip otherwise.
    pub image: bool,
    /// Each request is logged.
    pub access_logs: bool,
    /// Requests are traced with X-Ray.
    pub tracing: bool,
    /// There are usage plans.
    pub usage_plans: bool,
    /// The usage plans have API keys.
    pub api_keys: bool,
    /// Requests are signed (auth `iam`), the smoke test's too.
    pub signed: bool,
    /// Requests carry an API key (auth `api-key`); the smoke test reads the value of one.
    pub keyed: bool,
    /// A number of sandboxes is reserved.
    pub reserved_concurrency: bool,
    /// Sandboxes are held warm.
    pub provisioned_concurrency: bool,
    /// ARN of the permissions boundary that gwtf's roles get.
    pub boundary: Option<String>,
}

/// How far a deployer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Everything: the first deploy in an account that has nothing, and `destroy`.
    #[default]
    Whole,
    /// Releases of an endpoint that is there: it makes and deletes no role, bucket, function or API,
    /// and changes nothing of the account's.
    Releases,
    /// What `plan`, `status` and `history` look at; nothing is changed.
    Reads,
}
