//! ONNX Runtime: finding the library, sessions, the pool. The only namer of `ort`.
