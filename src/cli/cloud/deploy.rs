//! `deploy` and `plan`: observe, plan, lock, apply, and see that the release answers.

use super::super::{Context, cannot_print, local};
use super::artefact::{self, Made};
use super::lock::Held;
use super::preflight;
use super::session::Session;
use super::wanted::{Asked, wanted};
use crate::config::{Settings, Unenforced};
use crate::error::{Exit, Failure};
use crate::package::digest_of;
use crate::plan::wanted::Wanted;
use crate::plan::{self, Drift, Ledger, Observed, Plan};
use crate::spec::version::Version;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the command line of a deploy says.
pub(in crate::cli) struct DeployArgs {
    pub(in crate::cli) model: Option<PathBuf>,
    pub(in crate::cli) version: Version,
    pub(in crate::cli) canary: Option<u8>,
    pub(in crate::cli) no_canary: bool,
    pub(in crate::cli) allow_breaking: bool,
    pub(in crate::cli) allow_unenforced: Vec<Unenforced>,
    /// Overwrites what was changed by hand.
    pub(in crate::cli) yes: bool,
    pub(in crate::cli) break_lock: bool,
    /// How long the release may take to answer; `None`: nobody asks.
    pub(in crate::cli) smoke_timeout: Option<Duration>,
}

/// A plan with what it was made from.
struct Planned {
    wanted: Wanted,
    observed: Observed,
    ground: Plan,
    plan: Plan,
    /// Holds the artefact until it is uploaded.
    _made: Option<Made>,
}

impl Planned {
    fn is_empty(&self) -> bool {
        self.plan.is_empty()
    }

    /// Ground and plan as one, as they are shown.
    fn whole(&self) -> Plan {
        let mut whole = self.ground.clone();
        let offset = whole.actions.len();
        for action in &self.plan.actions {
            let mut action = action.clone();
            action.after.iter_mut().for_each(|index| *index += offset);
            whole.actions.push(action);
        }
        whole.known.clone_from(&self.plan.known);
        whole.drift.clone_from(&self.plan.drift);
        whole.notes.clone_from(&self.plan.notes);
        whole
    }
}

/// `gwtf plan`: what a deploy would do.
pub(in crate::cli) fn plan(
    args: &DeployArgs,
    check: bool,
    settings: &Settings,
    context: &Context,
) -> Result<Exit, Failure> {
    let model = model(args, settings, context)?;
    let session = Session::open(settings, context, Some(&model))?;
    let planned = plan_version(&session, args, &model)?;
    let console = &context.console;
    let whole = planned.whole();
    // Without a change there is no bucket to be made either.
    let shown = if planned.is_empty() { &planned.plan } else { &whole };
    let (names, version) = (&session.names, &args.version);
    if console.json {
        console.document(&plan::render::document(shown, names, Some(version)))
    } else {
        let style = plan::render::Style {
            columns: console.columns(),
            color: console.color_on_stdout(),
            verbose: console.verbose,
        };
        console.data(plan::render::text(shown, names, Some(version), style).as_bytes())
    }
    .map_err(cannot_print)?;
    Ok(if check && !planned.is_empty() { Exit::Verdict } else { Exit::Done })
}

/// `gwtf deploy` to AWS.
pub(in crate::cli) fn deploy(
    args: &DeployArgs,
    settings: &Settings,
    context: &Context,
) -> Result<Exit, Failure> {
    Unenforced::refuse(&Unenforced::by_cloud_deploy(&settings.file), &args.allow_unenforced)?;
    let model = model(args, settings, context)?;
    let session = Session::open(settings, context, Some(&model))?;
    let planned = plan_version(&session, args, &model)?;
    if planned.is_empty() {
        context.console.talk("no changes");
        return session.print_release("deploy", &planned.observed, &planned.plan);
    }
    session.tell(&planned.whole(), Some(&args.version));
    refuse_drift(&planned.plan.drift, args.yes)?;
    release(&session, args, &model, planned)
}

/// Takes the lock, performs the plan, and sees that the release answers.
fn release(
    session: &Session<'_>,
    args: &DeployArgs,
    model: &Path,
    planned: Planned,
) -> Result<Exit, Failure> {
    session.apply(&planned.ground)?;
    let held = session.lock(args.break_lock)?;
    let released = locked(session, args, model, planned, &held);
    let ended_by_release = released.as_ref().is_ok_and(|released| released.ended_lock);
    if !ended_by_release {
        session.unlock(&held);
    }
    let plan = released?.plan;
    let observed = session.observe()?;
    if let Some(timeout) = args.smoke_timeout {
        session.smoke(&observed, &args.version, timeout)?;
    }
    session.print_release("deploy", &observed, &plan)
}

