//! `gwtf doctor`: what this machine has for running models, as a document and as text.
//!
//! [`examine`] looks; [`render_json`] and [`render_text`] are pure.

use super::cloud::{self, Examined};
use super::{Context, TargetArgs, cannot_print, local};
use crate::config::Target;
use crate::error::{Exit, Explain, Failure};
use crate::plan::preflight::{Finding, Severity};
use crate::runtime::{self, Engine, Library, LocateRequest, Tool};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// Say what this machine has for running models, and what the AWS account has for the endpoint
///
/// Which ONNX Runtime is used, its version and where it came from; what could fetch one. Fetches
/// nothing itself. When the target is on AWS: the credentials, the Region, the account's limits, the
/// role for API Gateway's logs, each complaint with what to do about it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(args.target.target)?;
    let request = local::locate_request(&settings, context)?;
    let telemetry = Telemetry::of(context.environment.get(runtime::TELEMETRY_VARIABLE));
    let mut findings = examine(&request, local::cores(), telemetry);
    if settings.target == Some(Target::Lambda) {
        findings.aws = Some(cloud::examine(&settings, context));
    }
    let console = &context.console;
    let bytes = match console.json {
        true => render_json(&findings),
        false => render_text(&findings).into_bytes(),
    };
    console.data(&bytes).map_err(cannot_print)?;
    Ok(findings.exit())
}

/// What was found on this machine.
#[derive(Debug)]
pub(super) struct Findings {
    /// gwtf's own version.
    pub(super) gwtf_version: String,
    /// The triple of this machine, when ONNX Runtime is published for it.
    pub(super) platform: Option<&'static str>,
    /// Cores that this process may use.
    pub(super) cores: usize,
    /// ONNX Runtime.
    pub(super) onnxruntime: OnnxRuntime,
    /// Whether ONNX Runtime may report to its maker.
    pub(super) telemetry: Telemetry,
    /// The folder that a fetched library is kept in.
    pub(super) cache_folder: PathBuf,
    /// The programs that could fetch a library, in the order in which they are tried.
    pub(super) tools: Vec<Tool>,
    /// The AWS account, when the target is there; or why it could not be looked at.
    pub(super) aws: Option<Result<Examined, Failure>>,
}

/// What ONNX Runtime's telemetry is told. gwtf starts itself anew with it off, unless the person
/// has set the variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Telemetry {
    /// It collects nothing.
    Off,
    /// The variable holds something else than `1`, or gwtf could not start itself anew.
    NotOff,
}

impl Telemetry {
    fn of(value: Option<&str>) -> Self {
        if value == Some("1") { Self::Off } else { Self::NotOff }
    }
}

/// The state of ONNX Runtime on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OnnxRuntime {
    /// It was loaded.
    Loaded {
        /// The library and where it came from.
        library: Library,
        /// What the library says of its build.
        build: String,
    },
    /// None is named and none is cached; the first use fetches it.
    NotCached,
    /// A library is there but not usable.
    Broken {
        /// What is wrong.
        message: String,
        /// The next step.
        hint: Option<String>,
    },
}

/// Looks for the library and loads it; fetches nothing.
fn examine(request: &LocateRequest, cores: usize, telemetry: Telemetry) -> Findings {
    let target = runtime::Target::host();
    let folder = target.map(|target| request.library_folder(target));
    Findings {
        gwtf_version: env!("CARGO_PKG_VERSION").to_owned(),
        platform: target.map(runtime::Target::triple),
        cores,
        onnxruntime: onnxruntime(request),
        telemetry,
        cache_folder: folder.unwrap_or_else(|| request.cache_folder.clone()),
        tools: runtime::tools(&request.search_path),
        aws: None,
    }
}

fn onnxruntime(request: &LocateRequest) -> OnnxRuntime {
    match runtime::find(request) {
        Ok(Some(library)) => match Engine::load(&library) {
            Ok(engine) => OnnxRuntime::Loaded { library, build: engine.build_info().to_owned() },
            Err(error) => broken(error),
        },
        Ok(None) => OnnxRuntime::NotCached,
        Err(error) => broken(error),
    }
}

fn broken(error: impl Explain) -> OnnxRuntime {
    let Failure { message, hint, .. } = error.into();
    OnnxRuntime::Broken { message, hint }
}

impl Findings {
    /// How the command ends: well when models can be run here, now or after fetching.
    fn exit(&self) -> Exit {
        match &self.aws {
            Some(Err(failure)) => return failure.exit,
            Some(Ok(aws)) if aws.findings.iter().any(|one| one.severity == Severity::Error) => {
                return Exit::Verdict;
            }
            _ => {}
        }
        match &self.onnxruntime {
            OnnxRuntime::Loaded { .. } => Exit::Done,
            OnnxRuntime::NotCached if self.platform.is_some() && !self.tools.is_empty() => {
                Exit::Done
            }
            OnnxRuntime::NotCached | OnnxRuntime::Broken { .. } => Exit::Machine,
        }
    }
}

