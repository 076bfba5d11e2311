//! What is rendered parses back: every type, with each bit of a floating-point value.
//!
//! A reply is turned into a request by renaming its key (`outputs` -> `inputs`, `predictions` ->
//! `instances`), so both directions are held to one grammar.

use super::*;
use half::{bf16, f16};
use proptest::collection::vec;
use proptest::prelude::*;

/// Elements of each type; floating point by its bits, so NaN, infinities, -0 and subnormals come.
fn data(dtype: DType, count: usize) -> BoxedStrategy<Data> {
    match dtype {
        DType::Float16 => vec(any::<u16>(), count)
            .prop_map(|v| Data::Float16(v.into_iter().map(f16::from_bits).collect()))
            .boxed(),
        DType::BFloat16 => vec(any::<u16>(), count)
            .prop_map(|v| Data::BFloat16(v.into_iter().map(bf16::from_bits).collect()))
            .boxed(),
        DType::Float32 => vec(any::<u32>(), count)
            .prop_map(|v| Data::Float32(v.into_iter().map(f32::from_bits).collect()))
            .boxed(),
        DType::Float64 => vec(any::<u64>(), count)
            .prop_map(|v| Data::Float64(v.into_iter().map(f64::from_bits).collect()))
            .boxed(),
        DType::Int8 => vec(any::<i8>(), count).prop_map(Data::Int8).boxed(),
        DType::Int16 => vec(any::<i16>(), count).prop_map(Data::Int16).boxed(),
        DType::Int32 => vec(any::<i32>(), count).prop_map(Data::Int32).boxed(),
        DType::Int64 => vec(any::<i64>(), count).prop_map(Data::Int64).boxed(),
        DType::UInt8 => vec(any::<u8>(), count).prop_map(Data::UInt8).boxed(),
        DType::UInt16 => vec(any::<u16>(), count).prop_map(Data::UInt16).boxed(),
        DType::UInt32 => vec(any::<u32>(), count).prop_map(Data::UInt32).boxed(),
        DType::UInt64 => vec(any::<u64>(), count).prop_map(Data::UInt64).boxed(),
        DType::Bool => vec(any::<bool>(), count).prop_map(Data::Bool).boxed(),
        DType::String => vec(any::<String>(), count).prop_map(Data::String).boxed(),
    }
}

fn any_tensor() -> impl Strategy<Value = Tensor> {
    let dtypes: Vec<DType> = DType::all().collect();
    (prop::sample::select(dtypes), vec(1usize..4, 0..4)).prop_flat_map(|(dtype, shape)| {
        let count = shape.iter().product();
        data(dtype, count).prop_map(move |data| Tensor::new(shape.clone(), data).unwrap())
    })
}

/// The elements as bytes, all NaNs alike: JSON has one `NaN`.
fn canonical(tensor: &Tensor) -> Vec<Vec<u8>> {
    fn bits<T: Copy>(
        values: &[T],
        nan: impl Fn(T) -> bool,
        bytes: impl Fn(T) -> Vec<u8>,
    ) -> Vec<Vec<u8>> {
        values.iter().map(|v| if nan(*v) { b"NaN".to_vec() } else { bytes(*v) }).collect()
    }
    match tensor.data() {
        Data::Float16(v) => bits(v, |x| x.is_nan(), |x| x.to_le_bytes().to_vec()),
        Data::BFloat16(v) => bits(v, |x| x.is_nan(), |x| x.to_le_bytes().to_vec()),
        Data::Float32(v) => bits(v, |x| x.is_nan(), |x| x.to_le_bytes().to_vec()),
        Data::Float64(v) => bits(v, |x| x.is_nan(), |x| x.to_le_bytes().to_vec()),
        other => vec![format!("{other:?}").into_bytes()],
    }
}

/// Renders `sent` as an output, makes the reply a request and compares what is parsed.
fn check(sent: &Tensor, name: &str, form: &ReplyForm, keys: Option<(&str, &str)>, declared: bool) {
    let shape = declared.then(|| sent.shape().iter().map(|n| Dim::Fixed(*n)).collect());
    let spec = TensorSpec { name: name.to_owned(), dtype: sent.dtype(), shape };
    let signature = Signature { inputs: vec![spec.clone()], outputs: vec![spec] };
    let model = ModelName { name: "m", version: "1" };
    let reply = render(form, model, &[(name.to_owned(), sent.clone())]).unwrap();
    let (mut body, mut header) = (reply.body, reply.inference_header_content_length);
    if let Some((from, to)) = keys {
        let from = format!("\"{from}\":");
        let at = body.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        body.splice(at..at + from.len(), format!("\"{to}\":").into_bytes());
        header = header.map(|bytes| bytes + to.len() + 3 - from.len());
    }
    let length = header.map(|bytes| bytes.to_string());
    let head = RequestHead {
        content_type: Some(reply.content_type),
        inference_header_content_length: length.as_deref(),
    };
    let request = parse(Protocol::Auto, &head, &body, &signature)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)));
    assert_eq!(request.inputs.len(), 1);
    let (got_name, got) = &request.inputs[0];
    assert_eq!((got_name.as_str(), got.shape(), got.dtype()), (name, sent.shape(), sent.dtype()));
    assert_eq!(canonical(got), canonical(sent), "{}", String::from_utf8_lossy(&body));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_form_holds_every_type(sent in any_tensor(), declared in any::<bool>()) {
        let open = |binary| ReplyForm::OpenInference { id: None, outputs: vec![], binary };
        let renamed = Some(("outputs", "inputs"));
        check(&sent, "y", &ReplyForm::TensorflowColumn, renamed, declared);
        check(&sent, "y_bytes", &ReplyForm::TensorflowColumn, renamed, declared);
        check(&sent, "y", &open(false), renamed, declared);
        check(&sent, "y", &open(true), renamed, declared);
        if !sent.shape().is_empty() {
            let rows = Some(("predictions", "instances"));
            check(&sent, "y", &ReplyForm::TensorflowRow, rows, declared);
        }
        if !matches!(sent.dtype(), DType::BFloat16 | DType::String) {
            check(&sent, "y", &ReplyForm::Npy, None, declared);
        }
    }
}

#[test]
fn floats_are_written_in_their_shortest_form() {
    let y =
        floats(&[8], &[0.1, 0.2, 1.0, 16_777_216.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, 1.0e10]);
    assert_eq!(
        reply_text(&ReplyForm::TensorflowColumn, &[("y", y)]),
        "{\"outputs\":[0.1,0.2,1.0,16777216.0,1.1754944e-38,1e-45,3.4028235e+38,10000000000.0]}"
    );
    let y = tensor(&[3], Data::Float64(vec![0.1, 5e-324, f64::MAX]));
    assert_eq!(
        reply_text(&ReplyForm::TensorflowColumn, &[("y", y)]),
        "{\"outputs\":[0.1,5e-324,1.7976931348623157e+308]}"
    );
}
