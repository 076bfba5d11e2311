//! Facts read from an ONNX file: a bounded reader of the protobuf wire format.
