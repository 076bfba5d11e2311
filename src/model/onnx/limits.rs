//! What the reader refuses to go beyond, so that no file costs more than a few megabytes of memory
//! or a few seconds; each is far above what published models hold.

/// Largest model file: protobuf's own limit on one message (2 GiB less one byte). Larger models
/// keep their weights as external data.
pub const FILE_BYTES_MAX: u64 = (1 << 31) - 1;
/// Inputs that a graph may declare, initializers included.
pub const INPUTS_MAX: usize = 16_384;
/// Outputs that a graph may declare.
pub const OUTPUTS_MAX: usize = 1_024;
/// Dimensions of one tensor.
pub const RANK_MAX: usize = 64;
/// Initializers of all graphs together.
pub const INITIALIZERS_MAX: u64 = 500_000;
/// Nodes of all graphs and functions together.
pub const NODES_MAX: u64 = 500_000;
/// Graphs within graphs (the branches of `If`, the body of `Loop`); protobuf itself stops at 100
/// nested messages, of which each such graph is three.
pub const GRAPH_DEPTH_MAX: usize = 32;
/// Operator sets that a model may import.
pub const OPSETS_MAX: usize = 64;
/// Kinds of operators counted by name; nodes of further kinds are counted together.
pub const OPERATORS_MAX: usize = 512;
/// Length of one name: of an input, a dimension, an operator, an external file.
pub const NAME_BYTES_MAX: u64 = 4_096;
/// Metadata entries that are kept; further ones are counted.
pub const METADATA_ENTRIES_MAX: usize = 64;
/// Kept front of a metadata value and of other descriptive text.
pub const TEXT_BYTES_MAX: u64 = 1_024;
/// Entries that say where one tensor's external data lie.
pub const EXTERNAL_ENTRIES_MAX: usize = 16;
/// Names, shapes and external locations that are kept, together.
pub const KEPT_BYTES_MAX: u64 = 4 << 20;
/// Fields of all messages together, which bounds the time.
pub const FIELDS_MAX: u64 = 1 << 27;
/// Bytes of the file held at any moment.
pub(super) const WINDOW_BYTES: usize = 16 << 10;
