//! `gwtf serve`: the local endpoint behind the twin, following releases.

use super::local::{
    self, Front, Hosted, Loaded, LocalUpstream, Overrides, PoolChoice, Source, contract,
};
use super::{Context, local::DirectFront, unenforced_parser};
use crate::config::{Settings, Unenforced};
use crate::error::{Exit, Failure};
use crate::gateway::Twin;
use crate::gateway::access_log::{FileSink, FileSinkStatus};
use crate::release::View;
use crate::release::watch::Follower;
use crate::runtime::Batching;
use crate::spec::{ApiKey, Auth, Throttle};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often the ledger is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
/// Polls between two tries to load a release: two seconds.
const RETRY_EVERY_POLLS: u64 = 20;
/// Polls after a release until versions that are gone are unloaded: a second, for requests that
/// read the contract before the release and their version after it.
const RETIRE_AFTER_POLLS: u64 = 10;

/// Serve a model, or the released versions, behind the twin
///
/// Without MODEL the versions of the ledger are served, and a `deploy`, `promote` or `rollback` is
/// followed at once, without dropping or failing a request. Ctrl-C stops taking requests and lets
/// those under way end; again, it ends at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf serve model.onnx --throttle 200:100
  gwtf serve --port 8080 --limiter-header
  curl http://127.0.0.1:3000/prod/predict -d '{\"instances\": [[5, 3, 1, 0.2]]}'")]