struct Released {
    plan: Plan,
    /// Whether the update of the stage ended the lock too.
    ended_lock: bool,
}

/// Looks again now that nobody else deploys, and performs what was shown; only what was shown.
fn locked(
    session: &Session<'_>,
    args: &DeployArgs,
    model: &Path,
    mut planned: Planned,
    held: &Held,
) -> Result<Released, Failure> {
    let observed = session.observe()?;
    planned.wanted.lock_id = Some(held.id.clone());
    if plan::deploy::needs_artefact(&planned.wanted, &observed) && planned.wanted.artefact.is_none()
    {
        let made = artefact::make(session, model, &args.version)?;
        planned.wanted.artefact = Some(made.artefact.clone());
        planned._made = Some(made);
    }
    let plan = plan::deploy(&planned.wanted, &observed)?;
    if !same_steps(&plan, &planned.plan) {
        let object = &session.names.endpoint;
        let text = format!("endpoint `{object}`: it changed after the plan was made");
        return Err(Failure::new(Exit::Machine, text)
            .with_hint("run the command again; it plans from what is there"));
    }
    session.apply(&plan)?;
    let ended_lock = plan.changes().any(|change| {
        matches!(change, plan::Change::UpdateStage { patch, .. }
            if patch.iter().any(|one| one.path == "/description"))
    });
    Ok(Released { plan, ended_lock })
}

/// Whether two plans do the same to the same things.
fn same_steps(left: &Plan, right: &Plan) -> bool {
    let steps = |plan: &Plan| {
        let actions = plan.actions.iter().filter(|action| action.change.is_some());
        actions.map(|action| (action.verb, action.object.clone())).collect::<Vec<_>>()
    };
    steps(left) == steps(right)
}

fn model(args: &DeployArgs, settings: &Settings, context: &Context) -> Result<PathBuf, Failure> {
    let named = args.model.as_ref().map(|path| context.environment.folder().join(path));
    named.or_else(|| settings.model.clone()).ok_or_else(|| {
        Failure::new(Exit::Refused, "model: none is named")
            .with_hint("name an ONNX file, or write `model` under [endpoint] in gwtf.toml")
    })
}

fn plan_version(
    session: &Session<'_>,
    args: &DeployArgs,
    model: &Path,
) -> Result<Planned, Failure> {
    let facts = local::servable_facts(model)?;
    let observed = session.observe()?;
    let ledger = Ledger::of(&observed, &session.names);
    // A share that only gwtf.toml names is for versions that have a live one beside them.
    let default = session.settings.canary_percent.filter(|_| {
        let live = ledger.live();
        !args.no_canary && live.is_some_and(|live| live.record.version != args.version)
    });
    let asked = Asked {
        version: args.version.clone(),
        model_sha256: digest_of(model)?,
        signature: facts.signature,
        canary_percent: args.canary.or(default),
        allow_breaking: args.allow_breaking,
    };
    let mut wanted = wanted(session, asked)?;
    let mut made = None;
    if plan::deploy::needs_artefact(&wanted, &observed) {
        // What cannot be released need not be packaged.
        plan::deploy::check(&wanted, &observed)?;
        let bytes = artefact::make(session, model, &args.version)?;
        wanted.artefact = Some(bytes.artefact.clone());
        made = Some(bytes);
    }
    preflight::check(session, &wanted, &observed)?;
    let plan = plan::deploy(&wanted, &observed)?;
    let ground = plan::ground(&session.names, &observed);
    Ok(Planned { wanted, observed, ground, plan, _made: made })
}

/// What was changed by hand is overwritten only when the person says so.
fn refuse_drift(drift: &[Drift], yes: bool) -> Result<(), Failure> {
    if drift.is_empty() || yes {
        return Ok(());
    }
    let lines: Vec<String> = drift.iter().map(plan::render::drift_line).collect();
    let text = format!("changed by hand since the last release: {}", lines.join("; "));
    Err(Failure::new(Exit::Verdict, text)
        .with_hint("pass --yes to overwrite it, or write it into gwtf.toml to keep it"))
}
