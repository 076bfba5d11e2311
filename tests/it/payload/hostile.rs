//! Bodies made to break the parser: each is refused with bounded memory, and none panics.

use super::*;
use proptest::prelude::*;

const PROTOCOLS: [Protocol; 3] = [Protocol::Auto, Protocol::Tensorflow, Protocol::OpenInference];

fn models() -> [Signature; 3] {
    [
        signature(&["x: float32[n,2]"], &["y: float32[n]"]),
        signature(
            &["a: string[...]", "b: int64[]", "c: bool[n]"],
            &["y: float32[n]", "z: string[n]"],
        ),
        signature(&["x: string[...]"], &["y: float32[n]"]),
    ]
}

/// Good bodies of each form, to be mutated.
fn seeds() -> Vec<Vec<u8>> {
    let npy = render(
        &ReplyForm::Npy,
        ModelName { name: "m", version: "1" },
        &named(&[("x", floats(&[1, 2], &[1., 2.]))]),
    );
    vec![
        br#"{"instances": [[1.5, -2e3], [NaN, Infinity]], "signature_name": "serving_default"}"#.to_vec(),
        br#"{"inputs": {"a": [["\u00e9"], [{"b64": "YQ=="}]], "b": -7, "c": [true, false]}}"#.to_vec(),
        br#"{"id":"1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"outputs":[{"name":"y","parameters":{"binary_data":true}}]}"#.to_vec(),
        br#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}\0\0\0\0\0\0\0\0"#.to_vec(),
        npy.unwrap().body,
    ]
}

