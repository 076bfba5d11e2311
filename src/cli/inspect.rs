//! What `gwtf inspect` shows of a model: the document `gwtf.model/v1` and the same as text.

use super::{Context, cannot_print};
use crate::error::{Exit, Failure};
use crate::model::onnx::{Facts, Unsupported, check_runtime, read_facts};
use crate::model::{Dim, TensorSpec};
use crate::spec::limits;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Say what a model takes and gives, and which limits it would break
///
/// Read from the file itself, without loading the model.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf inspect model.onnx
  gwtf inspect model.onnx --json")]
pub(super) struct Args {
    /// The ONNX file
    model: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let facts = read_facts(&context.environment.folder().join(&args.model))?;
    let console = &context.console;
    if console.json {
        console.document(&document(&facts))
    } else {
        console.data(render_text(&facts, console.columns()).as_bytes())
    }
    .map_err(cannot_print)?;
    Ok(Exit::Done)
}

/// What a process takes before it has a model: program, runtime library, thread stacks and arenas.
const MEMORY_BASE_BYTES: u64 = 64 << 20;
/// What a package holds besides the model: the program and ONNX Runtime's library, which is
/// 34,824,680 bytes for 1.32.0 on x86_64.
const PACKAGE_BASE_BYTES: u64 = 50_000_000;
/// Operators that the text names; the document has all.
const OPERATORS_SHOWN: usize = 12;
/// Front of a metadata value that the text shows; models keep whole vocabularies there.
const METADATA_CHARS_SHOWN: usize = 100;
/// Fewest columns that the text is laid out for.
const COLUMNS_MIN: usize = 40;

/// A limit of AWS or of ONNX Runtime that the model is beyond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct BrokenLimit {
    /// The limit's name, with its unit.
    pub(super) limit: &'static str,
    /// What the model needs.
    pub(super) actual: u64,
    /// What there is.
    pub(super) max: u64,
    /// The same for a person.
    pub(super) message: String,
}

/// The document `gwtf.model/v1`.
pub(super) fn document(facts: &Facts) -> Value {
    let opsets = facts.opsets.iter();
    let metadata = facts.metadata.iter();
    json!({
        "schema": "gwtf.model/v1",
        "file": facts.path.as_ref().map(|path| path.display().to_string()),
        "size_bytes": facts.size_bytes,
        "producer": { "name": facts.producer_name, "version": facts.producer_version },
        "ir_version": facts.ir_version,
        "opsets": opsets
            .map(|opset| json!({ "domain": opset.domain, "version": opset.version }))
            .collect::<Vec<_>>(),
        "graph": facts.graph_name,
        "inputs": facts.signature.inputs,
        "outputs": facts.signature.outputs,
        "parameters": { "count": facts.parameters.count, "bytes": facts.parameters.bytes },
        "nodes": {
            "count": facts.nodes.count,
            "by_operator": facts.nodes.by_operator,
            "other": facts.nodes.other,
        },
        "external_data": external_files(facts)
            .into_iter()
            .map(|(location, file)| {
                json!({ "location": location, "tensors": file.tensors, "bytes": file.bytes })
            })
            .collect::<Vec<_>>(),
        "metadata": metadata
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect::<Vec<_>>(),
        "metadata_left_out": facts.metadata_left_out,
        "memory_estimate_bytes": memory_estimate_bytes(facts),
        "limits_broken": limits_broken(facts),
    })
}

/// The same for a person, in this many columns.
pub(super) fn render_text(facts: &Facts, columns: usize) -> String {
    let columns = columns.max(COLUMNS_MIN);
    let rows = about_rows(facts).into_iter().map(|(what, text)| [what.into(), printable(&text)]);
    let about = table(columns, rows);
    let sides = [("input", &facts.signature.inputs), ("output", &facts.signature.outputs)];
    let rows = sides.into_iter().flat_map(|(side, specs)| {
        specs.iter().map(move |spec| {
            [side.to_owned(), spec.name.clone(), spec.dtype.to_string(), shape_text(spec)]
        })
    });
    let header = ["", "name", "type", "shape"].map(str::to_owned);
    let tensors = table(columns, std::iter::once(header).chain(rows));
    let broken = limits_broken(facts);
    let beyond = table(columns, broken.into_iter().map(|limit| ["beyond".into(), limit.message]));
    let parts = [about, tensors, beyond];
    let parts = parts.iter().filter(|part| !part.is_empty()).map(|part| format!("{part}\n"));
    parts.collect::<Vec<_>>().join("\n")
}

