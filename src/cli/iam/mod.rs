//! `gwtf iam`: the least-privilege documents, and their proof. Calls nobody, unless the account has to
//! be asked for.

mod verify;

use super::cloud::Session;
use super::{Context, cannot_print};
use crate::config::{PackageForm, Settings, Target};
use crate::error::{Exit, Failure};
use crate::iam::{
    Ci, Deployer, Jobs, Printed, Reach, Routes, Shape, deployer, execution, execution_trust,
    invoker, trust,
};
use crate::plan::Names;
use crate::release::Version;
use crate::spec::Auth;

/// Print or prove the least-privilege IAM documents
///
/// They depend on gwtf.toml: an endpoint without usage plans needs no rights to make any. The text form
/// has the reason for each statement as a `#` line above it; without those lines it is the JSON document
/// that IAM takes. Nothing is created; AWS is asked for nothing but the account, if none is named.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, clap::Subcommand)]
enum Which {
    Execution(ExecutionArgs),
    Deployer(Box<DeployerArgs>),
    Invoker(InvokerArgs),
    Verify(verify::Args),
}

/// The document of the role that the function runs as
///
/// `deploy` makes this role by itself; the document is for those who make roles by other means.
#[derive(Debug, clap::Args)]
struct ExecutionArgs {
    #[command(flatten)]
    place: PlaceArgs,
}

/// The document of whoever deploys, also before the first deploy
///
/// Ids that AWS makes stand as patterns, bound to the endpoint by its tag `gwtf:endpoint`. After the
/// first deploy, --rest-api puts the API's id in their place.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf iam deployer --account 111122223333
  gwtf iam deployer --account 111122223333 --without-bootstrap --rest-api a1b2c3d4e5 \\
    --trust github --repository acme/models --environment production")]
struct DeployerArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    extent: ExtentArgs,
    #[command(flatten)]
    trust: TrustArgs,
}

/// The document of whoever calls the endpoint with signed requests (auth `iam`)
#[derive(Debug, clap::Args)]
struct InvokerArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The REST API's id, which `gwtf status` shows [default: a pattern for any id]
    #[arg(long, value_name = "ID")]
    rest_api: Option<String>,
    /// Allow the routes pinned to this version; may be given several times
    #[arg(long = "version", value_name = "TAG")]
    versions: Vec<Version>,
    /// Allow pinned routes alone, not those that follow the live version
    #[arg(long, requires = "versions")]
    pinned_only: bool,
}

/// Where the endpoint is.
#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// The AWS account [default: AWS_ACCOUNT_ID, then that of the credentials]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The endpoint [default: `name` in gwtf.toml, then the model's or the folder's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// How far a deployer's rights go.
#[derive(Debug, clap::Args)]
struct ExtentArgs {
    /// The REST API's id, which `gwtf status` shows [default: a pattern for any id]
    #[arg(long, value_name = "ID")]
    rest_api: Option<String>,
    /// Leave out what makes and deletes the endpoint: roles, the bucket, the function, the API, the
    /// account's role for logs. For a CI job that releases versions of an endpoint that is there
    #[arg(long)]
    without_bootstrap: bool,
    /// Only what `plan`, `status` and `history` look at. For a CI job that plans
    #[arg(long, conflicts_with = "without_bootstrap")]
    read_only: bool,
    /// ARN of the permissions boundary that gwtf's roles must have
    /// [default: `permissions_boundary` in gwtf.toml]
    #[arg(long, value_name = "ARN")]
    boundary: Option<String>,
}

