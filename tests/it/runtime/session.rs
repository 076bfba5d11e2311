//! Sessions on the models of `fixtures/runtime` (see `make.py` there).

#![expect(clippy::unwrap_used, reason = "a test's helpers end the test")]

use crate::support::{engine, fixture, library};
use gwtf::error::Explain;
use gwtf::model::{DType, Data, Dim, Tensor};
use gwtf::runtime::{
    Engine, Library, OpenError, Origin, RunError, Session, SessionOptions, Tensors,
};
use half::{bf16, f16};
use std::path::{Path, PathBuf};
use std::process::Command;

fn open(name: &str) -> Result<Session, OpenError> {
    let path = fixture(&format!("runtime/{name}.onnx"));
    Session::open(&engine(), &path, &SessionOptions::default())
}

fn tensor(shape: &[usize], data: Data) -> Tensor {
    Tensor::new(shape.to_vec(), data).unwrap()
}

fn floats(shape: &[usize], values: &[f32]) -> Tensor {
    tensor(shape, Data::Float32(values.to_vec()))
}

fn named(name: &str, tensor: Tensor) -> (String, Tensor) {
    (name.to_owned(), tensor)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Two by two of each type, with the values that a conversion would lose.
fn edges() -> Vec<Data> {
    let strings = ["", "é\u{1f600}", "two\nlines", "x"].map(str::to_owned).to_vec();
    vec![
        Data::Float16([0.1, -0.0, f32::MAX, 6e-8].map(f16::from_f32).to_vec()),
        Data::BFloat16([0.1, -0.0, f32::INFINITY, 1e-38].map(bf16::from_f32).to_vec()),
        Data::Float32(vec![f32::MIN_POSITIVE, -0.0, f32::MAX, f32::NEG_INFINITY]),
        Data::Float64(vec![f64::MIN_POSITIVE, -0.0, f64::MAX, 0.1]),
        Data::Int8(vec![i8::MIN, -1, 0, i8::MAX]),
        Data::Int16(vec![i16::MIN, -1, 0, i16::MAX]),
        Data::Int32(vec![i32::MIN, -1, 0, i32::MAX]),
        Data::Int64(vec![i64::MIN, -1, 0, i64::MAX]),
        Data::UInt8(vec![0, 1, 2, u8::MAX]),
        Data::UInt16(vec![0, 1, 2, u16::MAX]),
        Data::UInt32(vec![0, 1, 2, u32::MAX]),
        Data::UInt64(vec![0, 1, 2, u64::MAX]),
        Data::Bool(vec![true, false, false, true]),
        Data::String(strings),
    ]
}

#[test]
fn every_element_type_comes_back_as_it_went_in() {
    let edges = edges();
    assert_eq!(edges.len(), DType::all().count());
    for data in edges {
        let dtype = data.dtype();
        let mut session = open(&format!("identity_{dtype}")).unwrap();
        let spec = &session.signature().inputs[0];
        assert_eq!(spec.type_text(), format!("{dtype}[batch,2]"));
        let given = tensor(&[2, 2], data);
        let outputs = session.run(vec![named("x", given.clone())], &[]).unwrap();
        assert_eq!(outputs, [named("y", given)], "{dtype}");
    }
}

#[test]
fn empty_tensors_run() {
    for (name, data) in [
        ("identity_float32", Data::Float32(Vec::new())),
        ("identity_bool", Data::Bool(Vec::new())),
        ("identity_string", Data::String(Vec::new())),
    ] {
        let given = tensor(&[0, 2], data);
        let outputs = open(name).unwrap().run(vec![named("x", given.clone())], &[]).unwrap();
        assert_eq!(outputs, [named("y", given)], "{name}");
    }
}

#[test]
fn scalars_unnamed_dimensions_and_unknown_ranks_run() {
    let cases = [
        ("scalar", &[][..], None),
        ("rankless", &[1, 1, 1][..], None),
        ("unnamed", &[1, 2][..], Some(vec![Dim::Unknown, Dim::Fixed(2)])),
    ];
    for (name, shape, declared) in cases {
        let mut session = open(name).unwrap();
        assert_eq!(session.signature().inputs[0].shape, declared, "{name}");
        let given = floats(shape, &vec![1.5; shape.iter().product()]);
        let outputs = session.run(vec![named("x", given.clone())], &[]).unwrap();
        assert_eq!(outputs, [named("y", given)], "{name}");
    }
}

#[test]
fn a_classifier_gives_what_onnxruntime_gives_in_python() {
    let mut session = open("classifier").unwrap();
    let features = floats(&[2, 4], &[5.1, 3.5, 1.4, 0.2, -1.0, 0.5, 0.25, 2.0]);
    let outputs = session.run(vec![named("features", features)], &[]).unwrap();
    let Data::Float32(probabilities) = outputs[0].1.data() else { panic!("{outputs:?}") };
    assert_eq!(outputs[0].1.shape(), [2, 3]);
    for (value, expected) in probabilities.iter().zip(CLASSIFIER_PROBABILITIES) {
        assert!((value - expected).abs() < 1e-6, "{probabilities:?}");
    }
    assert_eq!(outputs[1], named("label", tensor(&[2], Data::Int64(vec![2, 1]))));
}

/// By onnxruntime 1.32.0 for Python, CPU provider.
const CLASSIFIER_PROBABILITIES: [f32; 6] =
    [1.384_540_8e-12, 4.250_352_3e-16, 1.0, 0.187_980_9, 0.811_985_4, 3.364_881e-5];

#[test]
fn inputs_go_by_name_and_outputs_as_selected() {
    let mut session = open("two_inputs").unwrap();
    let a = named("a", floats(&[1, 2], &[2.0, 3.0]));
    let b = named("b", floats(&[1, 2], &[5.0, 7.0]));
    let (sum, product) = (floats(&[1, 2], &[7.0, 10.0]), floats(&[1, 2], &[10.0, 21.0]));
    let (sum, product) = (named("sum", sum), named("product", product));
    let cases = [
        (names(&[]), vec![sum.clone(), product.clone()]),
        (names(&["product"]), vec![product.clone()]),
        (names(&["product", "sum"]), vec![product.clone(), sum.clone()]),
        (names(&["sum", "product"]), vec![sum.clone(), product.clone()]),
        (names(&["sum", "sum"]), vec![sum.clone(), sum.clone()]),
        (names(&["sum"]), vec![sum]),
    ];
    for (wanted, expected) in cases {
        for inputs in [vec![a.clone(), b.clone()], vec![b.clone(), a.clone()]] {
            assert_eq!(session.run(inputs, &wanted).unwrap(), expected, "{wanted:?}");
        }
    }
}

#[test]
fn a_request_that_does_not_fit_is_the_requests_fault() {
    let mut session = open("two_inputs").unwrap();
    let a = || named("a", floats(&[1, 2], &[2.0, 3.0]));
    let b = || named("b", floats(&[1, 2], &[5.0, 7.0]));
    let cases: [(Tensors, &[&str], &str); 9] = [
        (vec![], &[], "input `a` is missing"),
        (vec![a()], &[], "input `b` is missing"),
        (vec![a(), a()], &[], "input `a` is given twice"),
        (vec![a(), named("c", b().1)], &[], "the model has no input `c`"),
        (vec![a(), b(), named("c", b().1)], &[], "the model has no input `c`"),
        (vec![a(), b()], &["nope"], "the model has no output `nope`"),
        (
            vec![a(), named("b", tensor(&[1, 2], Data::Float64(vec![1.0, 2.0])))],
            &[],
            "input `b` is float64, the model takes float32",
        ),
        (
            vec![a(), named("b", floats(&[2], &[1.0, 2.0]))],
            &[],
            "input `b` has shape [2], the model takes float32[batch,width]",
        ),
        (
            vec![a(), named("b", floats(&[1, 3], &[1.0, 2.0, 3.0]))],
            &[],
            "the inputs are refused: `width` is 2 in input `a` and 3 in `b`; ",
        ),
    ];
    for (inputs, outputs, expected) in cases {
        let error = session.run(inputs, &names(outputs)).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}, expected {expected}");
        assert!(error.is_request_fault(), "{error}");
    }
    session.run(vec![a(), b()], &[]).expect("the session survives every one of them");
}

