//! The command line: one file a command, each with one args struct and one function.
//!
//! This file holds what they share: the flags, the way a failure is printed, the dispatch. No logic
//! that a test would want is here or below; commands read settings, call a module, print.
//!
//! # Adding a command
//! A file with `Args` (its doc comments are the help) and `run(args, context)`, a variant in
//! `Command`, an arm in `dispatch`, and `UPDATE_GOLDEN=1 cargo test` to bring `docs/cli.md` along.

mod authorize;
mod cloud;
mod completions;
mod deploy;
mod destroy;
mod doctor;
mod export;
mod history;
mod iam;
mod infer;
mod init;
mod input;
mod inspect;
mod invoke;
mod loadtest;
mod local;
mod package;
mod plan;
mod promote;
mod prune;
mod reference;
mod request_form;
mod rollback;
mod serve;
mod signals;
mod status;
mod usage;

pub use reference::reference;

use crate::config::{Environment, Flags, Settings, Target, Unenforced};
use crate::console::{Color, Console};
use crate::error::{Exit, Failure};
use crate::release::{Holder, Kind, Ledger, Outcome, Place, Stamp, Store, Timestamp, commit};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Puts a machine-learning model behind AWS API Gateway and proves how it behaves under load.
#[derive(Debug, Parser)]
#[command(name = "gwtf", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  gwtf loadtest model.onnx --rps 500 --duration 10s --throttle 200:100
  gwtf deploy model.onnx --version v1 --target local
  gwtf serve
  gwtf deploy better.onnx --version v2 --target local
  gwtf status
  gwtf rollback

Exit codes:
  0    done, also \"no changes\"
  1    a negative verdict
  2    usage, configuration or model refused
  3    AWS, network or machine trouble
  130  interrupted";

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = COMMON_HEADING)]
struct Common {
    /// The configuration [default: GWTF_CONFIG, then gwtf.toml here or in a parent folder]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print exactly one JSON document on stdout, everything else on stderr
    #[arg(long, global = true)]
    json: bool,
    /// Colour the output [default: auto, which is on terminals unless NO_COLOR is set]
    #[arg(long, global = true, value_name = "WHEN", value_parser = color_parser())]
    color: Option<Color>,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    verbose: bool,
    /// AWS Region [default: AWS_REGION, then gwtf.toml]
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// AWS profile [default: AWS_PROFILE]
    #[arg(long, global = true, value_name = "PROFILE")]
    profile: Option<String>,
    /// The ONNX Runtime library [default: ORT_DYLIB_PATH, then the cache, then fetched]
    #[arg(long, global = true, value_name = "PATH")]
    onnxruntime: Option<PathBuf>,
}

const COMMON_HEADING: &str = "Common options";

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Inspect(inspect::Args),
    Infer(infer::Args),
    Invoke(invoke::Args),
    Package(Box<package::Args>),
    Serve(Box<serve::Args>),
    Loadtest(Box<loadtest::Args>),
    Plan(plan::Args),
    Deploy(deploy::Args),
    Promote(promote::Args),
    Rollback(rollback::Args),
    Status(status::Args),
    History(history::Args),
    Prune(prune::Args),
    Destroy(destroy::Args),
    Iam(iam::Args),
    Export(export::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
}

/// Which endpoint's releases a command is about.
#[derive(Debug, Clone, Copy, clap::Args)]
struct TargetArgs {
    /// Where the endpoint runs [default: GWTF_TARGET, then gwtf.toml]
    ///
    /// Nothing is released to this machine unless `local` is said here, in GWTF_TARGET or in
    /// gwtf.toml. Commands about releases already made find those of this machine by themselves.
    #[arg(long, value_name = "TARGET", value_parser = target_parser())]
    target: Option<Target>,
}

/// Where releases are.
enum Releases {
    /// On this machine.
    Local(Store),
    /// On AWS.
    Cloud,
}

/// What every command gets besides its own arguments.
struct Context {
    console: Console,
    environment: Environment,
    flags: Flags,
    now: SystemTime,
}

/// Runs the program: parses, dispatches, prints a failure; the exit code is the caller's to return.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> Exit {
    let plain = Console { no_color_env: environment.no_color(), ..Console::default() };
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::report(&plain, &error),
    };
    let Common { config, json, color, quiet, verbose, region, profile, onnxruntime } = cli.common;
    let console = Console { color: color.unwrap_or_default(), quiet, verbose, json, ..plain };
    let flags = Flags { config, region, profile, onnxruntime, target: None };
    let context = Context { console, environment, flags, now: now() };
    dispatch(cli.command, &context).unwrap_or_else(|failure| {
        console.error(&failure);
        failure.exit
    })
}

