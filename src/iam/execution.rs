//! The document of the role that the function runs as.

use crate::identity::policy::{Call, Document, PrincipalKind, Request, Statement};
use crate::plan::Names;
use crate::plan::wanted::RoleWanted;

/// Who may take the execution role: Lambda (Lambda developer guide, "Defining Lambda function
/// permissions with an execution role").
pub fn execution_trust() -> Document {
    let statement = Statement::allow("Lambda", "the function's own service, and nobody else")
        .principals(PrincipalKind::Service, ["lambda.amazonaws.com"])
        .actions(["sts:AssumeRole"]);
    Document::new([statement])
}

/// What the function may do: write its own log, and its traces where `tracing` is on.
///
/// gwtf makes the log group itself, with the retention asked for, so `logs:CreateLogGroup` is not
/// needed; the model is in the artefact, so nothing is read.
pub fn execution(names: &Names, tracing: bool) -> Document {
    let group = names.log_group_arn(&names.function_log_group());
    let logs = Statement::allow("OwnLog", "the function's log, in streams of its own group alone")
        .actions(["logs:CreateLogStream", "logs:PutLogEvents"])
        .resources([format!("{group}:*")]);
    let traces = tracing.then(|| {
        let reason = "X-Ray takes traces for the whole account: these actions know no resources";
        Statement::allow("Traces", reason)
            .actions(["xray:PutTraceSegments", "xray:PutTelemetryRecords"])
            .resources(["*"])
    });
    Document::new(std::iter::once(logs).chain(traces))
}

/// Both as a deploy wants them.
pub fn execution_role(names: &Names, tracing: bool, boundary: Option<String>) -> RoleWanted {
    RoleWanted {
        trust: execution_trust().render_compact(),
        policy: execution(names, tracing).render_compact(),
        boundary,
    }
}

/// What the runtime does with the role: Lambda writes the log with it, and the traces.
pub(super) fn execution_calls(names: &Names, tracing: bool) -> Vec<Call> {
    // A stream is named after the day, the version and a generated id.
    let (day, id) = ("2031/04/25", "9ac0e1b2");
    let group = names.log_group_arn(&names.function_log_group());
    let stream = format!("{group}:log-stream:{day}/[7]{id}");
    let logs = ["logs:CreateLogStream", "logs:PutLogEvents"].into_iter().flat_map(|action| {
        // Denials have been seen with `:log-stream:` alone; uncertain, so both.
        let short = format!("{group}:*");
        [Request::new(action, &stream), Request::new(action, &short)]
    });
    let traces = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
    let traces = traces.map(|action| Request::new(action, "*"));
    logs.chain(traces.into_iter().filter(|_| tracing))
        .map(|request| Call::new(format!("function: {}", request.action), request))
        .collect()
}
