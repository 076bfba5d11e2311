//! `gwtf init`: a commented `gwtf.toml`, sample requests and a CI workflow, made from a model.
//!
//! ```text
//! model file -> facts -> Starter (what is filled in) -> files (pure) -> written, all or none
//! ```

mod github;
mod requests;
mod starter;
mod template;
mod write;

use super::{Context, cannot_print, inspect, target_parser};
use crate::config::{Target, endpoint_name_of, is_endpoint_name};
use crate::error::{Exit, Failure};
use crate::model::onnx::read_facts;
use serde_json::{Value, json};
use starter::Starter;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use write::{NewFile, Written};

/// Write a commented gwtf.toml, sample requests and a CI workflow
///
/// All of it in this folder, made from the model's signature; a workflow goes to the root of the git
/// repository, where GitHub looks for it. Nothing that is there is replaced without --force: then
/// nothing is written, and each file in the way is named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf init
  gwtf init model.onnx --target local
  gwtf init model.onnx --name iris --ci github")]
pub(super) struct Args {
    /// The ONNX file [default: the only one in this folder]
    model: Option<PathBuf>,
    /// The endpoint's name: small letters, digits and `-`, a letter first, at most 31 [default: from
    /// the model's or the folder's name]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Where the endpoint runs [default: left open; lambda with --ci]
    #[arg(long, value_name = "TARGET", value_parser = target_parser())]
    target: Option<Target>,
    /// Write a workflow too: a plan on pull requests, a deploy on main, a rollback by hand
    #[arg(long, value_name = "SYSTEM")]
    ci: Option<Ci>,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

/// Whose workflow is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ci {
    /// GitHub Actions
    Github,
}

/// Most model files that a refusal names.
const MODELS_NAMED_MAX: usize = 8;

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if context.flags.config.is_some() {
        let text = "--config: init writes gwtf.toml in this folder and reads none";
        return Err(Failure::new(Exit::Refused, text).with_hint("leave --config away"));
    }
    let folder = context.environment.folder();
    let starter = args.starter(folder)?;
    let (files, request_refused) = files(args.ci, &starter, folder)?;
    let written = write::write_all(&files, args.force)?;
    let console = &context.console;
    if let Some(reason) = request_refused {
        let first = requests::first(&starter.signature);
        console.talk(&format!("no sample requests, `{first}` is yours to write: {reason}"));
    }
    if starter.target != Some(Target::Local) {
        starter.limits_broken.iter().for_each(|limit| console.talk(&format!("beyond: {limit}")));
    }
    let next = next_steps(&starter, args.ci);
    if console.json {
        console.document(&document(&starter, &written, &next))
    } else {
        console.data(text(&written, &next).as_bytes())
    }
    .map_err(cannot_print)?;
    Ok(Exit::Done)
}

impl Args {
    fn starter(&self, folder: &Path) -> Result<Starter, Failure> {
        let target = match (self.target, self.ci) {
            (Some(Target::Local), Some(_)) => {
                let text = "--ci: a workflow deploys to AWS, and the target is `local`";
                return Err(Failure::new(Exit::Refused, text)
                    .with_hint("leave --ci away, or pass --target lambda"));
            }
            (None, Some(_)) => Some(Target::Lambda),
            (target, _) => target,
        };
        let given = match &self.model {
            Some(model) => model.clone(),
            None => only_model(folder)?,
        };
        let path = folder.join(&given);
        let facts = read_facts(&path)?;
        let written = path.strip_prefix(folder).unwrap_or(&given);
        let model = written.to_str().ok_or_else(|| {
            let text = format!("model `{}`: its path is not UTF-8, which TOML is", given.display());
            Failure::new(Exit::Refused, text).with_hint("give the file another name")
        })?;
        let limits = inspect::limits_broken(&facts);
        Ok(Starter {
            name: self.name.clone().unwrap_or_else(|| endpoint_name_of(Some(&path), folder)),
            model: model.to_owned(),
            target,
            memory_bytes: inspect::memory_estimate_bytes(&facts),
            fits_a_zip: limits.iter().all(|limit| limit.limit != "lambda_unzipped_bytes"),
            limits_broken: limits.into_iter().map(|limit| limit.message).collect(),
            signature: facts.signature,
        })
    }
}