fn dispatch(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(&args, context),
        Command::Inspect(args) => inspect::run(&args, context),
        Command::Infer(args) => infer::run(&args, context),
        Command::Invoke(args) => invoke::run(&args, context),
        Command::Package(args) => package::run(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Loadtest(args) => loadtest::run(&args, context),
        Command::Plan(args) => plan::run(args, context),
        Command::Deploy(args) => deploy::run(args, context),
        Command::Promote(args) => promote::run(&args, context),
        Command::Rollback(args) => rollback::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::History(args) => history::run(&args, context),
        Command::Prune(args) => prune::run(&args, context),
        Command::Destroy(args) => destroy::run(&args, context),
        Command::Iam(args) => iam::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Completions(args) => completions::run(&args, context),
    }
}

impl Context {
    /// The settings of a command without a target of its own.
    fn settings(&self, target: Option<Target>) -> Result<Settings, Failure> {
        let flags = Flags { target, ..self.flags.clone() };
        let settings = Settings::load(&flags, &self.environment)?;
        match &settings.config {
            Some(path) => self.console.detail(&format!("configuration: `{}`", path.display())),
            None => self.console.detail("configuration: none, defaults hold"),
        }
        Ok(settings)
    }

    /// The model that the command line names, seen from the working folder, else that of gwtf.toml.
    fn model(&self, named: Option<&Path>, settings: &Settings) -> Result<PathBuf, Failure> {
        let named = named.map(|path| self.environment.folder().join(path));
        named.or_else(|| settings.model.clone()).ok_or_else(no_model)
    }

    /// The settings of a command about releases already made, and where these are.
    fn releases(&self, target: TargetArgs) -> Result<(Settings, Releases), Failure> {
        let settings = self.settings(target.target)?;
        let releases = match settings.released_target(&self.environment)? {
            Target::Local => Releases::Local(settings.store()),
            Target::Lambda | Target::Ecs => Releases::Cloud,
        };
        Ok((settings, releases))
    }

    /// Seed of what need not be repeated: back-off, names of locks.
    fn seed(&self) -> u64 {
        rand::random()
    }

    fn holder(&self) -> Holder {
        Holder { pid: std::process::id(), since: Timestamp::from(self.now) }
    }

    fn stamp(&self, settings: &Settings) -> Stamp {
        Stamp {
            at: Timestamp::from(self.now),
            by: self.environment.user(),
            git_commit: commit::read_commit(&settings.folder),
        }
    }

    /// Prints what a release command did.
    fn print_release(
        &self,
        command: Kind,
        settings: &Settings,
        outcome: &Outcome,
    ) -> Result<Exit, Failure> {
        let (store, ledger) = (settings.store(), &outcome.ledger);
        self.print(settings, &store, ledger, |place| {
            (place.release_document(command, outcome), place.release_text(command, outcome))
        })
    }

    /// Prints one document or one text about a ledger.
    fn print(
        &self,
        settings: &Settings,
        store: &Store,
        ledger: &Ledger,
        render: impl FnOnce(Place<'_>) -> (serde_json::Value, String),
    ) -> Result<Exit, Failure> {
        let endpoint = settings.endpoint(ledger.endpoint(), settings.model.as_deref());
        let place = Place { endpoint: &endpoint, stage: &settings.stage, store };
        let (document, text) = render(place);
        if self.console.json {
            self.console.document(&document)
        } else {
            self.console.data(text.as_bytes())
        }
        .map_err(cannot_print)?;
        Ok(Exit::Done)
    }
}

/// Neither the command line nor gwtf.toml names a model.
fn no_model() -> Failure {
    Failure::new(Exit::Refused, "model: none is named")
        .with_hint("name an ONNX file, or write `model` under [endpoint] in gwtf.toml")
}

/// stdout is closed or its disk is full.
fn cannot_print(error: std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("stdout: {error}"))
}

fn color_parser() -> impl TypedValueParser<Value = Color> {
    PossibleValuesParser::new(["auto", "always", "never"]).map(|name| match name.as_str() {
        "always" => Color::Always,
        "never" => Color::Never,
        _ => Color::Auto,
    })
}

fn unenforced_parser() -> impl TypedValueParser<Value = Unenforced> {
    PossibleValuesParser::new(Unenforced::ALL.map(Unenforced::name))
        .map(|name| Unenforced::from_name(&name).expect("the names are those of the settings"))
}

fn target_parser() -> impl TypedValueParser<Value = Target> {
    PossibleValuesParser::new(Target::ALL.map(Target::name))
        .map(|name| Target::from_name(&name).expect("the names are those of the targets"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one clock that releases are stamped with, locks last by and requests are signed at"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
