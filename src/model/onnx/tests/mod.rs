//! The reader against models built byte by byte; `tests/it/model.rs` has whole files.

mod encode;
mod hostile;

use super::runtime_support::OPSETS;
use super::*;
use crate::model::dtype::DType;
use crate::model::signature::Dim;
use encode::{
    attribute, external, graph, initializer, input, model, node, number, output, packed, tensor,
    tensor_type, text, value_info, wrap,
};

/// The facts of a model that must have some.
fn facts(bytes: &[u8]) -> Facts {
    facts_from_bytes(bytes).unwrap_or_else(|error| panic!("{error}"))
}

/// The message of a model that must be refused.
fn refusal(bytes: &[u8]) -> String {
    facts_from_bytes(bytes).expect_err("the model is refused").to_string()
}

#[test]
fn the_head_is_read() {
    let opset = wrap(8, &[text(1, "ai.onnx.ml"), number(2, 3)].concat());
    let metadata = wrap(14, &[text(1, "task"), text(2, "detect")].concat());
    let extra = [text(2, "maker"), text(3, "1.5"), opset, metadata, text(6, "ignored")].concat();
    let facts = facts(&[model(&graph(&[text(2, "main")])), extra].concat());
    assert_eq!((facts.producer_name.as_str(), facts.producer_version.as_str()), ("maker", "1.5"));
    assert_eq!((facts.ir_version, facts.graph_name.as_str()), (8, "main"));
    let opsets: Vec<_> = facts.opsets.iter().map(|o| (o.domain.as_str(), o.version)).collect();
    assert_eq!(opsets, [("ai.onnx", 17), ("ai.onnx.ml", 3)]);
    assert_eq!(facts.metadata, [("task".to_owned(), "detect".to_owned())]);
    assert_eq!(facts.path, None);
}

#[test]
fn shapes_are_read_as_onnx_runtime_reads_them() {
    let dim = |bytes: &[u8]| wrap(1, bytes);
    let shape = |dims: &[u8]| wrap(2, dims);
    let cases = [
        (Vec::new(), None),
        (shape(&[]), Some(vec![])),
        (shape(&dim(&number(1, 4))), Some(vec![Dim::Fixed(4)])),
        (shape(&dim(&number(1, 0))), Some(vec![Dim::Fixed(0)])),
        (shape(&dim(&number(1, u64::MAX))), Some(vec![Dim::Unknown])),
        (shape(&dim(&text(2, "batch"))), Some(vec![Dim::Symbol("batch".into())])),
        (shape(&dim(&text(2, ""))), Some(vec![Dim::Unknown])),
        (shape(&dim(&text(3, "denotation"))), Some(vec![Dim::Unknown])),
        (
            shape(&[dim(&text(2, "N")), dim(&[]), dim(&number(1, 3))].concat()),
            Some(vec![Dim::Symbol("N".into()), Dim::Unknown, Dim::Fixed(3)]),
        ),
    ];
    for (shape, expected) in cases {
        let declared = input("x", &tensor_type(1, &shape));
        let facts = facts(&model(&graph(&[declared])));
        assert_eq!(facts.signature.inputs[0].shape, expected);
    }
}

#[test]
fn every_served_element_type_is_read() {
    for dtype in DType::all() {
        let code = (0..40).find(|code| DType::from_onnx(*code) == Some(dtype)).unwrap();
        let declared = input("x", &tensor_type(u64::try_from(code).unwrap(), &[]));
        assert_eq!(facts(&model(&graph(&[declared]))).signature.inputs[0].dtype, dtype);
    }
}

