//! Any bytes as a model file: the reader gives facts or an error, and what is made of the facts
//! (text, document, signature comparison, samples) copes with whatever they say.

#![no_main]

use gwtf::cli::inspect;
use gwtf::model::onnx::{check_runtime, facts_from_bytes};
use gwtf::model::sample::{Options, sample_inputs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let facts = match facts_from_bytes(bytes) {
        Ok(facts) => facts,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let _ = check_runtime(&facts);
    let _ = inspect::document(&facts);
    let _ = inspect::render_text(&facts, 80);
    assert_eq!(facts.signature.breaking_changes(&facts.signature), Vec::<String>::new());
    let _ = sample_inputs(&facts.signature, 0, &Options::default());
});
