//! `gwtf iam verify`.

use super::{Context, ExtentArgs, PlaceArgs, cannot_print};
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::iam::{Deployer, Proof, deployer_calls, proofs_document, proofs_text, prove, record};
use crate::identity::policy::{DOCUMENT_BYTES_MAX, Document, parse};
use std::io::Read as _;
use std::path::PathBuf;

/// Prove that the documents allow what gwtf does, and nothing more
///
/// Rehearses deploy, promote, rollback, prune, status and destroy in memory and records every call.
/// An evaluator of IAM's rules then shows that each document allows all of them (sufficient), and that
/// taking any one action or resource away, or narrowing one, breaks at least one call (minimal). Exits 1
/// and names the calls where that is not so.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf iam verify --account 111122223333
  gwtf iam verify --account 111122223333 --policy my-deployer.json")]
pub(super) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    extent: ExtentArgs,
    /// Check this policy document in place of gwtf's: whether it allows all that the deployer does
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

pub(super) fn run(args: &Args, settings: &Settings, context: &Context) -> Result<Exit, Failure> {
    let names = args.place.names(settings, context)?;
    let shape = args.extent.shape(settings)?;
    let asked = args.extent.deployer(&names, &shape);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::new(Exit::Machine, format!("no rehearsal can run: {error}")))?;
    let proofs = match &args.policy {
        None => runtime.block_on(prove(&asked))?,
        Some(path) => {
            let document = read(&context.environment.folder().join(path), path)?;
            vec![runtime.block_on(check(&asked, &document, path))?]
        }
    };
    if context.console.json {
        context.console.document(&proofs_document(&names, &proofs))
    } else {
        context.console.data(proofs_text(&proofs).as_bytes())
    }
    .map_err(cannot_print)?;
    Ok(if proofs.iter().all(Proof::holds) { Exit::Done } else { Exit::Verdict })
}

async fn check(
    asked: &Deployer<'_>,
    document: &Document,
    path: &std::path::Path,
) -> Result<Proof, Failure> {
    let recording = record(asked).await?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    Ok(Proof::of_foreign(&name, document, &deployer_calls(asked, &recording)))
}

/// A policy document; lines that begin with `#` are gwtf's own reasons.
fn read(path: &std::path::Path, shown: &std::path::Path) -> Result<Document, Failure> {
    let refused = |cause: String| {
        Failure::new(Exit::Refused, format!("policy `{}`: {cause}", shown.display()))
    };
    let mut text = String::new();
    fs_err::File::open(path)
        .and_then(|file| {
            // Reasons come on top of what a document may have.
            file.take(2 * DOCUMENT_BYTES_MAX as u64 + 1).read_to_string(&mut text)
        })
        .map_err(|error| refused(error.to_string()))?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let document: String = lines.flat_map(|line| [line, "\n"]).collect();
    parse(document.as_bytes()).map_err(|error| {
        let failure = Failure::from(error);
        Failure { message: format!("policy `{}`: {}", shown.display(), failure.message), ..failure }
    })
}
