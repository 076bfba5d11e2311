use super::*;
use proptest::prelude::*;

/// `float32[batch,4]` as a spec; `float32[...]` declares no rank, `?` is an unknown dimension.
fn spec(name: &str, type_text: &str) -> TensorSpec {
    let (dtype, dims) = type_text.strip_suffix(']').unwrap().split_once('[').unwrap();
    let dim = |text: &str| match (text, text.parse()) {
        ("?", _) => Dim::Unknown,
        (_, Ok(size)) => Dim::Fixed(size),
        (symbol, Err(_)) => Dim::Symbol(symbol.into()),
    };
    let shape = match dims {
        "..." => None,
        "" => Some(Vec::new()),
        dims => Some(dims.split(',').map(dim).collect()),
    };
    TensorSpec { name: name.into(), dtype: DType::from_name(dtype).unwrap(), shape }
}

/// `x float32[4], y int64[] -> z bool[?]` as a signature.
fn signature(text: &str) -> Signature {
    let side = |text: &str| {
        let specs = text.split(", ").filter(|text| !text.is_empty());
        specs.map(|text| text.split_once(' ').unwrap()).map(|(name, ty)| spec(name, ty)).collect()
    };
    let (inputs, outputs) = text.split_once(" -> ").unwrap();
    Signature { inputs: side(inputs), outputs: side(outputs) }
}

const SAME: &str = "x float32[batch,4] -> y float32[batch,3]";
/// Old, new, sentences.
const CHANGES: [(&str, &str, &[&str]); 20] = [
    (SAME, SAME, &[]),
    (SAME, "x float32[N,4] -> y float32[?,3]", &[]),
    (SAME, "x float32[batch,4] -> y float32[batch,3], z int64[]", &[]),
    (SAME, "x float32[batch,4] -> z float32[batch,3]", &["output `y` was removed"]),
    (
        SAME,
        "a float32[batch,4] -> y float32[batch,3]",
        &[
            "input `x` was removed",
            "input `a` (float32[batch,4]) was added, and requests must give it",
        ],
    ),
    (
        SAME,
        "x float32[batch,4], k int64[] -> y float32[batch,3]",
        &["input `k` (int64[]) was added, and requests must give it"],
    ),
    (
        SAME,
        "x float64[batch,4] -> y float16[batch,3]",
        &[
            "input `x` changed from float32 to float64",
            "output `y` changed from float32 to float16",
        ],
    ),
    (
        SAME,
        "x float32[batch,5] -> y float32[batch,2]",
        &[
            "dimension 1 of input `x` changed from 4 to 5",
            "dimension 1 of output `y` changed from 3 to 2",
        ],
    ),
    (
        SAME,
        "x float32[4] -> y float32[batch,3,1]",
        &["input `x` changed from 2 to 1 dimensions", "output `y` changed from 2 to 3 dimensions"],
    ),
    (
        SAME,
        "x float32[8,4] -> y float32[8,3]",
        &["dimension 0 of input `x` took any size and takes 8 only"],
    ),
    (
        "x bool[?] -> y bool[?]",
        "x bool[2] -> y bool[2]",
        &["dimension 0 of input `x` took any size and takes 2 only"],
    ),
    ("x float32[1,4] -> y float32[1,3]", SAME, &[]),
    (
        "x float32[0] -> y float32[0]",
        "x float32[1] -> y float32[0]",
        &["dimension 0 of input `x` changed from 0 to 1"],
    ),
    ("x float32[...] -> y float32[...]", "x float32[...] -> y float32[2]", &[]),
    (
        "x float32[...] -> y float32[2]",
        "x float32[?,4] -> y float32[...]",
        &["input `x` took any number of dimensions and takes 2 only"],
    ),
    ("x float32[2] -> y float32[2]", "x float32[...] -> y float32[2]", &[]),
    (
        "x float32[] -> y float32[]",
        "x float32[1] -> y float32[]",
        &["input `x` changed from 0 to 1 dimensions"],
    ),
    ("a int8[], b int8[] -> y int8[]", "b int8[], a int8[] -> y int8[]", &[]),
    (" -> y int8[]", " -> y int8[], z int8[]", &[]),
    ("a int8[], b int8[] -> y int8[]", "a int8[] -> y int8[]", &["input `b` was removed"]),
];

#[test]
fn breaking_changes_are_told_from_harmless_ones() {
    for (old, new, expected) in CHANGES {
        let found = signature(old).breaking_changes(&signature(new));
        assert_eq!(found, expected, "from {old} to {new}");
    }
}

#[test]
fn the_document_is_the_one_that_ledgers_hold() {
    let signature = signature("x float32[4,batch,?], k string[...] -> y uint8[]");
    let document = serde_json::json!({
        "inputs": [
            {"name": "x", "dtype": "float32", "shape": [4, "batch", null]},
            {"name": "k", "dtype": "string", "shape": null},
        ],
        "outputs": [{"name": "y", "dtype": "uint8", "shape": []}],
    });
    assert_eq!(serde_json::to_value(&signature).unwrap(), document);
    assert_eq!(serde_json::from_value::<Signature>(document).unwrap(), signature);
}

#[test]
fn documents_damaged_by_hand_are_refused() {
    let cases = [
        (r#"{"inputs": []}"#, "missing field `outputs`"),
        (
            r#"{"inputs": [{"name": "x", "dtype": "float31", "shape": []}], "outputs": []}"#,
            "no element type is called `float31`",
        ),
        (
            r#"{"inputs": [{"name": "x", "dtype": "int8", "shape": [-1]}], "outputs": []}"#,
            "untagged enum Dim",
        ),
        (
            r#"{"inputs": [{"name": "x", "dtype": "int8", "shape": 4}], "outputs": []}"#,
            "expected a sequence",
        ),
    ];
    for (text, expected) in cases {
        let error = serde_json::from_str::<Signature>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text} gave {error}");
    }
}

fn any_spec() -> impl Strategy<Value = TensorSpec> {
    let dim = prop_oneof![
        any::<usize>().prop_map(Dim::Fixed),
        any::<String>().prop_map(Dim::Symbol),
        Just(Dim::Unknown),
    ];
    let shape = proptest::option::of(proptest::collection::vec(dim, 0..6));
    let dtype = proptest::sample::select(DType::all().collect::<Vec<_>>());
    (any::<String>(), dtype, shape).prop_map(|(name, dtype, shape)| TensorSpec {
        name,
        dtype,
        shape,
    })
}

proptest! {
    #[test]
    fn a_signature_comes_back_from_its_document(
        inputs in proptest::collection::vec(any_spec(), 0..4),
        outputs in proptest::collection::vec(any_spec(), 0..4),
    ) {
        let signature = Signature { inputs, outputs };
        let text = serde_json::to_string(&signature).unwrap();
        prop_assert_eq!(serde_json::from_str::<Signature>(&text).unwrap(), signature);
    }

    #[test]
    fn a_signature_never_breaks_itself(
        inputs in proptest::collection::vec(any_spec(), 0..4),
        outputs in proptest::collection::vec(any_spec(), 0..4),
    ) {
        let mut signature = Signature { inputs, outputs };
        // Names are unique within a model.
        for (position, spec) in
            signature.inputs.iter_mut().chain(&mut signature.outputs).enumerate()
        {
            spec.name = format!("{position}");
        }
        prop_assert_eq!(signature.breaking_changes(&signature), Vec::<String>::new());
    }
}