#[test]
fn inputs_with_a_value_are_not_asked_for() {
    let float = tensor_type(1, &[]);
    let weight = initializer(&tensor("w", 1, &[1], &wrap(9, &[0; 4])));
    let sparse = wrap(15, &wrap(1, &tensor("s", 1, &[1], &wrap(9, &[0; 4]))));
    let declared = [input("w", &float), input("x", &float), input("s", &float)].concat();
    // Old files declare every weight, and the order of fields is free.
    for parts in [[declared.clone(), weight.clone(), sparse.clone()], [sparse, weight, declared]] {
        let facts = facts(&model(&graph(&parts)));
        let names: Vec<_> = facts.signature.inputs.iter().map(|spec| &spec.name).collect();
        assert_eq!(names, ["x"]);
    }
    // Even one of a type that could not be served.
    let unserved =
        [input("w", &tensor_type(14, &[])), initializer(&tensor("w", 14, &[1], &wrap(9, &[0; 8])))];
    assert_eq!(facts(&model(&graph(&unserved))).signature.inputs, []);
}

#[test]
fn what_no_request_carries_is_refused_by_name() {
    let of_kind = |number: u32| wrap(2, &wrap(number, &[]));
    let cases = [
        (input("x", &of_kind(4)), "input `x` is a sequence, and only tensors are served"),
        (output("p", &of_kind(5)), "output `p` is a map, and only tensors are served"),
        (input("x", &of_kind(7)), "input `x` is opaque, and only tensors are served"),
        (input("x", &of_kind(8)), "input `x` is a sparse tensor, and only tensors are served"),
        (input("x", &of_kind(9)), "input `x` is optional, and only tensors are served"),
        (
            input("x", &tensor_type(14, &[])),
            "input `x` has elements of type complex64, which is not served",
        ),
        (
            output("y2", &tensor_type(17, &[])),
            "output `y2` has elements of type float8e4m3fn, which is not served",
        ),
        (
            input("x", &tensor_type(1 << 40, &[])),
            "input `x` has elements of type unknown, which is not served",
        ),
        (input("x", &tensor_type(0, &[])), "input `x` declares no type"),
        (output("z", &[]), "output `z` declares no type"),
    ];
    for (part, message) in cases {
        assert_eq!(refusal(&model(&graph(&[part]))), message);
    }
}

#[test]
fn weights_and_nodes_of_all_graphs_are_counted() {
    let floats = tensor("w", 1, &[2, 3], &wrap(9, &[0; 24]));
    let typed = tensor("v", 7, &[3], &packed(7, &[1, 300, 2]));
    let unpacked = tensor("u", 1, &[2], &[&[0x25][..], &[0; 4], &[0x25], &[0; 4]].concat());
    let nibbles = tensor("n", 22, &[5], &wrap(9, &[0; 3]));
    let strings = tensor("s", 8, &[2], &[wrap(6, b"abc"), wrap(6, b"de")].concat());
    let scalar = tensor("c", 11, &[], &wrap(9, &[0; 8]));
    let body = [node("Relu", "", &[]), initializer(&floats)].concat();
    let branches = attribute(&[wrap(6, &body), wrap(11, &node("Relu", "ai.onnx", &[]))].concat());
    let parts = [
        node("If", "", &branches),
        node("Constant", "", &attribute(&wrap(5, &scalar))),
        node("FusedConv", "com.microsoft", &[]),
        initializer(&typed),
        initializer(&unpacked),
        initializer(&nibbles),
        initializer(&strings),
    ];
    let function = wrap(25, &[text(1, "f"), wrap(7, &text(4, "Gelu"))].concat());
    let facts = facts(&[model(&graph(&parts)), function].concat());
    assert_eq!(facts.parameters, Parameters { count: 6 + 3 + 2 + 5 + 2 + 1, bytes: 72 });
    let by_operator: Vec<_> =
        facts.nodes.by_operator.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let expected =
        [("Constant", 1), ("Gelu", 1), ("If", 1), ("Relu", 2), ("com.microsoft.FusedConv", 1)];
    assert_eq!(by_operator, expected);
    assert_eq!((facts.nodes.count, facts.nodes.other), (6, 0));
}

