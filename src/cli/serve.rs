//! `gwtf serve`: the local endpoint behind the twin, following releases.

mod function;
mod releases;

use super::local::{
    self, Backend, Front, FunctionArgs, Hosted, Overrides, PoolChoice, Served, contract,
};
use super::{Context, unenforced_parser};
use crate::config::{Settings, Target, Unenforced};
use crate::error::{Exit, Failure};
use crate::gateway::Twin;
use crate::gateway::access_log::{FileSink, FileSinkStatus};
use crate::runtime::Batching;
use crate::spec::{ApiKey, Auth, Throttle};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// Serve a model, or the released versions, behind the twin
///
/// Without MODEL the versions of the ledger are served, and a `deploy`, `promote` or `rollback` is
/// followed at once, without dropping or failing a request. Ctrl-C stops taking requests and lets
/// those under way end; again, it ends at once.
///
/// With --package, and for a MODEL whose endpoint has the target lambda, what answers is the artefact
/// itself, in sandboxes that treat it as Lambda does: one request at a time, cold starts, CPU by its
/// memory, a timeout of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf serve model.onnx --throttle 200:100
  gwtf serve --port 8080 --limiter-header
  gwtf serve --package iris.zip --reserved-concurrency 10 --memory 512
  curl http://127.0.0.1:3000/prod/predict -d '{\"instances\": [[5, 3, 1, 0.2]]}'")]
pub(super) struct Args {
    /// The model to serve [default: the released versions, else gwtf.toml's model]
    #[arg(conflicts_with = "package")]
    model: Option<PathBuf>,
    /// The port; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    port: u16,
    /// The address to listen on; without API keys only this machine's own
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The stage's throttle [default: gwtf.toml's]
    #[arg(long, value_name = "RATE:BURST", allow_hyphen_values = true)]
    throttle: Option<Throttle>,
    /// The account's throttle [default: 10000:5000, an AWS account's]
    #[arg(long, value_name = "RATE:BURST", allow_hyphen_values = true)]
    account_throttle: Option<Throttle>,
    /// Say which limiter refused a request in the header x-gwtf-limiter, which AWS does not
    #[arg(long)]
    limiter_header: bool,
    /// Admit up to this share more than the limits say, as AWS's best-effort throttles may
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    best_effort: Option<f64>,
    /// Seed of request ids and of --best-effort
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The access log [default: .gwtf/access.log; `-` writes none]
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Sessions, and with them runs at one moment [default: from cores and memory]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    sessions: Option<u16>,
    /// Threads of one run [default: from the cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Requests that may wait for a session; one more gets a 503
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    queue: Option<u32>,
    /// Join waiting requests into runs of up to SIZE rows, waiting DELAY at most: `16`, `16:5ms`
    #[arg(long, value_name = "SIZE[:DELAY]")]
    batch: Option<BatchChoice>,
    /// Serve without the twin: no limits, no validation, no access log, and no following of releases
    #[arg(long, conflicts_with_all = ["package", "throttle", "account_throttle", "limiter_header", "best_effort", "access_log"])]
    bare: bool,
    /// Go on without something that gwtf.toml asks for and this machine does not do yet
    #[arg(long, value_name = "NAME", value_parser = unenforced_parser())]
    allow_unenforced: Vec<Unenforced>,
    #[command(flatten)]
    function: FunctionArgs,
}

/// `SIZE[:DELAY]`.
#[derive(Debug, Clone, Copy)]
struct BatchChoice(Batching);

impl FromStr for BatchChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (size, delay) = text.split_once(':').unwrap_or((text, "2ms"));
        let size_max = size.parse().ok().filter(|size| (2..=4096).contains(size));
        let size_max = size_max.ok_or("the size is a whole number from 2 to 4096")?;
        let delay_max = crate::load::duration::parse(delay).map_err(|error| error.to_string())?;
        Ok(Self(Batching { size_max, delay_max }))
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 to 1, for instance 0.05".to_owned())
}

/// What stays the same while releases come and go.
struct Serving<'a> {
    args: &'a Args,
    context: &'a Context,
    settings: Settings,
    keys: Vec<ApiKey>,
    overrides: Overrides,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(None)?;
    let overrides = Overrides {
        throttle: args.throttle,
        account_throttle: args.account_throttle,
        access_log: settings.access_logs
            && args.access_log.as_ref().is_none_or(|path| !is_dash(path)),
        limiter_header: args.limiter_header,
        best_effort: args.best_effort,
        allow_unenforced: args.allow_unenforced.clone(),
    };
    refuse_open_door(args, &settings, &overrides)?;
    let keys = local::api_keys(&settings, context)?;
    Serving { args, context, settings, keys, overrides }.run()
}

/// An endpoint that asks nobody for a key listens to this machine alone.
fn refuse_open_door(
    args: &Args,
    settings: &Settings,
    overrides: &Overrides,
) -> Result<(), Failure> {
    let auth = settings.local_auth(&overrides.allow_unenforced)?;
    if args.host.is_loopback() || (auth != Auth::None && !args.bare) {
        return Ok(());
    }
    let text =
        format!("--host {}: an endpoint without API keys listens on this machine only", args.host);
    Err(Failure::new(Exit::Refused, text)
        .with_hint("set auth = \"api-key\" under [gateway] and name keys in a [[usage_plan]]"))
}