/// An estimate of the memory that a process serving the model takes while its session is made.
///
/// 64 MiB for the process and ONNX Runtime, weights in the file twice (the file's message and the
/// session's copies of them are there together) and external weights once and a quarter. Measured
/// on ONNX Runtime 1.32 with 200 MiB of weights: 1.5 to 1.7 times the weights in the file, 1.2
/// times external ones. What the operators need while they run is not in it, nor weights that the
/// graph makes when it is loaded.
pub(super) fn memory_estimate_bytes(facts: &Facts) -> u64 {
    let external: u64 =
        facts.external_data.iter().fold(0, |sum, tensor| sum.saturating_add(tensor.length_bytes));
    let inside = facts.parameters.bytes.saturating_sub(external);
    MEMORY_BASE_BYTES
        .saturating_add(inside.saturating_mul(2))
        .saturating_add(external.saturating_add(external / 4))
}

/// Every limit that the model is beyond.
pub(super) fn limits_broken(facts: &Facts) -> Vec<BrokenLimit> {
    let mut broken: Vec<BrokenLimit> =
        check_runtime(facts).err().map(too_new).into_iter().collect();
    let external = external_files(facts);
    let package_bytes =
        external.values().fold(PACKAGE_BASE_BYTES.saturating_add(facts.size_bytes), |sum, file| {
            sum.saturating_add(file.file_bytes_min)
        });
    let request_bytes = payload_bytes_min(&facts.signature.inputs);
    let reply_bytes = payload_bytes_min(&facts.signature.outputs);
    let event_bytes_max = limits::LAMBDA_PAYLOAD_BYTES_MAX as u64;
    let memory_bytes_max = limits::LAMBDA_MEMORY_MIB_MAX << 20;
    let checks = [
        (
            "lambda_unzipped_bytes",
            package_bytes,
            limits::LAMBDA_UNZIPPED_BYTES_MAX,
            "a Lambda zip with the runtime, unzipped",
        ),
        (
            "lambda_image_bytes",
            package_bytes,
            limits::LAMBDA_IMAGE_BYTES_MAX,
            "a Lambda container image",
        ),
        (
            "lambda_memory_bytes",
            memory_estimate_bytes(facts),
            memory_bytes_max,
            "a Lambda function's memory",
        ),
        (
            "gateway_request_bytes",
            request_bytes,
            limits::PAYLOAD_BYTES_MAX as u64,
            "one request of one instance, in binary",
        ),
        (
            "gateway_reply_bytes",
            reply_bytes,
            limits::PAYLOAD_BYTES_MAX as u64,
            "one reply to one instance, in binary",
        ),
        (
            "lambda_request_bytes",
            base64_bytes(request_bytes),
            event_bytes_max,
            "one request of one instance in a Lambda event, in base64",
        ),
        (
            "lambda_reply_bytes",
            base64_bytes(reply_bytes),
            event_bytes_max,
            "one reply to one instance from Lambda, in base64",
        ),
    ];
    for (limit, actual, max, what) in checks {
        if actual > max {
            let message =
                format!("{what}: {} needed, {} allowed", size_text(actual), size_text(max));
            broken.push(BrokenLimit { limit, actual, max, message });
        }
    }
    broken
}

fn too_new(unsupported: Unsupported) -> BrokenLimit {
    let (limit, version, max) = match &unsupported {
        Unsupported::Ir { version, max } => ("onnx_runtime_ir_version", *version, *max),
        Unsupported::Opset { version, max, .. } => ("onnx_runtime_opset", *version, *max),
    };
    BrokenLimit {
        limit,
        // Above a positive maximum, so positive.
        actual: version.unsigned_abs(),
        max: max.unsigned_abs(),
        message: unsupported.to_string(),
    }
}