/// `gwtf.doctor/v1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    gwtf_version: &'a str,
    platform: Option<&'a str>,
    cores: usize,
    onnxruntime: OnnxRuntimeDocument<'a>,
    telemetry: Telemetry,
    cache_folder: String,
    tools: Vec<ToolDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws: Option<AwsDocument<'a>>,
}

#[derive(Serialize)]
struct AwsDocument<'a> {
    region: Option<&'a str>,
    account_id: Option<&'a str>,
    caller_arn: Option<&'a str>,
    findings: &'a [Finding],
    error: Option<&'a str>,
    hint: Option<&'a str>,
}

impl<'a> AwsDocument<'a> {
    fn of(examined: &'a Result<Examined, Failure>) -> Self {
        match examined {
            Ok(examined) => Self {
                region: Some(&examined.region),
                account_id: Some(&examined.account_id),
                caller_arn: Some(&examined.caller_arn),
                findings: &examined.findings,
                error: None,
                hint: None,
            },
            Err(failure) => Self {
                region: None,
                account_id: None,
                caller_arn: None,
                findings: &[],
                error: Some(&failure.message),
                hint: failure.hint.as_deref(),
            },
        }
    }
}

#[derive(Serialize)]
struct OnnxRuntimeDocument<'a> {
    /// `loaded`, `not_cached` or `broken`.
    state: &'static str,
    pinned_version: &'static str,
    version: Option<&'a str>,
    path: Option<String>,
    origin: Option<&'static str>,
    build: Option<&'a str>,
    error: Option<&'a str>,
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct ToolDocument {
    name: &'static str,
    path: String,
}

/// The findings as one JSON document, with a line end.
pub(super) fn render_json(findings: &Findings) -> Vec<u8> {
    let none = OnnxRuntimeDocument {
        state: "not_cached",
        pinned_version: runtime::VERSION,
        version: None,
        path: None,
        origin: None,
        build: None,
        error: None,
        hint: None,
    };
    let onnxruntime = match &findings.onnxruntime {
        OnnxRuntime::NotCached => none,
        OnnxRuntime::Loaded { library, build } => OnnxRuntimeDocument {
            state: "loaded",
            version: library.version.as_deref(),
            path: Some(library.path.display().to_string()),
            origin: Some(library.origin.name()),
            build: Some(build),
            ..none
        },
        OnnxRuntime::Broken { message, hint } => OnnxRuntimeDocument {
            state: "broken",
            error: Some(message),
            hint: hint.as_deref(),
            ..none
        },
    };
    let tool = |tool: &Tool| ToolDocument {
        name: tool_name(tool),
        path: tool.path().display().to_string(),
    };
    let document = Document {
        schema: "gwtf.doctor/v1",
        gwtf_version: &findings.gwtf_version,
        platform: findings.platform,
        cores: findings.cores,
        onnxruntime,
        telemetry: findings.telemetry,
        cache_folder: findings.cache_folder.display().to_string(),
        tools: findings.tools.iter().map(tool).collect(),
        aws: findings.aws.as_ref().map(AwsDocument::of),
    };
    let mut json = serde_json::to_vec_pretty(&document).expect("strings and numbers become JSON");
    json.push(b'\n');
    json
}

/// The findings for a person, a line each.
pub(super) fn render_text(findings: &Findings) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<12}{value}");
    };
    line("gwtf", &findings.gwtf_version);
    let platform = findings.platform.unwrap_or("a platform without a published ONNX Runtime");
    let cores = if findings.cores == 1 { "core" } else { "cores" };
    line("machine", &format!("{platform}, {} {cores}", findings.cores));
    match &findings.onnxruntime {
        OnnxRuntime::Loaded { library, .. } => {
            let version = library.version.as_deref().unwrap_or("of unknown version");
            line("onnxruntime", &format!("{version}, {}", origin_text(library)));
            line("", &library.path.display().to_string());
            if library.version.as_deref() != Some(runtime::VERSION) {
                line("", &format!("gwtf is tested with {}", runtime::VERSION));
            }
        }
        OnnxRuntime::NotCached if findings.exit() == Exit::Done => {
            line(
                "onnxruntime",
                &format!("not cached; {} is fetched on first use", runtime::VERSION),
            );
        }
        OnnxRuntime::NotCached => {
            line("onnxruntime", "not cached, and there is nothing to fetch it with");
        }
        OnnxRuntime::Broken { message, hint } => {
            line("onnxruntime", &format!("not usable: {message}"));
            if let Some(hint) = hint {
                line("", &format!("hint: {hint}"));
            }
        }
    }
    let telemetry = match findings.telemetry {
        Telemetry::Off => "off (ORT_DISABLE_TELEMETRY=1)",
        Telemetry::NotOff => "not off: ONNX Runtime may report to its maker",
    };
    line("telemetry", telemetry);
    if findings.telemetry == Telemetry::NotOff {
        line("", "hint: set ORT_DISABLE_TELEMETRY=1");
    }
    line("cache", &findings.cache_folder.display().to_string());
    for name in ["python", "uv"] {
        let found = findings.tools.iter().find(|tool| tool_name(tool) == name);
        line(name, &found.map_or("not found".to_owned(), |tool| tool.path().display().to_string()));
    }
    if let Some(aws) = &findings.aws {
        render_aws(aws, &mut line);
    }
    text
}

