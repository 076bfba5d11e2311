//! The outermost message: a `ModelProto`.

use super::error::FormatError;
use super::foreign;
use super::graph::{Declarations, Totals};
use super::limits::{METADATA_ENTRIES_MAX, OPSETS_MAX, TEXT_BYTES_MAX};
use super::wire::{Span, Wire};
use super::{Facts, Opset};
use std::io::{Read, Seek};

/// The fields beside the graph.
#[derive(Default)]
struct Head {
    ir_version: Option<i64>,
    producer_name: String,
    producer_name_bytes: u64,
    producer_version: String,
    opsets: Vec<Opset>,
    metadata: Vec<(String, String)>,
    metadata_left_out: u64,
    graph: Option<Span>,
}

/// Reads the whole file.
pub(super) fn read_model<R: Read + Seek>(wire: &mut Wire<R>) -> Result<Facts, FormatError> {
    let mut totals = Totals::default();
    let head = read_head(wire, &mut totals)?;
    let Some(graph) = head.graph else {
        // A `saved_model.pb` is a version and one large message where the producer's name would be.
        let saved_model = head.producer_name_bytes > TEXT_BYTES_MAX;
        return Err(if saved_model {
            FormatError::NotOnnx(&foreign::SAVED_MODEL)
        } else {
            FormatError::Missing("graph")
        });
    };
    let ir_version = head.ir_version.ok_or(FormatError::Missing("IR version"))?;
    if head.opsets.is_empty() {
        return Err(FormatError::Missing("operator set"));
    }
    let declarations = Declarations::read(wire, graph)?;
    let graph_name = declarations.name.clone();
    let signature = declarations.count(wire, graph, &mut totals)?;
    Ok(Facts {
        path: None,
        size_bytes: wire.whole().len(),
        producer_name: head.producer_name,
        producer_version: head.producer_version,
        ir_version,
        opsets: head.opsets,
        graph_name,
        signature,
        parameters: totals.parameters,
        nodes: totals.nodes,
        external_data: totals.external,
        metadata: head.metadata,
        metadata_left_out: head.metadata_left_out,
    })
}

fn read_head<R: Read + Seek>(wire: &mut Wire<R>, totals: &mut Totals) -> Result<Head, FormatError> {
    let (mut head, mut rest) = (Head::default(), wire.whole());
    while let Some(field) = wire.next(&mut rest)? {
        match field.number {
            1 => head.ir_version = Some(field.int64()?),
            2 => {
                let span = field.bytes()?;
                head.producer_name_bytes = span.len();
                head.producer_name = wire.text(span, TEXT_BYTES_MAX)?;
            }
            3 => head.producer_version = wire.text(field.bytes()?, TEXT_BYTES_MAX)?,
            7 => {
                let graph = field.bytes()?;
                if head.graph.replace(graph).is_some() {
                    return Err(FormatError::corrupted(graph.at(), "a second main graph"));
                }
            }
            8 => {
                if head.opsets.len() == OPSETS_MAX {
                    return Err(FormatError::OverLimit {
                        what: "number of operator sets",
                        limit: OPSETS_MAX as u64,
                    });
                }
                head.opsets.push(read_opset(wire, field.bytes()?)?);
            }
            14 if head.metadata.len() == METADATA_ENTRIES_MAX => head.metadata_left_out += 1,
            14 => head.metadata.push(read_metadata(wire, field.bytes()?)?),
            25 => totals.function(wire, field.bytes()?)?,
            _ => {}
        }
    }
    Ok(head)
}

fn read_opset<R: Read + Seek>(wire: &mut Wire<R>, message: Span) -> Result<Opset, FormatError> {
    let (mut opset, mut rest) = (Opset { domain: String::new(), version: 0 }, message);
    while let Some(field) = wire.next(&mut rest)? {
        match field.number {
            1 => opset.domain = wire.name(field.bytes()?)?,
            2 => opset.version = field.int64()?,
            _ => {}
        }
    }
    if opset.domain.is_empty() {
        opset.domain = "ai.onnx".into();
    }
    Ok(opset)
}

fn read_metadata<R: Read + Seek>(
    wire: &mut Wire<R>,
    message: Span,
) -> Result<(String, String), FormatError> {
    let (mut key, mut value, mut rest) = (String::new(), String::new(), message);
    while let Some(field) = wire.next(&mut rest)? {
        match field.number {
            1 => key = wire.text(field.bytes()?, TEXT_BYTES_MAX)?,
            2 => value = wire.text(field.bytes()?, TEXT_BYTES_MAX)?,
            _ => {}
        }
    }
    Ok((key, value))
}