/// Who may take the deployer's role.
#[derive(Debug, clap::Args)]
struct TrustArgs {
    /// Add the trust document for jobs of this CI system, signed in over OIDC
    #[arg(long, value_name = "SYSTEM")]
    trust: Option<System>,
    /// GitHub: the repository, `ORG/REPO`
    #[arg(long, value_name = "ORG/REPO", requires = "trust")]
    repository: Option<String>,
    /// GitHub: the repository's number, which no other repository ever gets
    #[arg(long, value_name = "N", requires = "trust")]
    repository_id: Option<u64>,
    /// GitHub: the organisation's number; tokens of repositories made, renamed or moved since July 2026
    /// have it and the repository's in their subject
    #[arg(long, value_name = "N", requires = "repository_id")]
    organization_id: Option<u64>,
    /// GitHub: the environment that jobs run in
    #[arg(long, value_name = "NAME", requires = "trust", conflicts_with = "branch")]
    environment: Option<String>,
    /// GitLab: the project, `GROUP/PROJECT`
    #[arg(long, value_name = "GROUP/PROJECT", requires = "trust")]
    project: Option<String>,
    /// The branch that jobs run for
    #[arg(long, value_name = "BRANCH", requires = "trust")]
    branch: Option<String>,
}

/// A CI system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum System {
    /// GitHub Actions
    Github,
    /// GitLab CI on gitlab.com
    Gitlab,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(None)?;
    match &args.which {
        Which::Execution(args) => {
            let names = args.place.names(&settings, context)?;
            let policy = execution(&names, tracing(&settings));
            let trust = Some(execution_trust());
            let name = "execution";
            print(context, &Printed { name, names: &names, policy, trust, boundary: None })
        }
        Which::Deployer(args) => {
            let names = args.place.names(&settings, context)?;
            let shape = args.extent.shape(&settings)?;
            let policy = deployer(&args.extent.deployer(&names, &shape));
            let trust = args.trust.document(&names)?;
            let boundary = shape.boundary.clone();
            print(context, &Printed { name: "deployer", names: &names, policy, trust, boundary })
        }
        Which::Invoker(args) => {
            let names = args.place.names(&settings, context)?;
            let rest_api = rest_api(args.rest_api.as_deref())?;
            let versions = args.versions.iter().map(Version::to_string).collect();
            let routes = Routes { live: !args.pinned_only, versions };
            let policy = invoker(&names, rest_api, &routes);
            let name = "invoker";
            print(context, &Printed { name, names: &names, policy, trust: None, boundary: None })
        }
        Which::Verify(args) => verify::run(args, &settings, context),
    }
}

fn print(context: &Context, printed: &Printed<'_>) -> Result<Exit, Failure> {
    if context.console.json {
        context.console.document(&printed.document())
    } else {
        context.console.data(printed.text().as_bytes())
    }
    .map_err(cannot_print)?;
    if let Some(note) = printed.note() {
        context.console.talk(&note);
    }
    Ok(Exit::Done)
}

impl PlaceArgs {
    fn names(&self, settings: &Settings, context: &Context) -> Result<Names, Failure> {
        if settings.target == Some(Target::Ecs) {
            let text = "target `ecs`: there are documents for Lambda endpoints alone";
            return Err(Failure::new(Exit::Refused, text).with_hint("set `target = \"lambda\"`"));
        }
        let region = settings.require_region()?;
        let name = match &self.name {
            Some(name) if crate::config::is_endpoint_name(name) => name.clone(),
            Some(name) => {
                let text = format!("--name `{name}`: it is no endpoint's name");
                return Err(Failure::new(Exit::Refused, text)
                    .with_hint("use small letters, digits and `-`, a letter first, at most 31"));
            }
            None => settings.endpoint(None, settings.model.as_deref()),
        };
        let named = self.account.as_deref().or_else(|| context.environment.get("AWS_ACCOUNT_ID"));
        let account = match named {
            Some(account) => account.to_owned(),
            None => account_of_credentials(settings, context)?,
        };
        let bucket = settings.file.endpoint.bucket.as_deref();
        Ok(Names::new(&name, &settings.stage, region, &account, bucket)?)
    }
}

/// The account that the credentials belong to, which STS says.
fn account_of_credentials(settings: &Settings, context: &Context) -> Result<String, Failure> {
    let session = Session::open(settings, context, None).map_err(|failure| {
        let message = format!("account: none is named, and AWS did not say: {}", failure.message);
        Failure { message, ..failure }.with_hint("pass --account ID, or set AWS_ACCOUNT_ID")
    })?;
    Ok(session.names.account_id)
}

