//! What `doctor` and every deploy look at first.

use super::super::Context;
use super::session::Session;
use super::wanted;
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::plan::Observed;
use crate::plan::preflight::{Demands, Finding, Severity, preflight};
use crate::plan::wanted::{ArtefactForm, Wanted};

/// What was found out about the account.
#[derive(Debug)]
pub(in crate::cli) struct Examined {
    /// Account, 12 digits.
    pub(in crate::cli) account_id: String,
    /// Who the credentials are.
    pub(in crate::cli) caller_arn: String,
    pub(in crate::cli) region: String,
    pub(in crate::cli) findings: Vec<Finding>,
}

/// Looks at the account for the endpoint of gwtf.toml; changes nothing.
pub(in crate::cli) fn examine(settings: &Settings, context: &Context) -> Result<Examined, Failure> {
    let session = Session::open(settings, context, None)?;
    let observed = session.observe()?;
    let demands = Demands {
        names: &session.names,
        function: &wanted::function(settings),
        gateway: &wanted::gateway(settings)?,
        log_retention_days: Some(wanted::log_retention_days(settings)),
        artefact_bytes: 0,
    };
    Ok(Examined {
        account_id: observed.caller.account_id.clone(),
        caller_arn: observed.caller.arn.clone(),
        region: session.names.region.clone(),
        findings: preflight(demands, &observed),
    })
}

/// Refuses what would fail half-way, and says what may surprise.
pub(super) fn check(
    session: &Session<'_>,
    wanted: &Wanted,
    observed: &Observed,
) -> Result<(), Failure> {
    let artefact_bytes = match wanted.artefact.as_ref().map(|artefact| &artefact.form) {
        Some(ArtefactForm::Zip { size_bytes, .. }) => *size_bytes,
        _ => 0,
    };
    let demands = Demands {
        names: &wanted.names,
        function: &wanted.function,
        gateway: &wanted.gateway,
        log_retention_days: wanted.log_retention_days,
        artefact_bytes,
    };
    let findings = preflight(demands, observed);
    let line = |finding: &Finding| format!("{}: {}", finding.object, finding.text);
    let is = |severity| move |finding: &&Finding| finding.severity == severity;
    for finding in findings.iter().filter(is(Severity::Warning)) {
        session.context.console.talk(&format!("warning: {}", line(finding)));
    }
    let errors: Vec<&Finding> = findings.iter().filter(is(Severity::Error)).collect();
    let Some(first) = errors.first() else { return Ok(()) };
    let text = errors.iter().map(|finding| line(finding)).collect::<Vec<_>>().join("\n  ");
    let failure = Failure::new(Exit::Refused, text);
    Err(match &first.fix {
        Some(fix) => failure.with_hint(fix.clone()),
        None => failure,
    })
}