fn is_dash(path: &std::path::Path) -> bool {
    path.as_os_str() == "-"
}

impl Args {
    /// Refuses what is for sessions in this process: in a sandbox the program itself decides.
    fn refuse_pool(&self) -> Result<(), Failure> {
        let given = [
            ("--sessions", self.sessions.is_some()),
            ("--threads", self.threads.is_some()),
            ("--queue", self.queue.is_some()),
            ("--batch", self.batch.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => {
                let text = format!("{flag}: the model runs in sandboxes, one request in each");
                Err(Failure::new(Exit::Refused, text)
                    .with_hint("see --reserved-concurrency and --memory"))
            }
        }
    }

    fn pool_choice(&self) -> PoolChoice {
        PoolChoice {
            sessions: self.sessions.map(usize::from),
            threads: self.threads.map(usize::from),
            queue_max: self.queue.map(|queue| queue as usize),
            batching: self.batch.map(|batch| batch.0),
        }
    }
}

impl Serving<'_> {
    fn run(self) -> Result<Exit, Failure> {
        let model =
            self.args.model.as_ref().map(|model| self.context.environment.folder().join(model));
        // Releases to Lambda are on AWS: what can be served of such an endpoint here is a model.
        let is_lambda = self.settings.target == Some(Target::Lambda);
        let runs_as_function = match &model {
            _ if self.args.bare => None,
            None if is_lambda => self.settings.model.clone(),
            model => model.clone(),
        };
        let packaged = local::packaged(
            &self.args.function,
            runs_as_function.as_deref(),
            &self.settings,
            &self.overrides.allow_unenforced,
            self.context,
        )?;
        match packaged {
            Some(packaged) => function::serve(&self, packaged),
            None => releases::serve(&self, model),
        }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.args.host, self.args.port)
    }

    /// Puts the twin in front of what `upstream` makes, and `meanwhile` waits until it is to stop.
    fn behind_twin<U: Backend>(
        &self,
        served: &Served<'_>,
        sandboxes_max: u32,
        upstream: impl FnOnce() -> Result<Arc<U>, Failure>,
        interrupts: &Receiver<()>,
        meanwhile: impl FnOnce(&Twin, &U),
    ) -> Result<Exit, Failure> {
        let first = contract(&self.settings, served, &self.keys, &self.overrides)?;
        let log = match self.overrides.access_log {
            true => Some(Arc::new(self.file_sink()?)),
            false => None,
        };
        let twin = match &log {
            None => local::twin(&first, &self.overrides, self.args.seed, ())?,
            Some(log) => local::twin(&first, &self.overrides, self.args.seed, Arc::clone(log))?,
        };
        let mut made = None;
        let front = || {
            let upstream = upstream()?;
            made = Some(Arc::clone(&upstream));
            Ok(Front { twin: Arc::clone(&twin), upstream })
        };
        let options = local::host_options(sandboxes_max);
        let hosted = Hosted::start(self.address(), front, options, local::cores())?;
        self.announce(&hosted, served)?;
        let upstream = made.expect("a host that runs has been given its upstream");
        meanwhile(&twin, &upstream);
        let exit = self.drain(hosted, interrupts);
        if exit == Exit::Interrupted {
            upstream.kill();
        }
        if let Some(log) = log {
            log.flush();
            self.say_lost_lines(&log.status());
        }
        Ok(exit)
    }

    /// Lets requests under way end, unless a second signal says not to.
    fn drain(&self, hosted: Hosted, interrupts: &Receiver<()>) -> Exit {
        let console = &self.context.console;
        console.talk("stopping: requests under way may end; interrupt again to stop at once");
        match hosted.stop_unless(interrupts) {
            None => Exit::Interrupted,
            Some(drained) => {
                if !drained {
                    console.talk("some requests did not end in time");
                }
                Exit::Done
            }
        }
    }

    fn file_sink(&self) -> Result<FileSink, Failure> {
        let path = match &self.args.access_log {
            Some(path) => self.context.environment.folder().join(path),
            None => self.settings.store().folder().join("access.log"),
        };
        let machine =
            |error: std::io::Error| Failure::new(Exit::Machine, format!("access log: {error}"));
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder).map_err(machine)?;
        }
        FileSink::open(&path).map_err(machine)
    }

    /// An access log with holes must not look whole.
    fn say_lost_lines(&self, status: &FileSinkStatus) {
        if status.dropped > 0 {
            let cause =
                status.error.as_deref().unwrap_or("lines came faster than the disk took them");
            let text = format!("access log: {} lines were not written: {cause}", status.dropped);
            self.context.console.talk(&text);
        }
    }

    fn announce(&self, hosted: &Hosted, served: &Served<'_>) -> Result<(), Failure> {
        let url = format!("http://{}/{}/predict", hosted.address(), self.settings.stage);
        if self.context.console.json {
            let document = json!({
                "schema": "gwtf.serve/v1",
                "url": url,
                "endpoint": served.endpoint,
                "live": served.live,
                "versions": served.versions.iter().map(|version| version.tag).collect::<Vec<_>>(),
            });
            self.context.console.document(&document).map_err(super::cannot_print)?;
        }
        self.context.console.talk(&format!("serving {} {} at {url}", served.endpoint, served.live));
        Ok(())
    }
}
