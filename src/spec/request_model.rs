//! Request models (JSON Schema draft 4) made from a model's signature.