/// The one ONNX file of a folder.
fn only_model(folder: &Path) -> Result<PathBuf, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::new(Exit::Machine, format!("model: {error}"))
            .with_hint("name the ONNX file: gwtf init MODEL")
    };
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let is_onnx = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx"));
        if is_onnx && path.is_file() {
            names.extend(path.file_name().map(PathBuf::from));
        }
    }
    names.sort();
    match names.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::new(Exit::Refused, "model: there is no *.onnx file in this folder")
            .with_hint("name the ONNX file: gwtf init MODEL")),
        [first, ..] => {
            let shown = names.iter().take(MODELS_NAMED_MAX);
            let mut shown: Vec<String> =
                shown.map(|name| format!("`{}`", name.display())).collect();
            if names.len() > MODELS_NAMED_MAX {
                shown.push("…".to_owned());
            }
            let text = format!("model: {} files could be it: {}", names.len(), shown.join(", "));
            let hint = format!("name one: gwtf init {}", first.display());
            Err(Failure::new(Exit::Refused, text).with_hint(hint))
        }
    }
}

/// All that is written, and why there are no sample requests if so.
fn files(
    ci: Option<Ci>,
    starter: &Starter,
    folder: &Path,
) -> Result<(Vec<NewFile>, Option<String>), Failure> {
    let here = |shown: &str, bytes: Vec<u8>| NewFile {
        path: folder.join(shown),
        shown: shown.to_owned(),
        bytes,
    };
    let mut files = vec![here("gwtf.toml", starter.config().into_bytes())];
    let (samples, refused) = match requests::samples(&starter.signature) {
        Ok(samples) => (samples, None),
        Err(failure) => (Vec::new(), Some(failure.message)),
    };
    files.extend(samples.into_iter().map(|(name, body)| here(name, body)));
    if ci == Some(Ci::Github) {
        let place = github::Place::find(folder)?;
        let workflow = github::workflow(starter, &place);
        let shown = place.shown(&starter.name);
        files.push(NewFile { path: folder.join(&shown), shown, bytes: workflow.into_bytes() });
    }
    Ok((files, refused))
}

/// What to do next, a command or a sentence each.
fn next_steps(starter: &Starter, ci: Option<Ci>) -> Vec<String> {
    let mut steps = Vec::new();
    if ci.is_some() {
        steps.push(
            "make what the head of the workflow names: roles, environments, variables".into(),
        );
    }
    steps.push(match starter.target {
        Some(Target::Lambda | Target::Ecs) => "gwtf plan --version v1".into(),
        Some(Target::Local) => "gwtf deploy --version v1".into(),
        None => "gwtf deploy --version v1 --target local".into(),
    });
    steps
}

/// The document `gwtf.init/v1`.
fn document(starter: &Starter, written: &[Written<'_>], next: &[String]) -> Value {
    let file = |written: &Written<'_>| {
        json!({
            "path": written.file.shown,
            "size_bytes": written.file.bytes.len(),
            "replaced": written.replaced,
        })
    };
    json!({
        "schema": "gwtf.init/v1",
        "endpoint": starter.name,
        "model": starter.model,
        "target": starter.target.map(Target::name),
        "files": written.iter().map(file).collect::<Vec<_>>(),
        "next": next,
    })
}

/// The same for a person.
fn text(written: &[Written<'_>], next: &[String]) -> String {
    let mut text = String::new();
    for Written { file, replaced } in written {
        let verb = if *replaced { "replaced" } else { "wrote" };
        writeln!(text, "{verb} {}", file.shown).expect("writing to a String cannot fail");
    }
    for step in next {
        writeln!(text, "next: {step}").expect("writing to a String cannot fail");
    }
    text
}

fn parse_name(text: &str) -> Result<String, String> {
    match is_endpoint_name(text) {
        true => Ok(text.to_owned()),
        false => Err("write 1 to 31 small letters, digits and `-`, a letter first".to_owned()),
    }
}