pub(super) struct Args {
    /// The model to serve [default: the released versions, else gwtf.toml's model]
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
    #[arg(long, conflicts_with_all = ["throttle", "account_throttle", "limiter_header", "best_effort", "access_log"])]
    bare: bool,
    /// Go on without something that gwtf.toml asks for and this machine does not do yet
    #[arg(long, value_name = "NAME", value_parser = unenforced_parser())]
    allow_unenforced: Vec<Unenforced>,
    #[arg(long, hide = true, value_name = "PATH")]
    package: Option<PathBuf>,
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
    source: Source,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    super::usage::refuse_planned("--package", args.package.is_some())?;
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
    let pool = PoolChoice {
        sessions: args.sessions.map(usize::from),
        threads: args.threads.map(usize::from),
        queue_max: args.queue.map(|queue| queue as usize),
        batching: args.batch.map(|batch| batch.0),
    };
    let source = Source { engine: local::engine(&settings, context)?, pool };
    Serving { args, context, settings, keys, overrides, source }.run()
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

impl Serving<'_> {
    fn run(self) -> Result<Exit, Failure> {
        let model =
            self.args.model.as_ref().map(|model| self.context.environment.folder().join(model));
        // Unless a file is named, releases are followed, also the first one.
        let follower = match model {
            None => Some(Follower::new(self.settings.store())?),
            Some(_) => None,
        };
        let view = follower.as_ref().map(Follower::view).filter(|view| view.live.is_some());
        let loaded = match (view, model.or_else(|| self.settings.model.clone())) {
            (Some(view), _) => self.source.load_view(&self.settings, view, None)?,
            (None, Some(model)) => self.source.load_model(&self.settings, &model)?,
            (None, None) => return Err(nothing_to_serve()),
        };
        let interrupts = super::signals::interrupts()?;
        if self.args.bare {
            self.serve_bare(&loaded, &interrupts)
        } else {
            self.serve_twin(loaded, follower, &interrupts)
        }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.args.host, self.args.port)
    }

    fn serve_bare(&self, loaded: &Loaded, interrupts: &Receiver<()>) -> Result<Exit, Failure> {
        let direct = DirectFront::new(
            &loaded.endpoint,
            &format!("/{}", self.settings.stage),
            loaded.versions(),
            &loaded.live,
            self.settings.integration_timeout,
        );
        let hosted = Hosted::start(self.address(), direct, local::host_options(), local::cores())?;
        self.announce(&hosted, loaded)?;
        // Ends on a signal; a sender that is gone is one too.
        let _ = interrupts.recv();
        Ok(self.drain(hosted, interrupts))
    }

    fn serve_twin(
        &self,
        loaded: Loaded,
        follower: Option<Follower>,
        interrupts: &Receiver<()>,
    ) -> Result<Exit, Failure> {
        let first = contract(&self.settings, &loaded, &self.keys, &self.overrides)?;
        let log = match self.overrides.access_log {
            true => Some(Arc::new(self.file_sink()?)),
            false => None,
        };
        let twin = match &log {
            None => local::twin(&first, &self.overrides, self.args.seed, ())?,
            Some(log) => local::twin(&first, &self.overrides, self.args.seed, Arc::clone(log))?,
        };
        let upstream = Arc::new(LocalUpstream::new(loaded.versions()));
        let front = Front { twin: Arc::clone(&twin), upstream: Arc::clone(&upstream) };
        let hosted = Hosted::start(self.address(), front, local::host_options(), local::cores())?;
        self.announce(&hosted, &loaded)?;
        self.follow(loaded, follower, &twin, &upstream, interrupts);
        let exit = self.drain(hosted, interrupts);
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

    /// Puts releases in force until a signal comes. One that does not load is tried again, since
    /// what stood in its way may pass; until then the release before it stays in force.
    fn follow(
        &self,
        mut loaded: Loaded,
        mut follower: Option<Follower>,
        twin: &Twin,
        upstream: &LocalUpstream,
        interrupts: &Receiver<()>,
    ) {
        let console = &self.context.console;
        let mut pending: Option<View> = None;
        let mut said = false;
        let mut polls: u64 = 0;
        let mut retire_at_poll: Option<u64> = None;
        loop {
            match interrupts.recv_timeout(FOLLOW_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some(follower) = &mut follower else { continue };
            polls += 1;
            if retire_at_poll.is_some_and(|at| at <= polls) {
                upstream.replace(loaded.versions());
                retire_at_poll = None;
            }
            match follower.poll() {
                Ok(None) if !polls.is_multiple_of(RETRY_EVERY_POLLS) => continue,
                Ok(None) => {}
                // A ledger that is gone takes nothing away from those who are served.
                Ok(Some(view)) => {
                    pending = view.live.is_some().then(|| view.clone());
                    said = false;
                }
                Err(error) => console.error(&error.into()),
            }
            let Some(view) = &pending else { continue };
            match self.release(view, &loaded, twin, upstream) {
                Ok(next) => {
                    console.talk(&format!("{} is live", next.live));
                    (loaded, pending) = (next, None);
                    retire_at_poll = Some(polls + RETIRE_AFTER_POLLS);
                }
                Err(failure) if !said => {
                    console.error(&failure);
                    console.talk(&format!("{} stays live; trying again", loaded.live));
                    said = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Loads what is new, then swaps: the versions first, so that no contract in force ever names
    /// one that is not loaded; those that went away last.
    fn release(
        &self,
        view: &View,
        before: &Loaded,
        twin: &Twin,
        upstream: &LocalUpstream,
    ) -> Result<Loaded, Failure> {
        let next = self.source.load_view(&self.settings, view, Some(before))?;
        let contract = contract(&self.settings, &next, &self.keys, &self.overrides)?;
        upstream.replace(next.with_those_of(before));
        if let Err(error) = twin.replace(&contract) {
            upstream.replace(before.versions());
            return Err(error.into());
        }
        Ok(next)
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

    fn announce(&self, hosted: &Hosted, loaded: &Loaded) -> Result<(), Failure> {
        let url = format!("http://{}/{}/predict", hosted.address(), self.settings.stage);
        if self.context.console.json {
            let document = json!({
                "schema": "gwtf.serve/v1",
                "url": url,
                "endpoint": loaded.endpoint,
                "live": loaded.live,
                "versions": loaded.services.iter().map(|service| service.version()).collect::<Vec<_>>(),
            });
            self.context.console.document(&document).map_err(super::cannot_print)?;
        }
        self.context.console.talk(&format!("serving {} {} at {url}", loaded.endpoint, loaded.live));
        Ok(())
    }
}

fn nothing_to_serve() -> Failure {
    Failure::new(Exit::Refused, "nothing to serve: no MODEL is given and nothing was released here")
        .with_hint(
            "run `gwtf serve MODEL`, or `gwtf deploy MODEL --version v1 --target local` first",
        )
}
