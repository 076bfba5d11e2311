//! `deploy` and `plan`: observe, plan, lock, apply, and see that the release answers.

use super::super::{Context, cannot_print, local};
use super::artefact::{self, Made};
use super::preflight;
use super::session::Session;
use super::wanted::{Asked, wanted};
use crate::apply::deploying;
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
    let model = context.model(args.model.as_deref(), settings)?;
    for one in Unenforced::by_deploy(&settings.file) {
        let (setting, name) = (one.setting(), one.name());
        context.console.talk(&format!(
            "warning: {setting}: not done yet; a deploy wants --allow-unenforced {name}"
        ));
    }
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
    Unenforced::refuse(&Unenforced::by_deploy(&settings.file), &args.allow_unenforced)?;
    let model = context.model(args.model.as_deref(), settings)?;
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

/// Performs the plan under the lock, and sees that the release answers.
fn release(
    session: &Session<'_>,
    args: &DeployArgs,
    model: &Path,
    planned: Planned,
) -> Result<Exit, Failure> {
    let Planned { mut wanted, ground, plan: shown, _made: mut made, .. } = planned;
    let plan = |observed: &Observed, lock_id: &str| {
        wanted.lock_id = Some(lock_id.to_owned());
        if plan::deploy::needs_artefact(&wanted, observed) && wanted.artefact.is_none() {
            let bytes = artefact::make(session, model, &args.version)?;
            wanted.artefact = Some(bytes.artefact.clone());
            // It holds the artefact until it is uploaded.
            made = Some(bytes);
        }
        Ok(plan::deploy(&wanted, observed)?)
    };
    let plan = session.block_on(deploying::deploying(
        session.site(),
        session.claim(args.break_lock),
        deploying::Agreed { ground: &ground, plan: &shown },
        plan,
        async |plan: &Plan| session.perform(plan).await,
        |error| session.left(error),
    ))?;
    let observed = session.observe()?;
    let answers = match args.smoke_timeout {
        Some(timeout) => session.smoke(&observed, &args.version, timeout),
        None => Ok(()),
    };
    // What was released is said in any case.
    let exit = session.print_release("deploy", &observed, &plan)?;
    answers.map(|()| exit)
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
pub(super) fn refuse_drift(drift: &[Drift], yes: bool) -> Result<(), Failure> {
    if drift.is_empty() || yes {
        return Ok(());
    }
    let lines: Vec<String> = drift.iter().map(plan::render::drift_line).collect();
    let text = format!("changed by hand since the last release: {}", lines.join("; "));
    Err(Failure::new(Exit::Verdict, text)
        .with_hint("pass --yes to overwrite it, or write it into gwtf.toml to keep it"))
}