/// Bytes of these tensors in binary, with every open dimension one; strings count nothing.
fn payload_bytes_min(specs: &[TensorSpec]) -> u64 {
    let bytes = |spec: &TensorSpec| {
        let sizes = spec.shape.iter().flatten().map(|dim| match dim {
            Dim::Fixed(size) => *size as u64,
            Dim::Symbol(_) | Dim::Unknown => 1,
        });
        let element = spec.dtype.size_bytes().unwrap_or(0) as u64;
        sizes.fold(element, u64::saturating_mul)
    };
    specs.iter().map(bytes).fold(0, u64::saturating_add)
}

fn base64_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(3).saturating_mul(4)
}

/// One external file as far as the model tells.
#[derive(Default)]
struct ExternalFile {
    tensors: u64,
    bytes: u64,
    file_bytes_min: u64,
}

fn external_files(facts: &Facts) -> BTreeMap<&str, ExternalFile> {
    let mut files: BTreeMap<&str, ExternalFile> = BTreeMap::new();
    for tensor in &facts.external_data {
        let file = files.entry(tensor.location.as_str()).or_default();
        file.tensors += 1;
        file.bytes = file.bytes.saturating_add(tensor.length_bytes);
        let end = tensor.offset_bytes.saturating_add(tensor.length_bytes);
        file.file_bytes_min = file.file_bytes_min.max(end);
    }
    files
}

fn about_rows(facts: &Facts) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(path) = &facts.path {
        rows.push(("file", path.display().to_string()));
    }
    rows.push(("size", size_text(facts.size_bytes)));
    let producer = format!("{} {}", facts.producer_name, facts.producer_version);
    if !producer.trim().is_empty() {
        rows.push(("producer", producer.trim().to_owned()));
    }
    let opsets = facts.opsets.iter().map(|opset| format!("{} {}", opset.domain, opset.version));
    rows.push(("opsets", opsets.collect::<Vec<_>>().join(", ")));
    rows.push(("IR version", facts.ir_version.to_string()));
    rows.push((
        "parameters",
        format!("{} ({})", grouped(facts.parameters.count), size_text(facts.parameters.bytes)),
    ));
    for (location, file) in external_files(facts) {
        let text = format!("{location}: {} tensors, {}", file.tensors, size_text(file.bytes));
        rows.push(("external data", text));
    }
    rows.push(("nodes", nodes_text(facts)));
    for (key, value) in &facts.metadata {
        rows.push(("metadata", format!("{key} = {}", front(value, METADATA_CHARS_SHOWN))));
    }
    if facts.metadata_left_out > 0 {
        rows.push(("metadata", format!("and {} more", facts.metadata_left_out)));
    }
    rows.push(("memory", format!("about {}", size_text(memory_estimate_bytes(facts)))));
    rows
}

/// `105: Conv×26, Relu×26, …`, the most frequent first.
fn nodes_text(facts: &Facts) -> String {
    let mut operators: Vec<(&str, u64)> =
        facts.nodes.by_operator.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    operators.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let shown = operators.iter().take(OPERATORS_SHOWN);
    let mut texts: Vec<String> = shown.map(|(name, count)| format!("{name}×{count}")).collect();
    let others: u64 = operators.iter().skip(OPERATORS_SHOWN).map(|(_, count)| count).sum();
    if others + facts.nodes.other > 0 {
        texts.push(format!("others×{}", others + facts.nodes.other));
    }
    format!("{}: {}", grouped(facts.nodes.count), texts.join(", "))
}

fn shape_text(spec: &TensorSpec) -> String {
    match spec.shape.as_deref() {
        None => "any".into(),
        Some([]) => "scalar".into(),
        Some(dims) => {
            let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
            format!("[{}]", dims.join(", "))
        }
    }
}

/// Rows in aligned columns without lines, wrapped to so many columns of the terminal.
fn table<const N: usize>(columns: usize, rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(columns).unwrap_or(u16::MAX))
        .add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Text from a file, without what would move a terminal's cursor or change its colours.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The text, or so many characters of it.
fn front(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// `912 B`, `2.1 MiB`.
fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut size, mut unit) = (bytes as f64 / 1024.0, 0);
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// `25,557,032`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