fn render_aws(aws: &Result<Examined, Failure>, line: &mut impl FnMut(&str, &str)) {
    let examined = match aws {
        Ok(examined) => examined,
        Err(failure) => {
            line("aws", &failure.message);
            if let Some(hint) = &failure.hint {
                line("", &format!("hint: {hint}"));
            }
            return;
        }
    };
    line("aws", &format!("account {} in {}", examined.account_id, examined.region));
    line("", &examined.caller_arn);
    for finding in &examined.findings {
        let mark = match finding.severity {
            Severity::Error => "error: ",
            Severity::Warning => "warning: ",
            Severity::Info => "",
        };
        line("", &format!("{mark}{}: {}", finding.object, finding.text));
        if let Some(fix) = &finding.fix {
            line("", &format!("hint: {fix}"));
        }
    }
}

fn tool_name(tool: &Tool) -> &'static str {
    match tool {
        Tool::Python(_) => "python",
        Tool::Uv(_) => "uv",
    }
}

fn origin_text(library: &Library) -> &'static str {
    match library.origin {
        runtime::Origin::Flag => "named by --onnxruntime",
        runtime::Origin::Environment => "named by ORT_DYLIB_PATH",
        runtime::Origin::Cache => "from the cache",
        runtime::Origin::Fetched => "fetched",
        runtime::Origin::Artefact => "from the artefact",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Origin;

    fn findings(onnxruntime: OnnxRuntime) -> Findings {
        Findings {
            gwtf_version: "0.1.0".to_owned(),
            platform: Some("x86_64-unknown-linux-gnu"),
            cores: 2,
            onnxruntime,
            telemetry: Telemetry::of(Some("1")),
            cache_folder: PathBuf::from("/home/ada/.cache/gwtf/onnxruntime"),
            tools: vec![Tool::Python(PathBuf::from("/usr/bin/python3"))],
            aws: None,
        }
    }

    fn loaded(version: &str) -> OnnxRuntime {
        let library = Library {
            path: PathBuf::from("/opt/libonnxruntime.so"),
            version: Some(version.to_owned()),
            origin: Origin::Environment,
        };
        OnnxRuntime::Loaded { library, build: "ORT Build Info: Release".to_owned() }
    }

    #[test]
    fn text_says_which_library_and_where_it_came_from() {
        let text = render_text(&findings(loaded(runtime::VERSION)));
        let expected = "\
gwtf        0.1.0
machine     x86_64-unknown-linux-gnu, 2 cores
onnxruntime 1.32.0, named by ORT_DYLIB_PATH
            /opt/libonnxruntime.so
telemetry   off (ORT_DISABLE_TELEMETRY=1)
cache       /home/ada/.cache/gwtf/onnxruntime
python      /usr/bin/python3
uv          not found
";
        assert_eq!(text, expected);
        let other = render_text(&findings(loaded("1.20.1")));
        assert!(other.contains("gwtf is tested with 1.32.0"), "{other}");
        let telemetry = Telemetry::of(Some("0"));
        let not_off = render_text(&Findings { telemetry, ..findings(OnnxRuntime::NotCached) });
        assert!(not_off.contains("hint: set ORT_DISABLE_TELEMETRY=1"), "{not_off}");
    }

    #[test]
    fn the_document_has_the_same_keys_in_every_state() {
        let broken = OnnxRuntime::Broken { message: "too old".to_owned(), hint: None };
        let states = [
            (loaded("1.32.0"), "loaded", Exit::Done),
            (OnnxRuntime::NotCached, "not_cached", Exit::Done),
            (broken, "broken", Exit::Machine),
        ];
        let mut keys: Option<Vec<String>> = None;
        for (onnxruntime, state, exit) in states {
            let findings = findings(onnxruntime);
            assert_eq!(findings.exit(), exit);
            let json: serde_json::Value = serde_json::from_slice(&render_json(&findings)).unwrap();
            assert_eq!(json["schema"], "gwtf.doctor/v1");
            assert_eq!(json["onnxruntime"]["state"], state);
            assert_eq!(json["tools"][0]["name"], "python");
            let found = json["onnxruntime"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(keys.get_or_insert_with(|| Clone::clone(&found)), &found);
        }
    }

    #[test]
    fn without_anything_to_fetch_with_the_machine_is_at_fault() {
        let findings = Findings { tools: Vec::new(), ..findings(OnnxRuntime::NotCached) };
        assert_eq!(findings.exit(), Exit::Machine);
        assert!(render_text(&findings).contains("nothing to fetch it with"));
    }
}