/// Parses under every protocol and model, with and without the binary header; what is taken must
/// be what the signature declares.
fn feed(body: &[u8], header: Option<usize>) {
    let length = header.map(|bytes| bytes.to_string());
    let head =
        RequestHead { content_type: None, inference_header_content_length: length.as_deref() };
    for protocol in PROTOCOLS {
        for model in models() {
            let Ok(request) = parse(protocol, &head, body, &model) else { continue };
            assert_eq!(request.inputs.len(), model.inputs.len());
            for (name, tensor) in &request.inputs {
                let spec = model.input(name).unwrap();
                assert!(spec.dtype == tensor.dtype() && spec.admits(tensor.shape()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_bodies_never_panic(
        seed in 0usize..5,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
        header in prop::option::of(0usize..160),
    ) {
        let mut body = seeds().swap_remove(seed);
        for (at, byte, kind) in edits {
            let at = at.index(body.len() + 1);
            match kind {
                0 => body.insert(at, byte),
                1 if at < body.len() => drop(body.remove(at)),
                2 if at < body.len() => body[at] = byte,
                _ => body.truncate(at.max(1)),
            }
        }
        feed(&body, header);
    }

    /// What stands under an unknown key is taken exactly when serde_json takes it.
    #[test]
    fn skipped_values_are_held_to_jsons_grammar(
        seed in prop::sample::select(vec![
            r#"{"a":[1,-2.5e+3,true],"b":null}"#,
            r#"["\u00e9\ud83d\ude00","\n", {}, [], 0.0]"#,
            r#"-0"#,
            r#"[false, 10e-1, "x"]"#,
        ]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}:,\"0-9eE.+\\-truefalsn \\\\]", 0u8..3), 0..4),
    ) {
        let mut value: Vec<char> = seed.chars().collect();
        for (at, char, kind) in edits {
            let at = at.index(value.len());
            let char = char.chars().next().unwrap();
            match kind {
                0 => value.insert(at, char),
                1 if value.len() > 1 => drop(value.remove(at)),
                _ => value[at] = char,
            }
        }
        let value: String = value.into_iter().collect();
        let body = format!(r#"{{"k":{value},"inputs":[[1,2]]}}"#);
        // An edit may close the object early or hide `inputs`; serde_json sees the whole body.
        let expected = match serde_json::from_str::<serde_json::Value>(&body) {
            Ok(document) => document.get("inputs") == Some(&serde_json::json!([[1, 2]])),
            // A skipped number may be of any size; what follows it serde_json has not looked at.
            Err(error) if error.to_string().contains("number out of range") => return Ok(()),
            Err(_) => false,
        };
        let taken = parse_json(Protocol::Tensorflow, &body, &models()[0]);
        prop_assert_eq!(taken.is_ok(), expected, "{} {:?}", body, taken);
    }

    #[test]
    fn any_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        feed(&body, None);
    }
}

/// Peak resident memory of this process.
#[cfg(target_os = "linux")]
fn peak_resident_kib() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_megabytes_of_brackets_are_refused_at_the_depth_limit() {
    let mut body = br#"{"skipped":"#.to_vec();
    body.resize(100 << 20, b'[');
    let before_kib = peak_resident_kib();
    for key in [&br#"{"skipped":"#[..], br#"{"inputs": "#, br#"{"inputs":[{"data":"#] {
        body[..key.len()].copy_from_slice(key);
        for protocol in PROTOCOLS {
            // The last model has one input, so nothing is refused for want of a name.
            let refused = refusal(parse_json(protocol, &body, &models()[2]));
            let direct = protocol == Protocol::OpenInference && key.ends_with(b": ");
            let expected = if direct { "got a list" } else { "nests deeper than 32 levels" };
            let foreign = protocol == Protocol::Tensorflow && key.ends_with(b"data\":");
            let expected = if foreign { "got an object" } else { expected };
            assert!(refused.contains(expected), "{protocol:?}: {refused}");
        }
    }
    let grown_kib = peak_resident_kib() - before_kib;
    assert!(grown_kib < 16 * 1024, "{grown_kib} KiB");
}

#[test]
fn a_hundred_levels_are_refused_wherever_they_stand() {
    let model = &models()[2];
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let objects = format!("{}1{}", r#"{"k":"#.repeat(100), "}".repeat(100));
    for body in [
        format!(r#"{{"inputs":{deep}}}"#),
        format!(r#"{{"instances":{deep}}}"#),
        format!(r#"{{"other":{deep}}}"#),
        format!(r#"{{"other":{objects}}}"#),
        format!(r#"{{"inputs":[{{"name":"x","datatype":"BYTES","shape":[1],"data":{deep}}}]}}"#),
        format!(r#"{{"inputs":[{{"data":{deep},"name":"x"}}]}}"#),
        format!(r#"{{"inputs":[{{"name":"x","parameters":{objects}}}]}}"#),
        format!(r#"{{"outputs":[{{"parameters":{objects}}}]}}"#),
    ] {
        let refused = refusal(parse_json(Protocol::Auto, &body, model));
        assert!(refused.contains("nests deeper than 32 levels"), "{body}: {refused}");
    }
    let thirty_two = format!(r#"{{"inputs":{}"a"{}}}"#, "[".repeat(32), "]".repeat(32));
    assert!(parse_json(Protocol::Auto, thirty_two, model).is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn declared_sizes_are_not_allocated() {
    let open = signature(&["x: float32[...]"], &["y: float32[n]"]);
    let fixed = signature(&["x: float32[1000000,1000000]"], &["y: float32[n]"]);
    let before_kib = peak_resident_kib();
    for shape in [
        "[1000000000]",
        "[1000000000,0]",
        "[1000000,1000000]",
        "[18446744073709551615]",
        "[4294967296,4294967296,4294967296]",
        "[9223372036854775807,2]",
        &format!("[{}1]", "1,".repeat(100_000)),
    ] {
        for source in [r#""data":[1]"#, r#""data":[]"#, r#""parameters":{"binary_data_size":4}"#] {
            let body = format!(
                r#"{{"inputs":[{{"name":"x","datatype":"FP32","shape":{shape},{source}}}]}}"#
            );
            for model in [&open, &fixed] {
                let refused = parse_json(Protocol::OpenInference, &body, model);
                assert_eq!(refused.unwrap_err().status(), 400, "{shape} {source}");
            }
        }
    }
    for body in [r#"{"instances":[[1]]}"#, r#"{"inputs":[[1]]}"#] {
        assert!(parse_json(Protocol::Tensorflow, body, &fixed).is_err());
    }
    let grown_kib = peak_resident_kib() - before_kib;
    assert!(grown_kib < 64 * 1024, "{grown_kib} KiB");
}

#[test]
fn long_strings_and_numbers_are_bounded() {
    let text = signature(&["x: string[n]"], &[]);
    let long = format!(r#"{{"inputs":["{}"]}}"#, "a".repeat((16 << 20) + 1));
    assert_eq!(
        refusal(parse_json(Protocol::Auto, long, &text)),
        "400 input `x`: a string is longer than 16 MiB at byte 11"
    );
    let number = signature(&["x: float64[]"], &[]);
    let digits = format!(r#"{{"inputs":1{}.5}}"#, "0".repeat(1 << 20));
    let refused = refusal(parse_json(Protocol::Auto, digits, &number));
    assert!(refused.starts_with("400 input `x`: `1000"), "{refused}");
    assert!(refused.ends_with("…` is out of range for float64, at byte 10"), "{refused}");
    let fraction = format!(r#"{{"inputs":0.{}1}}"#, "0".repeat(1 << 20));
    assert!(parse_json(Protocol::Auto, fraction, &number).is_ok());
}
