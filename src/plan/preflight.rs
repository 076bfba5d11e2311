//! What would fail, or not do what it says, in this account: looked for before anything is changed.

use super::names::Names;
use super::observed::{Bucket, Observed};
use super::wanted::{FunctionWanted, GatewayWanted};
use crate::spec::limits::{LAMBDA_UNRESERVED_MIN, REST_APIS_MAX};
use std::time::Duration;

/// Retention periods that CloudWatch Logs takes, days (API reference, `PutRetentionPolicy`).
const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557,
    2_922, 3_288, 3_653,
];
/// An account with fewer sandboxes than this is new, and its quota can be raised on request.
const CONCURRENCY_SMALL: u32 = 100;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant says it")]
pub enum Severity {
    Error,
    Warning,
    Info,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub object: String,
    /// What is the matter.
    pub text: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// What a deploy asks of the account.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields are those of `Wanted`")]
pub struct Demands<'a> {
    pub names: &'a Names,
    pub function: &'a FunctionWanted,
    pub gateway: &'a GatewayWanted,
    pub log_retention_days: Option<u32>,
    /// Bytes of code that a new version adds; 0 when it is not known yet.
    pub artefact_bytes: u64,
}

/// Holds the demands to the account's limits; the worst findings first.
pub fn preflight(demands: Demands<'_>, observed: &Observed) -> Vec<Finding> {
    let mut findings = Findings::default();
    concurrency(demands, observed, &mut findings);
    rates(demands, observed, &mut findings);
    timeouts(demands, &mut findings);
    account(demands, observed, &mut findings);
    if let Some(days) = demands.log_retention_days
        && !RETENTION_DAYS.contains(&days)
    {
        let nearest = RETENTION_DAYS.iter().find(|one| **one > days).unwrap_or(&3_653);
        findings.error(
            "observe.log_retention_days",
            format!("CloudWatch does not keep logs for {days} days"),
            format!("write {nearest}, the next period that it has"),
        );
    }
    let rank = |finding: &Finding| finding.severity as u8;
    findings.0.sort_by_key(rank);
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn push(&mut self, severity: Severity, object: &str, text: String, fix: Option<String>) {
        self.0.push(Finding { severity, object: object.to_owned(), text, fix });
    }

    fn error(&mut self, object: &str, text: String, fix: impl Into<String>) {
        self.push(Severity::Error, object, text, Some(fix.into()));
    }

    fn warning(&mut self, object: &str, text: String, fix: impl Into<String>) {
        self.push(Severity::Warning, object, text, Some(fix.into()));
    }

    fn info(&mut self, object: &str, text: String) {
        self.push(Severity::Info, object, text, None);
    }
}

/// At least 100 sandboxes of the account must stay unreserved (Lambda developer guide, "Configuring
/// reserved concurrency").
fn concurrency(demands: Demands<'_>, observed: &Observed, findings: &mut Findings) {
    let account = &observed.lambda_account;
    let Some(limit) = account.concurrent_executions else {
        findings.info("lambda account", "its limits could not be read".to_owned());
        return;
    };
    findings.info("lambda account", format!("{limit} sandboxes at once over all functions"));
    if limit < CONCURRENCY_SMALL {
        findings.warning(
            "lambda account",
            format!("{limit} sandboxes at once is a new account's limit"),
            "ask for more of the quota `Concurrent executions` in Service Quotas",
        );
    }
    let function = demands.function;
    if let Some(reserved) = function.reserved_concurrency {
        let own = observed.function.as_ref().and_then(|one| one.reserved_concurrency).unwrap_or(0);
        let unreserved = account.unreserved_concurrent_executions.unwrap_or(limit);
        let most = (unreserved + own).saturating_sub(LAMBDA_UNRESERVED_MIN);
        if reserved > most && reserved != own {
            findings.error(
                "function.reserved_concurrency",
                format!("{reserved} are asked for, and the account can give {most}"),
                format!("write {most} or less, or raise the account's quota"),
            );
        }
        if function.provisioned_concurrency > reserved {
            findings.error(
                "function.provisioned_concurrency",
                format!(
                    "{} are more than the {reserved} reserved",
                    function.provisioned_concurrency
                ),
                "raise `reserved_concurrency`, or lower this",
            );
        }
        if reserved == 0 {
            findings.warning(
                "function.reserved_concurrency",
                "0 turns the function off: every request ends with 500".to_owned(),
                "write 1 or more, or leave it away",
            );
        }
    }
    let code = account.code_size_bytes.zip(account.code_size_bytes_max);
    if let Some((used, max)) = code
        && used + demands.artefact_bytes > max
    {
        findings.error(
            "lambda account",
            format!(
                "{used} of {max} bytes of code are stored, and the artefact has {}",
                demands.artefact_bytes
            ),
            "`gwtf prune --keep N` removes old versions",
        );
    }
}

