//! What a request body is, told from its bytes, and the headers that say so.

use crate::spec::Secret;
use serde::Deserialize;

/// The first bytes of an npy file.
const NPY_MAGIC: &[u8] = b"\x93NUMPY";
/// The header that says where JSON ends and binary tensors begin (Open Inference Protocol, binary
/// tensor data extension).
const JSON_LENGTH: &str = "inference-header-content-length";

/// What an Open Inference request with binary tensors begins with, as far as it says so.
#[derive(Deserialize)]
struct Head {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Deserialize, Default)]
struct Parameters {
    binary_data_size: Option<usize>,
}

/// The headers that tell a server what this body is.
pub(super) fn headers(body: &[u8]) -> Vec<(String, String)> {
    let content_type = |kind: &str| ("content-type".to_owned(), kind.to_owned());
    if body.starts_with(NPY_MAGIC) {
        return vec![content_type("application/x-npy")];
    }
    match json_bytes(body) {
        Some(length) => vec![
            content_type("application/octet-stream"),
            (JSON_LENGTH.to_owned(), length.to_string()),
        ],
        None => vec![content_type("application/json")],
    }
}

/// Length of the JSON that binary tensors follow; `None` when the body is not of that form. It is
/// when what follows the JSON is exactly as long as the JSON says.
fn json_bytes(body: &[u8]) -> Option<usize> {
    let mut documents = serde_json::Deserializer::from_slice(body).into_iter::<Head>();
    let head = documents.next()?.ok()?;
    let length = documents.byte_offset();
    let sizes = head.inputs.iter().filter_map(|input| input.parameters.binary_data_size);
    let binary_bytes = sizes.fold(0_usize, usize::saturating_add);
    (binary_bytes > 0 && length.checked_add(binary_bytes) == Some(body.len())).then_some(length)
}

/// Adds headers that are not given already.
pub(super) fn add_missing(to: &mut Vec<(String, String)>, headers: Vec<(String, String)>) {
    for (name, value) in headers {
        if !to.iter().any(|(given, _)| given.eq_ignore_ascii_case(&name)) {
            to.push((name, value));
        }
    }
}

/// Adds a header whose value is a secret.
pub(super) fn add_secret(to: &mut Vec<(String, String)>, name: &str, prefix: &str, value: &Secret) {
    to.push((name.to_owned(), format!("{prefix}{}", value.expose())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &[u8]) -> Vec<(String, String)> {
        headers(body)
    }

    fn kind(body: &[u8]) -> String {
        form(body).remove(0).1
    }

    #[test]
    fn the_bytes_say_what_they_are() {
        assert_eq!(kind(b"\x93NUMPY\x01\x00"), "application/x-npy");
        assert_eq!(kind(br#"{"instances": [[1]]}"#), "application/json");
        assert_eq!(kind(br#"{"instances": [NaN]}"#), "application/json");
        assert_eq!(kind(b""), "application/json");
        let json = br#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32",
            "parameters":{"binary_data_size":4}},{"name":"y","data":[1]}]}"#;
        assert_eq!(kind(json), "application/json", "nothing follows");
        let whole = [&json[..], &[0, 0, 128, 63]].concat();
        let expected = [
            ("content-type".to_owned(), "application/octet-stream".to_owned()),
            (JSON_LENGTH.to_owned(), json.len().to_string()),
        ];
        assert_eq!(form(&whole), expected);
        assert_eq!(kind(&whole[..whole.len() - 1]), "application/json", "too short");
        let huge = br#"{"inputs":[{"parameters":{"binary_data_size":18446744073709551615}}]}x"#;
        assert_eq!(kind(huge), "application/json");
    }
}
