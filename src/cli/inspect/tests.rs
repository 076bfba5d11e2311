use super::*;
use crate::model::onnx::{ExternalTensor, Nodes, Opset, Parameters};
use crate::model::{DType, Signature};

fn spec(name: &str, dtype: DType, shape: Option<Vec<Dim>>) -> TensorSpec {
    TensorSpec { name: name.into(), dtype, shape }
}

/// Facts with something in every field.
fn facts() -> Facts {
    let external = |tensor: &str, offset_bytes, length_bytes| ExternalTensor {
        tensor: tensor.into(),
        location: "weights.bin".into(),
        offset_bytes,
        length_bytes,
    };
    let batch = Dim::Symbol("batch".into());
    let operators = ["Add", "Cast", "Concat", "Conv", "Div", "Exp", "Gather", "Gemm", "If", "Mul"];
    let operators = operators.iter().chain(&["Relu", "Slice", "Sqrt", "com.microsoft.FusedConv"]);
    let by_operator: BTreeMap<String, u64> =
        operators.zip(1..).map(|(name, count)| ((*name).to_owned(), count)).collect();
    Facts {
        path: Some("models/iris/model.onnx".into()),
        size_bytes: 4_321_000,
        producer_name: "pytorch".into(),
        producer_version: "2.9.0".into(),
        ir_version: 10,
        opsets: vec![
            Opset { domain: "ai.onnx".into(), version: 21 },
            Opset { domain: "com.microsoft".into(), version: 1 },
        ],
        graph_name: "main_graph".into(),
        signature: Signature {
            inputs: vec![
                spec("features", DType::Float32, Some(vec![batch.clone(), Dim::Fixed(4)])),
                spec("rate", DType::Int64, Some(vec![])),
                spec("extra", DType::String, None),
            ],
            outputs: vec![spec("y", DType::Float16, Some(vec![batch, Dim::Unknown]))],
        },
        parameters: Parameters { count: 1_234_567, bytes: 4_938_268 },
        nodes: Nodes { count: 107, by_operator, other: 2 },
        external_data: vec![external("w", 0, 600_000), external("b", 700_000, 18_268)],
        metadata: vec![("author".into(), "me\x1b[31m\nand you".into())],
        metadata_left_out: 3,
    }
}

#[test]
fn the_document_has_every_fact() {
    let expected = json!({
        "schema": "gwtf.model/v1",
        "file": "models/iris/model.onnx",
        "size_bytes": 4_321_000,
        "producer": { "name": "pytorch", "version": "2.9.0" },
        "ir_version": 10,
        "opsets": [
            { "domain": "ai.onnx", "version": 21 },
            { "domain": "com.microsoft", "version": 1 },
        ],
        "graph": "main_graph",
        "inputs": [
            { "name": "features", "dtype": "float32", "shape": ["batch", 4] },
            { "name": "rate", "dtype": "int64", "shape": [] },
            { "name": "extra", "dtype": "string", "shape": null },
        ],
        "outputs": [{ "name": "y", "dtype": "float16", "shape": ["batch", null] }],
        "parameters": { "count": 1_234_567, "bytes": 4_938_268 },
        "nodes": {
            "count": 107,
            "by_operator": {
                "Add": 1, "Cast": 2, "Concat": 3, "Conv": 4, "Div": 5, "Exp": 6, "Gather": 7,
                "Gemm": 8, "If": 9, "Mul": 10, "Relu": 11, "Slice": 12, "Sqrt": 13,
                "com.microsoft.FusedConv": 14,
            },
            "other": 2,
        },
        "external_data": [{ "location": "weights.bin", "tensors": 2, "bytes": 618_268 }],
        "metadata": [{ "key": "author", "value": "me\u{1b}[31m\nand you" }],
        "metadata_left_out": 3,
        // 64 MiB, 4,320,000 bytes twice, 618,268 bytes once and a quarter.
        "memory_estimate_bytes": (64 << 20) + 8_640_000 + 772_835,
        "limits_broken": [],
    });
    assert_eq!(document(&facts()), expected);
}

const AT_80_COLUMNS: &str = "
file           models/iris/model.onnx
size           4.1 MiB
producer       pytorch 2.9.0
opsets         ai.onnx 21, com.microsoft 1
IR version     10
parameters     1,234,567 (4.7 MiB)
external data  weights.bin: 2 tensors, 603.8 KiB
nodes          107: com.microsoft.FusedConv×14, Sqrt×13, Slice×12, Relu×11,
               Mul×10, If×9, Gemm×8, Gather×7, Exp×6, Div×5, Conv×4, Concat×3,
               others×5
