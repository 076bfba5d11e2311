//! One endpoint on AWS, with the credentials to look at it and change it.

use super::super::Context;
use super::show::{Shown, account_lines};
use crate::apply::deploying::Site;
use crate::apply::deploying::unless;
use crate::apply::{self, Calls, Pace, Quiet, Scope};
use crate::aws::Aws;
use crate::config::{PackageForm, Settings};
use crate::error::{Exit, Failure};
use crate::plan::query::{Answer, Query};
use crate::plan::render::Style;
use crate::plan::{self, Names, Observed, Plan};
use crate::spec::version::Version;
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;

/// What commands about an endpoint on AWS share.
pub(in crate::cli) struct Session<'a> {
    pub(super) settings: &'a Settings,
    pub(super) context: &'a Context,
    pub(in crate::cli) names: Names,
    pub(super) aws: Aws,
    pub(super) pace: Pace,
    runtime: tokio::runtime::Runtime,
    /// Turns true with the first Ctrl-C or SIGTERM.
    interrupt: watch::Receiver<bool>,
}

impl<'a> Session<'a> {
    /// Finds the account and names the endpoint's parts; `model` names an endpoint that the
    /// configuration does not.
    pub(in crate::cli) fn open(
        settings: &'a Settings,
        context: &'a Context,
        model: Option<&Path>,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Failure::new(Exit::Machine, format!("the network cannot be used: {error}"))
        })?;
        let region = region(settings, &runtime)?;
        let region = region.as_str();
        let interrupt = interrupt(&runtime)?;
        let endpoint = settings.endpoint(None, model.or(settings.model.as_deref()));
        let pace = Pace::new(context.seed());
        let (aws, account_id) = runtime.block_on(unless(&interrupt, async {
            let aws = Aws::new(region, settings.profile.as_deref()).await;
            let answer = Calls::new(&aws, &pace, &Quiet).ask(&Query::GetCallerIdentity).await?;
            let Answer::Caller(caller) = answer else {
                unreachable!("the port answers the question that it is asked")
            };
            Ok::<_, Failure>((aws, caller.account_id))
        }))?;
        let bucket = settings.file.endpoint.bucket.as_deref();
        let names = Names::new(&endpoint, &settings.stage, region, &account_id, bucket)?;
        Ok(Self { settings, context, names, aws, pace, runtime, interrupt })
    }

    /// The endpoint as changes under its lock see it.
    pub(super) fn site(&self) -> Site<'_, Aws> {
        let calls = Calls::new(&self.aws, &self.pace, &Quiet);
        Site {
            calls,
            names: &self.names,
            scope: Scope { repository: self.is_image() },
            interrupt: Some(&self.interrupt),
        }
    }

    /// Everything of the endpoint as it is.
    pub(in crate::cli) fn observe(&self) -> Result<Observed, Failure> {
        let Site { calls, names, scope, .. } = self.site();
        let bar = self.context.console.progress(0);
        bar.set_message(format!("looking at endpoint `{}`", self.names.endpoint));
        let looking = apply::observe(calls, names, scope);
        let observed = self.block_on(unless(&self.interrupt, looking));
        bar.finish_and_clear();
        observed
    }

    /// Performs a plan, showing what happens; what was done is said when it stops.
    pub(super) fn apply(&self, plan: &Plan) -> Result<(), Failure> {
        self.block_on(self.perform(plan))
    }

    /// The same, as a step of something longer.
    pub(super) async fn perform(&self, plan: &Plan) -> Result<(), Failure> {
        let shown = Shown::new(plan, self.context);
        let calls = Calls::new(&self.aws, &self.pace, &shown);
        let applied = apply::apply(calls, plan, self.interrupt.clone()).await;
        shown.finish();
        match applied {
            Ok(_) => Ok(()),
            Err(stopped) => {
                for line in account_lines(&stopped.account) {
                    self.context.console.talk(&line);
                }
                Err((*stopped).into())
            }
        }
    }

    /// Says what is going to be done.
    pub(super) fn tell(&self, plan: &Plan, version: Option<&Version>) {
        let console = &self.context.console;
        let style = Style {
            columns: console.columns(),
            color: console.color_on_stderr(),
            verbose: console.verbose,
        };
        let text = plan::render::text(plan, &self.names, version, style);
        console.talk(text.trim_end());
    }

    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Waits, for polls.
    ///
    /// # Errors
    /// The person stopped it.
    pub(super) fn sleep(&self, duration: Duration) -> Result<(), Failure> {
        // Made inside of the runtime, whose clock it needs.
        let pause = async {
            tokio::time::sleep(duration).await;
            Ok::<_, Failure>(())
        };
        self.block_on(unless(&self.interrupt, pause))
    }

    pub(super) fn is_image(&self) -> bool {
        self.settings.file.function.package == Some(PackageForm::Image)
    }

    /// Base of the endpoint's URL, without a slash at its end. `GWTF_EXECUTE_API_URL` puts another
    /// in its place, for emulators: `{rest_api}` and `{stage}` in it are filled in.
    pub(in crate::cli) fn url(&self, rest_api: &str) -> String {
        match self.context.environment.get("GWTF_EXECUTE_API_URL") {
            Some(template) => template
                .replace("{rest_api}", rest_api)
                .replace("{stage}", &self.names.stage)
                .trim_end_matches('/')
                .to_owned(),
            None => self.names.url(rest_api),
        }
    }

    pub(super) fn stamp(&self) -> crate::plan::Stamp {
        self.context.stamp(self.settings)
    }
}

/// Turns true with the first Ctrl-C or SIGTERM. Nothing ends by one from then on that does not look.
fn interrupt(runtime: &tokio::runtime::Runtime) -> Result<watch::Receiver<bool>, Failure> {
    let (sender, receiver) = watch::channel(false);
    let _guard = runtime.enter();
    let interrupted = super::super::signals::interrupted()?;
    runtime.spawn(async move {
        interrupted.await;
        // A command that has ended needs no word.
        let _ = sender.send(true);
    });
    Ok(receiver)
}

/// The Region that is named, else the one of the profile, as other AWS tools have it.
fn region(settings: &Settings, runtime: &tokio::runtime::Runtime) -> Result<String, Failure> {
    if let Some(region) = &settings.region {
        return Ok(region.clone());
    }
    let profile = settings.profile.as_deref();
    let caller = runtime.block_on(crate::aws::credentials::Caller::find(None, profile))?;
    match caller.region() {
        Some(region) => Ok(region.to_owned()),
        None => Ok(settings.require_region()?.to_owned()),
    }
}
