use super::*;
use crate::with_data;

fn spec(name: &str, dtype: DType, shape: Option<Vec<Dim>>) -> TensorSpec {
    TensorSpec { name: name.into(), dtype, shape }
}

fn signature(inputs: Vec<TensorSpec>) -> Signature {
    Signature { inputs, outputs: Vec::new() }
}

fn symbol(name: &str) -> Dim {
    Dim::Symbol(name.into())
}

fn options(sizes: &[(&str, usize)]) -> Options {
    Options { open_sizes: sizes.iter().map(|(name, size)| ((*name).into(), *size)).collect() }
}

#[test]
fn open_dimensions_get_documented_sizes() {
    let inputs = signature(vec![
        spec("image", DType::Float32, Some(vec![symbol("batch"), Dim::Fixed(3), symbol("width")])),
        spec("state", DType::Float32, Some(vec![Dim::Fixed(2), symbol("batch"), Dim::Unknown])),
        spec("mask", DType::Bool, Some(vec![Dim::Unknown, Dim::Fixed(0)])),
        spec("rate", DType::Int64, Some(vec![])),
        spec("anything", DType::String, None),
    ]);
    let cases: [(Options, [&[usize]; 5]); 3] = [
        (Options::default(), [&[1, 3, 8], &[2, 1, 8], &[1, 0], &[], &[1]]),
        (options(&[("batch", 5), ("width", 2)]), [&[5, 3, 2], &[2, 5, 8], &[1, 0], &[], &[1]]),
        (options(&[("state:2", 6), ("mask:0", 3)]), [&[1, 3, 8], &[2, 1, 6], &[3, 0], &[], &[1]]),
    ];
    for (options, shapes) in cases {
        let samples = sample_inputs(&inputs, 1, &options).unwrap();
        for ((spec, (name, tensor)), shape) in inputs.inputs.iter().zip(&samples).zip(shapes) {
            assert_eq!((&spec.name, spec.dtype, shape), (name, tensor.dtype(), tensor.shape()));
            assert!(spec.admits(tensor.shape()), "{name}");
        }
    }
}

/// Golden values: a change here breaks recorded load tests and baselines.
#[test]
fn a_seed_gives_the_same_elements_for_ever() {
    let shape = Some(vec![Dim::Fixed(3)]);
    let inputs = DType::all().map(|dtype| spec(dtype.name(), dtype, shape.clone())).collect();
    let text = |seed| {
        let samples = sample_inputs(&signature(inputs), seed, &Options::default()).unwrap();
        let lines = samples.iter().map(
            |(name, tensor)| with_data!(tensor.data(), elements => format!("{name} {elements:?}")),
        );
        lines.collect::<Vec<_>>()
    };
    let expected = [
        "float16 [-0.6542969, 0.5283203, 0.8330078]",
        "bfloat16 [-0.068359375, -0.10449219, -0.98828125]",
        "float32 [-0.8827456, -0.39725268, 0.69003665]",
        "float64 [0.692409826622403, 0.23373053098873386, 0.029640069396666302]",
        "int8 [34, 77, -63]",
        "int16 [0, 0, 0]",
        "int32 [0, 1, 0]",
        "int64 [1, 0, 1]",
        "uint8 [178, 113, 1]",
        "uint16 [0, 1, 1]",
        "uint32 [0, 0, 1]",
        "uint64 [0, 0, 1]",
        "bool [false, true, true]",
        r#"string ["xkjuylil", "z", "qpvfx"]"#,
    ];
    assert_eq!(text(7), expected);
}

#[test]
fn seeds_differ() {
    let inputs = signature(vec![spec("x", DType::Float32, Some(vec![Dim::Fixed(4)]))]);
    let sample = |seed| sample_inputs(&inputs, seed, &Options::default()).unwrap();
    assert_ne!(sample(1), sample(2));
    assert_eq!(sample(1), sample(1));
}

#[test]
fn elements_stay_in_their_ranges() {
    let shape = Some(vec![Dim::Fixed(5_000)]);
    let inputs = DType::all().map(|dtype| spec(dtype.name(), dtype, shape.clone())).collect();
    for (_, tensor) in sample_inputs(&signature(inputs), 3, &Options::default()).unwrap() {
        match tensor.data() {
            Data::Float16(all) => assert!(all.iter().all(|x| x.to_f32().abs() <= 1.0)),
            Data::BFloat16(all) => assert!(all.iter().all(|x| x.to_f32().abs() <= 1.0)),
            Data::Float32(all) => {
                assert!(all.iter().all(|x| (-1.0..1.0).contains(x)));
                assert!(all.iter().any(|x| *x < -0.99) && all.iter().any(|x| *x > 0.99));
            }
            Data::Float64(all) => {
                assert!(all.iter().all(|x| (-1.0..1.0).contains(x)));
                assert!(all.iter().any(|x| *x < -0.99) && all.iter().any(|x| *x > 0.99));
            }
            Data::Int8(all) => assert!(all.contains(&i8::MIN) && all.contains(&i8::MAX)),
            Data::UInt8(all) => assert!(all.contains(&u8::MIN) && all.contains(&u8::MAX)),
            Data::Int16(all) => assert_bits(all),
            Data::Int32(all) => assert_bits(all),
            Data::Int64(all) => assert_bits(all),
            Data::UInt16(all) => assert_bits(all),
            Data::UInt32(all) => assert_bits(all),
            Data::UInt64(all) => assert_bits(all),
            Data::Bool(all) => assert!(all.contains(&true) && all.contains(&false)),
            Data::String(all) => {
                assert!(all.iter().all(|s| s.chars().all(|c| c.is_ascii_lowercase())));
                assert!(all.iter().any(|s| s.len() == 1) && all.iter().any(|s| s.len() == 8));
                assert!(all.iter().all(|s| (1..=8).contains(&s.len())));
            }
        }
    }
}

/// Both 0 and 1 occur, and nothing else.
fn assert_bits<T: PartialEq + From<bool>>(all: &[T]) {
    let (zero, one) = (T::from(false), T::from(true));
    assert!(all.iter().all(|x| *x == zero || *x == one));
    assert!(all.contains(&zero) && all.contains(&one));
}

#[test]
fn what_cannot_be_sampled_is_refused() {
    let inputs = signature(vec![
        spec("x", DType::Float32, Some(vec![symbol("batch"), symbol("length")])),
        spec("y", DType::Float32, Some(vec![symbol("batch"), Dim::Fixed(8)])),
    ]);
    let refused = |sizes: &[(&str, usize)]| {
        sample_inputs(&inputs, 0, &options(sizes)).unwrap_err().to_string()
    };
    let over =
        |input| format!("input `{input}`: a sample would take the inputs above 16777216 bytes");
    assert_eq!(refused(&[("lenght", 3)]), "dimension `lenght`: no input leaves it open");
    assert_eq!(refused(&[("length", BYTES_MAX / 4 + 1)]), over("x"));
    assert_eq!(refused(&[("length", usize::MAX), ("batch", 2)]), over("x"));
    assert_eq!(refused(&[("length", BYTES_MAX / 4)]), over("y"), "the limit is for all together");
    let error = sample_inputs(&inputs, 0, &options(&[("z", 1)])).unwrap_err();
    assert_eq!(error.hint().unwrap(), "the open dimensions are `batch`, `length`");
}