#[test]
fn a_value_that_the_model_refuses_is_the_requests_fault() {
    let mut session = open("lookup").unwrap();
    let index = |n: i64| vec![named("index", tensor(&[1], Data::Int64(vec![n])))];
    let error = session.run(index(9), &[]).unwrap_err();
    let RunError::Refused { message } = &error else { panic!("{error:?}") };
    assert!(message.starts_with("Gather node: indices element out of data bounds"), "{message}");
    assert_eq!(session.run(index(1), &[]).unwrap()[0].1, floats(&[1, 2], &[2.0, 3.0]));
}

#[test]
fn a_string_with_a_nul_byte_is_refused() {
    let strings = tensor(&[1, 2], Data::String(vec!["a\0b".to_owned(), String::new()]));
    let error = open("identity_string").unwrap().run(vec![named("x", strings)], &[]).unwrap_err();
    assert!(error.is_request_fault(), "{error}");
}

#[test]
fn models_that_cannot_run_are_refused_with_the_reason() {
    let cases = [
        ("refused_opset", "does not support it: its opset is 99, the library takes up to"),
        ("refused_ir", "does not support it: Unsupported model IR version: 99"),
        ("refused_operator", "does not support it: This is an invalid model"),
        ("refused_float8", "input `x` is of type Tensor<f8_e4m3fn>(2), which is not served"),
        ("refused_sequence", "input `x` is of type Sequence<"),
        ("refused_external", "its external data is not usable: "),
    ];
    for (name, expected) in cases {
        let error = open(name).err().expect("it is refused");
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(!error.to_string().contains("onnxruntime_src"), "{name}: {error}");
    }
    let hint = open("refused_opset").err().and_then(|error| error.hint()).unwrap();
    assert!(hint.starts_with("export the model with opset "), "{hint}");
}

