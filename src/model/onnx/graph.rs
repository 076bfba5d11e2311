//! Graphs: what they declare, and what their nodes, subgraphs and weights add up to.
//!
//! The main graph is walked twice. The first walk keeps its declarations; the second counts
//! everything else and strikes out the declared inputs that have a value in the file, whose names
//! then need not be kept for each of thousands of weights.

use super::error::{FormatError, Role};
use super::limits::{
    GRAPH_DEPTH_MAX, INITIALIZERS_MAX, INPUTS_MAX, NODES_MAX, OPERATORS_MAX, OUTPUTS_MAX,
    TEXT_BYTES_MAX,
};
use super::tensor::{ExternalTensor, TensorFacts, read_tensor};
use super::value_info::{Declared, read_value_info};
use super::wire::{Span, Wire};
use super::{Nodes, Parameters};
use crate::model::signature::{Signature, TensorSpec};
use std::collections::HashSet;
use std::io::{Read, Seek};

/// What an external tensor keeps besides its text, for the account of kept bytes.
const KEPT_OVERHEAD_BYTES: usize = 96;

/// What the main graph declares.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    pub(super) name: String,
    inputs: Vec<Declared>,
    outputs: Vec<Declared>,
}

/// What all graphs and functions add up to.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) nodes: Nodes,
    pub(super) parameters: Parameters,
    pub(super) external: Vec<ExternalTensor>,
    initializers: u64,
}

impl Declarations {
    /// The first walk over the main graph.
    pub(super) fn read<R: Read + Seek>(
        wire: &mut Wire<R>,
        graph: Span,
    ) -> Result<Self, FormatError> {
        let (mut declarations, mut rest) = (Self::default(), graph);
        while let Some(field) = wire.next(&mut rest)? {
            let (list, what, max) = match field.number {
                2 => {
                    declarations.name = wire.text(field.bytes()?, TEXT_BYTES_MAX)?;
                    continue;
                }
                11 => (&mut declarations.inputs, "number of inputs", INPUTS_MAX),
                12 => (&mut declarations.outputs, "number of outputs", OUTPUTS_MAX),
                _ => continue,
            };
            if list.len() == max {
                return Err(FormatError::OverLimit { what, limit: max as u64 });
            }
            list.push(read_value_info(wire, field.bytes()?)?);
        }
        Ok(declarations)
    }

    /// The second walk: counts into `totals` and makes the signature of what remains to be given.
    pub(super) fn count<R: Read + Seek>(
        self,
        wire: &mut Wire<R>,
        graph: Span,
        totals: &mut Totals,
    ) -> Result<Signature, FormatError> {
        let mut with_value = HashSet::new();
        let declared: HashSet<&str> = self.inputs.iter().map(|input| input.name.as_str()).collect();
        totals.graph(wire, graph, 0, &mut |name| {
            if let Some(name) = declared.get(name) {
                with_value.insert(*name);
            }
        })?;
        let with_value: HashSet<String> = with_value.into_iter().map(str::to_owned).collect();
        let to_give = self.inputs.into_iter().filter(|input| !with_value.contains(&input.name));
        let signature = Signature {
            inputs: serve(to_give, Role::Input, graph)?,
            outputs: serve(self.outputs.into_iter(), Role::Output, graph)?,
        };
        if signature.outputs.is_empty() {
            return Err(FormatError::Missing("outputs"));
        }
        Ok(signature)
    }
}

/// The declarations as specs, each name once.
fn serve(
    declared: impl Iterator<Item = Declared>,
    role: Role,
    graph: Span,
) -> Result<Vec<TensorSpec>, FormatError> {
    let mut seen = HashSet::new();
    declared
        .map(|declared| {
            if seen.insert(declared.name.clone()) {
                declared.serve(role)
            } else {
                let what = format!("{role} `{}` is declared twice", declared.name);
                Err(FormatError::corrupted(graph.at(), what))
            }
        })
        .collect()
}

