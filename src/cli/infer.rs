//! `gwtf infer`: one inference from a file or stdin, in any format that the endpoint takes.

use super::{Context, cannot_print, input, local};
use crate::error::{Exit, Failure};
use crate::model::payload::{self, ModelName, Protocol, RequestHead};
use crate::spec::limits::PAYLOAD_BYTES_MAX;
use std::path::PathBuf;

/// Run one request through a model
///
/// The request is the body that the endpoint takes: TensorFlow Serving's rows or columns, the Open
/// Inference Protocol's JSON, or an npy array. The reply is the endpoint's, byte for byte.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf infer model.onnx --input request.json
  echo '{\"instances\": [[5.1, 3.5, 1.4, 0.2]]}' | gwtf infer model.onnx --input -")]
pub(super) struct Args {
    /// The ONNX file
    model: PathBuf,
    /// The request; `-` reads stdin
    #[arg(long, value_name = "FILE|-")]
    input: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(None)?;
    let model = context.environment.folder().join(&args.model);
    let body = input::read_file_or_stdin("input", &args.input, PAYLOAD_BYTES_MAX)?;
    let mut session = local::open_session(&settings, context, &model)?;
    let head = RequestHead::default();
    let request = payload::parse(Protocol::Auto, &head, &body, session.signature())?;
    let outputs = session.run(request.inputs, &request.outputs)?;
    let endpoint = settings.endpoint(None, Some(&model));
    let name = ModelName { name: &endpoint, version: "" };
    let mut reply = payload::render(&request.reply, name, &outputs)?.body;
    if reply.first() == Some(&b'{') {
        reply.push(b'\n');
    }
    context.console.data(&reply).map_err(cannot_print)?;
    Ok(Exit::Done)
}