impl ExtentArgs {
    fn shape(&self, settings: &Settings) -> Result<Shape, Failure> {
        let written = settings.file.function.permissions_boundary.as_deref();
        let boundary = self.boundary.as_deref().or(written);
        if let Some(arn) = boundary.filter(|arn| !is_policy_arn(arn)) {
            let text = format!("boundary `{arn}`: it is not the ARN of a managed policy");
            return Err(Failure::new(Exit::Refused, text)
                .with_hint("write arn:aws:iam::ACCOUNT:policy/NAME"));
        }
        rest_api(self.rest_api.as_deref())?;
        shape(settings, boundary)
    }

    fn deployer<'a>(&'a self, names: &'a Names, shape: &'a Shape) -> Deployer<'a> {
        let reach = match self {
            Self { read_only: true, .. } => Reach::Reads,
            Self { without_bootstrap: true, .. } => Reach::Releases,
            _ => Reach::Whole,
        };
        Deployer { names, shape, reach, rest_api: self.rest_api.as_deref() }
    }
}

fn is_policy_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let named = parts.last().and_then(|last| last.strip_prefix("policy/"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
    parts.len() == 6
        && parts[0] == "arn"
        && parts[2] == "iam"
        && named.is_some_and(|name| !name.is_empty() && name.chars().all(plain))
}

/// An id as AWS makes them, so that it is no pattern.
fn rest_api(id: Option<&str>) -> Result<Option<&str>, Failure> {
    let plain = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    match id {
        Some(id) if !plain(id) => {
            let text = format!("--rest-api `{id}`: it is no REST API's id");
            Err(Failure::new(Exit::Refused, text).with_hint("`gwtf status` shows it"))
        }
        id => Ok(id),
    }
}

/// What gwtf.toml asks for.
fn shape(settings: &Settings, boundary: Option<&str>) -> Result<Shape, Failure> {
    let (file, auth) = (&settings.file, settings.cloud_auth()?);
    Ok(Shape {
        image: file.function.package == Some(PackageForm::Image),
        access_logs: settings.access_logs,
        tracing: tracing(settings),
        usage_plans: !settings.usage_plans.is_empty(),
        api_keys: !settings.key_plans.is_empty(),
        signed: auth == Auth::Iam,
        keyed: auth == Auth::ApiKey,
        reserved_concurrency: settings.function.reserved_concurrency.is_some(),
        provisioned_concurrency: file.function.provisioned_concurrency.is_some_and(|n| n > 0),
        boundary: boundary.map(str::to_owned),
    })
}

fn tracing(settings: &Settings) -> bool {
    settings.file.observe.tracing.unwrap_or(false)
}

impl TrustArgs {
    fn document(
        &self,
        names: &Names,
    ) -> Result<Option<crate::identity::policy::Document>, Failure> {
        let Some(system) = self.trust else { return Ok(None) };
        let missing = |flag: &str| {
            Failure::new(Exit::Refused, format!("--trust: {flag} is missing"))
                .with_hint("a trust document names exactly one repository, and its jobs")
        };
        let ci = match system {
            System::Github => Ci::Github {
                repository: self.repository.clone().ok_or_else(|| missing("--repository"))?,
                organization_id: self.organization_id,
                repository_id: self.repository_id,
                jobs: match (&self.environment, &self.branch) {
                    (Some(name), _) => Jobs::Environment(name.clone()),
                    (None, Some(name)) => Jobs::Branch(name.clone()),
                    (None, None) => return Err(missing("--environment or --branch")),
                },
            },
            System::Gitlab => Ci::Gitlab {
                project: self.project.clone().ok_or_else(|| missing("--project"))?,
                branch: self.branch.clone().ok_or_else(|| missing("--branch"))?,
            },
        };
        Ok(Some(trust(names.partition(), &names.account_id, &ci)?))
    }
}