impl Totals {
    /// Counts a graph; `see` gets the name of each value that the graph itself has.
    fn graph<R: Read + Seek>(
        &mut self,
        wire: &mut Wire<R>,
        graph: Span,
        depth: usize,
        see: &mut dyn FnMut(&str),
    ) -> Result<(), FormatError> {
        if depth > GRAPH_DEPTH_MAX {
            return Err(FormatError::OverLimit {
                what: "depth of nested graphs",
                limit: GRAPH_DEPTH_MAX as u64,
            });
        }
        let mut rest = graph;
        while let Some(field) = wire.next(&mut rest)? {
            match field.number {
                1 => self.node(wire, field.bytes()?, depth)?,
                5 => {
                    self.count_initializer()?;
                    let tensor = read_tensor(wire, field.bytes()?)?;
                    see(&tensor.name);
                    self.tensor(wire, tensor)?;
                }
                15 => {
                    self.count_initializer()?;
                    see(&self.sparse_tensor(wire, field.bytes()?)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Counts the nodes of a `FunctionProto`'s body.
    pub(super) fn function<R: Read + Seek>(
        &mut self,
        wire: &mut Wire<R>,
        function: Span,
    ) -> Result<(), FormatError> {
        let mut rest = function;
        while let Some(field) = wire.next(&mut rest)? {
            if field.number == 7 {
                self.node(wire, field.bytes()?, 0)?;
            }
        }
        Ok(())
    }

    fn node<R: Read + Seek>(
        &mut self,
        wire: &mut Wire<R>,
        node: Span,
        depth: usize,
    ) -> Result<(), FormatError> {
        self.nodes.count += 1;
        if self.nodes.count > NODES_MAX {
            return Err(FormatError::OverLimit { what: "number of nodes", limit: NODES_MAX });
        }
        let (mut operator, mut domain, mut rest) = (String::new(), String::new(), node);
        while let Some(field) = wire.next(&mut rest)? {
            match field.number {
                4 => operator = wire.name(field.bytes()?)?,
                5 => self.attribute(wire, field.bytes()?, depth)?,
                7 => domain = wire.name(field.bytes()?)?,
                _ => {}
            }
        }
        if operator.is_empty() {
            return Err(FormatError::corrupted(node.at(), "a node without an operator"));
        }
        if !matches!(domain.as_str(), "" | "ai.onnx") {
            operator = format!("{domain}.{operator}");
        }
        self.nodes.count_operator(operator);
        Ok(())
    }

    /// Weights and subgraphs also stand in attributes: of `Constant`, `If`, `Loop` and `Scan`.
    fn attribute<R: Read + Seek>(
        &mut self,
        wire: &mut Wire<R>,
        attribute: Span,
        depth: usize,
    ) -> Result<(), FormatError> {
        let mut rest = attribute;
        while let Some(field) = wire.next(&mut rest)? {
            match field.number {
                5 | 10 => {
                    let tensor = read_tensor(wire, field.bytes()?)?;
                    self.tensor(wire, tensor)?;
                }
                6 | 11 => self.graph(wire, field.bytes()?, depth + 1, &mut |_| {})?,
                22 | 23 => {
                    self.sparse_tensor(wire, field.bytes()?)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Counts a sparse tensor's values; returns their name, which is the tensor's.
    fn sparse_tensor<R: Read + Seek>(
        &mut self,
        wire: &mut Wire<R>,
        sparse: Span,
    ) -> Result<String, FormatError> {
        let (mut name, mut rest) = (String::new(), sparse);
        while let Some(field) = wire.next(&mut rest)? {
            if field.number == 1 {
                let values = read_tensor(wire, field.bytes()?)?;
                name.clone_from(&values.name);
                self.tensor(wire, values)?;
            }
        }
        Ok(name)
    }

    fn tensor<R: Read + Seek>(
        &mut self,
        wire: &mut Wire<R>,
        tensor: TensorFacts,
    ) -> Result<(), FormatError> {
        // Both sums stay below 2^64: elements are held to bytes in the file, or else external, and
        // a hostile file can only make them meet the ceiling.
        self.parameters.count = self.parameters.count.saturating_add(tensor.elements);
        self.parameters.bytes = self.parameters.bytes.saturating_add(tensor.bytes);
        if let Some(external) = tensor.external {
            let text_bytes = external.tensor.len() + external.location.len();
            wire.charge(text_bytes + KEPT_OVERHEAD_BYTES)?;
            self.external.push(external);
        }
        Ok(())
    }

    fn count_initializer(&mut self) -> Result<(), FormatError> {
        self.initializers += 1;
        if self.initializers > INITIALIZERS_MAX {
            return Err(FormatError::OverLimit {
                what: "number of initializers",
                limit: INITIALIZERS_MAX,
            });
        }
        Ok(())
    }
}

impl Nodes {
    fn count_operator(&mut self, operator: String) {
        if let Some(count) = self.by_operator.get_mut(&operator) {
            *count += 1;
        } else if self.by_operator.len() < OPERATORS_MAX {
            self.by_operator.insert(operator, 1);
        } else {
            self.other += 1;
        }
    }
}