#[test]
fn external_data_are_listed_and_stay_in_the_folder() {
    let at = |location: &str, offset: &str, length: &str| {
        let tensor = external("w", 1, &[4], &[("location", location), ("offset", offset)]);
        let length = wrap(13, &[text(1, "length"), text(2, length)].concat());
        facts_from_bytes(&model(&graph(&[initializer(&[tensor, length].concat())])))
    };
    let found = at("sub/w.bin", "32", "16").unwrap();
    let expected = ExternalTensor {
        tensor: "w".into(),
        location: "sub/w.bin".into(),
        offset_bytes: 32,
        length_bytes: 16,
    };
    assert_eq!(found.external_data, [expected]);
    assert_eq!(found.parameters, Parameters { count: 4, bytes: 16 });

    for outside in ["/etc/passwd", "../w.bin", "a/../../w.bin", "a/..", "", ".", "./"] {
        let message = at(outside, "0", "16").unwrap_err().to_string();
        let expected =
            format!("tensor `w`: external data location `{outside}` leaves the model's folder");
        assert_eq!(message, expected);
    }
    let refused = [
        (at("w", "-1", "16"), "tensor `w` has the external offset `-1`"),
        (at("w", "0", "sixteen"), "tensor `w` has the external length `sixteen`"),
        (at("w", "0", "15"), "tensor `w` holds 15 bytes, its shape needs 16"),
        (at("w", "18446744073709551615", "16"), "more elements than 64 bits can count"),
    ];
    for (result, expected) in refused {
        let message = result.unwrap_err().to_string();
        assert!(message.ends_with(expected), "{message}");
    }
}

#[test]
fn a_missing_external_length_is_what_the_shape_needs() {
    let tensor = external("w", 10, &[3], &[("location", "w.bin")]);
    let facts = facts(&model(&graph(&[initializer(&tensor)])));
    assert_eq!((facts.external_data[0].offset_bytes, facts.external_data[0].length_bytes), (0, 6));
}

#[test]
fn external_data_lie_beside_a_model_named_without_a_folder() {
    // Tests run in the package's folder.
    let tensor = |length_bytes| ExternalTensor {
        tensor: "w".into(),
        location: "Cargo.toml".into(),
        offset_bytes: 0,
        length_bytes,
    };
    assert!(crate::model::onnx::external::check(Path::new("model.onnx"), &[tensor(10)]).is_ok());
    assert!(
        crate::model::onnx::external::check(Path::new("model.onnx"), &[tensor(1 << 40)]).is_err()
    );
}

#[test]
fn tensors_that_contradict_themselves_are_refused() {
    let cases = [
        (tensor("w", 1, &[2], &wrap(9, &[0; 7])), "tensor `w` holds 7 bytes, its shape needs 8"),
        (tensor("w", 1, &[9], &packed(4, &[0; 2])), "tensor `w` has fewer elements than its shape"),
        (tensor("w", 1, &[u64::MAX], &[]), "a tensor with a negative dimension"),
        (tensor("w", 1, &[1 << 62, 4], &[]), "a tensor with more elements than 64 bits can count"),
        (tensor("w", 15, &[1 << 62], &[]), "a tensor with more elements than 64 bits can count"),
    ];
    for (tensor, expected) in cases {
        let message = refusal(&model(&graph(&[initializer(&tensor)])));
        assert!(message.starts_with("corrupted at byte "), "{message}");
        assert!(message.ends_with(expected), "{message}");
    }
}