metadata       author = me [31m and you
metadata       and 3 more
memory         about 73.0 MiB

        name      type     shape
input   features  float32  [batch, 4]
input   rate      int64    scalar
input   extra     string   any
output  y         float16  [batch, ?]
";

const AT_160_COLUMNS: &str = "
file           models/iris/model.onnx
size           4.1 MiB
producer       pytorch 2.9.0
opsets         ai.onnx 21, com.microsoft 1
IR version     10
parameters     1,234,567 (4.7 MiB)
external data  weights.bin: 2 tensors, 603.8 KiB
nodes          107: com.microsoft.FusedConv×14, Sqrt×13, Slice×12, Relu×11, Mul×10, If×9, Gemm×8, Gather×7, Exp×6, Div×5, Conv×4, Concat×3, others×5
metadata       author = me [31m and you
metadata       and 3 more
memory         about 73.0 MiB

        name      type     shape
input   features  float32  [batch, 4]
input   rate      int64    scalar
input   extra     string   any
output  y         float16  [batch, ?]
";

#[test]
fn the_text_fits_the_terminal() {
    for (columns, expected) in [(80, AT_80_COLUMNS), (160, AT_160_COLUMNS)] {
        assert_eq!(render_text(&facts(), columns), expected.trim_start_matches('\n'));
    }
    for columns in [COLUMNS_MIN, 57, 80, 99] {
        let text = render_text(&facts(), columns);
        assert!(text.lines().all(|line| line.chars().count() <= columns), "{columns}:\n{text}");
    }
    assert_eq!(render_text(&facts(), 0), render_text(&facts(), COLUMNS_MIN));
}

#[test]
fn facts_that_are_not_there_are_not_shown() {
    let bare = Facts {
        path: None,
        producer_name: String::new(),
        producer_version: String::new(),
        external_data: Vec::new(),
        metadata: Vec::new(),
        metadata_left_out: 0,
        ..facts()
    };
    let text = render_text(&bare, 80);
    for word in ["file", "producer", "external", "metadata", "beyond"] {
        assert!(!text.contains(word), "{word}:\n{text}");
    }
    assert_eq!(document(&bare)["file"], Value::Null);
}

/// A change to the facts and the limits that it breaks.
type Case = (fn(&mut Facts), &'static [(&'static str, u64, u64)]);

#[test]
fn limits_are_held_at_their_edges() {
    fn image(facts: &mut Facts, side: usize) {
        let dims = [1, 3, side, side].map(Dim::Fixed);
        facts.signature.inputs = vec![spec("image", DType::Float32, Some(dims.to_vec()))];
    }
    let cases: [Case; 9] = [
        (|_| {}, &[]),
        (|facts| facts.size_bytes = 211_425_732, &[]),
        (
            |facts| facts.size_bytes = 211_425_733,
            &[("lambda_unzipped_bytes", 262_144_001, 262_144_000)],
        ),
        // 4,717,548 and 4,732,608 bytes, a third more in base64.
        (|facts| image(facts, 627), &[]),
        (|facts| image(facts, 628), &[("lambda_request_bytes", 6_310_144, 6_291_556)]),
        (
            |facts| image(facts, 935),
            &[
                ("gateway_request_bytes", 10_490_700, 10_485_760),
                ("lambda_request_bytes", 13_987_600, 6_291_556),
            ],
        ),
        (
            |facts| facts.parameters.bytes = 6 << 30,
            &[("lambda_memory_bytes", (64 << 20) + (12 << 30) - 2 * 618_268 + 772_835, 10 << 30)],
        ),
        (|facts| facts.opsets[0].version = 29, &[("onnx_runtime_opset", 29, 28)]),
        (|facts| facts.ir_version = 15, &[("onnx_runtime_ir_version", 15, 14)]),
    ];
    for (change, expected) in cases {
        let mut facts = facts();
        change(&mut facts);
        let broken = limits_broken(&facts);
        let found: Vec<_> = broken.iter().map(|b| (b.limit, b.actual, b.max)).collect();
        assert_eq!(found, expected);
        assert_eq!(render_text(&facts, 160).matches("beyond").count(), expected.len());
    }
}

#[test]
fn hostile_sizes_do_not_overflow() {
    let mut facts = facts();
    facts.size_bytes = u64::MAX;
    facts.parameters.bytes = u64::MAX;
    facts.external_data[0].length_bytes = u64::MAX;
    facts.signature.outputs[0].shape = Some(vec![Dim::Fixed(usize::MAX); 3]);
    let names: Vec<_> = limits_broken(&facts).iter().map(|broken| broken.limit).collect();
    let expected = [
        "lambda_unzipped_bytes",
        "lambda_image_bytes",
        "lambda_memory_bytes",
        "gateway_reply_bytes",
        "lambda_reply_bytes",
    ];
    assert_eq!(names, expected);
}

#[test]
fn numbers_read_well() {
    for (bytes, text) in [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_024, "1.0 KiB"),
        (1_048_575, "1.0 MiB"),
        (262_144_000, "250.0 MiB"),
        (u64::MAX, "16.0 EiB"),
    ] {
        assert_eq!(size_text(bytes), text);
    }
    for (text, shown) in [("", ""), ("abc", "abc"), ("äöüß", "äöü…")] {
        assert_eq!(front(text, 3), shown);
    }
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(grouped(number), text);
    }
}
