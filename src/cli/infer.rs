//! `gwtf infer`: one inference from a file or stdin, in any format that the endpoint takes.

use super::{Context, cannot_print, local};
use crate::error::{Exit, Failure};
use crate::model::payload::{self, ModelName, Protocol, RequestHead};
use crate::spec::limits::PAYLOAD_BYTES_MAX;
use std::io::Read as _;
use std::path::{Path, PathBuf};

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
    let body = read_input(&args.input)?;
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

/// The whole input, up to what the gateway lets through.
fn read_input(path: &Path) -> Result<Vec<u8>, Failure> {
    let refuse = |text: String| Failure::new(Exit::Refused, text);
    let mut bytes = Vec::new();
    let limit = PAYLOAD_BYTES_MAX as u64 + 1;
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        fs_err::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        refuse(format!("input: {error}")).with_hint("check the path, or write `-` for stdin")
    })?;
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(refuse(format!(
            "input `{}`: more than {PAYLOAD_BYTES_MAX} bytes",
            path.display()
        ))
        .with_hint("API Gateway takes no larger body"));
    }
    Ok(bytes)
}