#[test]
fn files_that_are_no_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = fs_err::read(fixture("runtime/classifier.onnx")).unwrap();
    let files: [(&str, &[u8]); 4] = [
        ("empty.onnx", b""),
        ("text.onnx", b"this is a text file, not a model\n"),
        ("cut.onnx", &model[..model.len() / 2]),
        ("bytes.onnx", &[0xff; 64]),
    ];
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        let error = Session::open(&engine(), &path, &SessionOptions::default()).err().unwrap();
        assert!(matches!(error, OpenError::Damaged { .. }), "{name}: {error}");
    }
    for (path, expected) in [
        (folder.path().join("missing.onnx"), "no such file"),
        (folder.path().to_owned(), "it is a folder, not a file"),
        (PathBuf::from("/dev/null"), "it is no regular file"),
    ] {
        let error = Session::open(&engine(), &path, &SessionOptions::default()).err().unwrap();
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

/// A library that is no ONNX Runtime, compiled on the spot.
fn foreign(folder: &Path, name: &str, source: &str) -> Library {
    let (input, path) = (folder.join(format!("{name}.rs")), folder.join(format!("lib{name}.so")));
    fs_err::write(&input, source).unwrap();
    let status = Command::new("rustc")
        .args(["--edition", "2021", "--crate-type", "cdylib", "-o"])
        .args([&path, &input])
        .status()
        .unwrap();
    assert!(status.success());
    Library { path, version: None, origin: Origin::Flag }
}

const TOO_OLD: &str = r#"
#[repr(C)] pub struct Base { api: extern "C" fn(u32) -> usize, version: extern "C" fn() -> usize }
extern "C" fn api(_: u32) -> usize { 0 }
extern "C" fn version() -> usize { b"1.9.1\0".as_ptr() as usize }
static BASE: Base = Base { api, version };
#[no_mangle] pub extern "C" fn OrtGetApiBase() -> *const Base { &BASE }
"#;

const NO_BASE: &str = "#[no_mangle] pub extern \"C\" fn OrtGetApiBase() -> usize { 0 }";

#[test]
fn a_file_that_is_no_onnx_runtime_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libonnxruntime.so");
    fs_err::write(&text, "not a library").unwrap();
    let cases = [
        (Library { path: text, version: None, origin: Origin::Flag }, ""),
        (foreign(folder.path(), "other", "pub fn f() {}"), "it has no `OrtGetApiBase`"),
        (foreign(folder.path(), "old", TOO_OLD), "version 1.9.1 is too old"),
        (foreign(folder.path(), "nothing", NO_BASE), "it does not offer ONNX Runtime's API"),
    ];
    for (library, expected) in cases {
        let error = Engine::load(&library).err().expect("it is refused");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some());
    }
    let engine = engine();
    assert_eq!(engine.path(), library().path, "the right library still loads afterwards");
}

#[test]
fn a_process_takes_one_library() {
    let engine = engine();
    assert_eq!(Engine::load(&library()).unwrap().path(), engine.path());
    assert!(engine.build_info().contains("ORT Build Info"));
    let other = Library { path: PathBuf::from("/other.so"), version: None, origin: Origin::Flag };
    let error = Engine::load(&other).err().unwrap();
    assert!(error.to_string().contains("is loaded already"), "{error}");
}