#[test]
fn versions_newer_than_the_runtime_are_told() {
    let facts = |ir: u64, domain: &str, version: u64| {
        let opset = wrap(8, &[text(1, domain), number(2, version)].concat());
        facts(&[model(&graph(&[])), number(1, ir), opset].concat())
    };
    let newest = |domain: &str| OPSETS.iter().find(|opset| opset.0 == domain).unwrap().1;
    let opset_max = u64::try_from(newest("ai.onnx")).unwrap();
    for known in [facts(14, "", opset_max), facts(1, "my.domain", 999), facts(3, "ai.onnx.ml", 5)] {
        assert_eq!(check_runtime(&known), Ok(()));
    }
    let message = |facts: &Facts| check_runtime(facts).unwrap_err().to_string();
    assert_eq!(
        message(&facts(14, "", opset_max + 1)),
        "opset 29 of `ai.onnx` is newer than ONNX Runtime 1.32.0 knows (28)"
    );
    assert_eq!(
        message(&facts(14, "ai.onnx.ml", 6)),
        "opset 6 of `ai.onnx.ml` is newer than ONNX Runtime 1.32.0 knows (5)"
    );
    assert_eq!(
        message(&facts(15, "", 17)),
        "IR version 15 is newer than ONNX Runtime 1.32.0 knows (14)"
    );
}

#[test]
fn other_kinds_of_files_are_named() {
    let cases: [(&[u8], &str); 18] = [
        (b"PK\x03\x04\x14\0", "a zip archive (PyTorch, Keras or another)"),
        (b"\x80\x02}q", "a Python pickle (PyTorch or scikit-learn)"),
        (b"\x80\x03}q", "a Python pickle (PyTorch or scikit-learn)"),
        (b"\x80\x04\x95", "a Python pickle (PyTorch or scikit-learn)"),
        (b"\x80\x05\x95", "a Python pickle (PyTorch or scikit-learn)"),
        (b"\x80\x06\x95", "bytes of another kind"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras `.h5`)"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"\x1c\0\0\0TFL3", "a TensorFlow Lite model"),
        (b"\x1c\0\0\0ORTM", "an ORT-format model"),
        (b"\x08\x01\0\0\0\0\0\0{\"a", "a safetensors file, which holds weights and no graph"),
        (b"GGUF\x03\0\0\0", "a GGUF file, which holds weights and no graph"),
        (b"\x93NUMPY\x01\0", "a numpy array, perhaps an input"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid",
            "a Git LFS pointer (the model itself was not downloaded)",
        ),
        (b"\n<!DOCTYPE HTML>", "an HTML page"),
        ("{\"inputs\": [\"é\"]}".as_bytes(), "a text file"),
        (b"\0\0\0\0", "bytes of another kind"),
        (b"\xff\xd8\xff\xe0", "bytes of another kind"),
    ];
    for (bytes, looks_like) in cases {
        assert_eq!(refusal(bytes), format!("not an ONNX model but {looks_like}"));
    }
    let saved_model = [number(1, 1), wrap(2, &[7; 2_000])].concat();
    assert_eq!(refusal(&saved_model), "not an ONNX model but a TensorFlow SavedModel");
}

#[test]
fn incomplete_models_say_what_is_missing() {
    let head = number(1, 8);
    let opset = wrap(8, &number(2, 17));
    let main = wrap(7, &graph(&[]));
    let cases: [(&[&[u8]], &str); 6] = [
        (&[], "empty file"),
        (&[&head], "incomplete: no graph"),
        (&[&head, &opset], "incomplete: no graph"),
        (&[&opset, &main], "incomplete: no IR version"),
        (&[&head, &main], "incomplete: no operator set"),
        (&[&head, &opset, &wrap(7, &[])], "incomplete: no outputs"),
    ];
    for (parts, message) in cases {
        assert_eq!(refusal(&parts.concat()), message);
    }
}

#[test]
fn declarations_are_unambiguous() {
    let float = tensor_type(1, &[]);
    let twice = graph(&[input("x", &float), input("x", &float)]);
    assert!(refusal(&model(&twice)).ends_with("input `x` is declared twice"));
    let nameless = graph(&[value_info(11, "", &float)]);
    assert!(refusal(&model(&nameless)).ends_with("an input or output without a name"));
    let main = wrap(7, &graph(&[]));
    assert!(refusal(&[model(&graph(&[])), main].concat()).ends_with("a second main graph"));
    let operator = graph(&[wrap(1, &[])]);
    assert!(refusal(&model(&operator)).ends_with("a node without an operator"));
}