/// No client and no stage gets more than the account (API Gateway developer guide, "Throttling").
fn rates(demands: Demands<'_>, observed: &Observed, findings: &mut Findings) {
    let account = &observed.api_gateway_account;
    let Some((rate_rps, burst)) = account.rate_rps.zip(account.burst) else { return };
    findings.info(
        "api gateway account",
        format!("{rate_rps} requests/s, burst {burst}, over all APIs"),
    );
    let throttles =
        demands
            .gateway
            .throttle
            .into_iter()
            .map(|throttle| ("gateway.throttle".to_owned(), throttle))
            .chain(
                demands.gateway.usage_plans.iter().filter_map(|plan| {
                    Some((format!("usage plan `{}`", plan.name), plan.throttle?))
                }),
            );
    for (name, throttle) in throttles {
        if throttle.rate_rps > rate_rps || throttle.burst > burst {
            findings.warning(
                &name,
                format!(
                    "{throttle} is more than the account's {rate_rps}:{burst}, which holds first"
                ),
                "lower it, or raise the account's quota `Throttle rate`",
            );
        }
    }
}

fn timeouts(demands: Demands<'_>, findings: &mut Findings) {
    let function = Duration::from_secs(u64::from(demands.function.timeout_s));
    let integration = demands.gateway.integration_timeout;
    if function > integration {
        findings.warning(
            "function.timeout_s",
            format!(
                "the function may run {} s, and API Gateway waits {} ms: it then goes on, and is paid \
                 for, though nobody waits",
                function.as_secs(),
                integration.as_millis()
            ),
            "set `timeout_s` to no more than `gateway.timeout_ms`",
        );
    }
}

fn account(demands: Demands<'_>, observed: &Observed, findings: &mut Findings) {
    let count = observed.rest_api_count;
    let text = format!("{count} of {REST_APIS_MAX} REST APIs in this Region");
    if count >= REST_APIS_MAX && observed.rest_api.is_none() {
        let fix = "delete one, or ask for a higher quota `Regional APIs per Region`";
        findings.error("api gateway account", text, fix);
    } else {
        findings.info("api gateway account", text);
    }
    match (&demands.gateway.access_log_format, &observed.api_gateway_account.cloudwatch_role_arn) {
        (None, _) => {}
        (Some(_), Some(arn)) => {
            findings.info("account log role", format!("`{arn}` writes API Gateway's logs"));
        }
        (Some(_), None) => findings.info(
            "account log role",
            "none is set; a deploy makes one and sets it for all APIs of the Region".to_owned(),
        ),
    }
    let bucket = &demands.names.bucket;
    match &observed.bucket {
        Bucket::Missing => findings.info("bucket", format!("`{bucket}` is made by a deploy")),
        Bucket::Own(_) => findings.info("bucket", format!("`{bucket}` is there")),
        Bucket::Forbidden => findings.error(
            "bucket",
            format!("`{bucket}` belongs to another account, or may not be looked at"),
            "name one of your own as `bucket` under [endpoint] in gwtf.toml",
        ),
    }
}
