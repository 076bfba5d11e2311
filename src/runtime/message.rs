//! ONNX Runtime's error texts, cut down to what a person can use.
//!
//! The library's messages carry its own source paths and C++ signatures, the model's path (which
//! our errors name already) and line breaks. [`trim`] keeps the sentence. The forms handled are
//! those of onnxruntime 1.32 (`core/common/status.cc`, `make_string.h`, `code_location.h`).

/// Characters kept of a message: longer ones list whole graphs.
const MESSAGE_CHARS_MAX: usize = 400;

/// The sentence inside a message of ONNX Runtime, on one line and without a full stop.
pub(super) fn trim(raw: &str) -> String {
    let raw = raw.split("\nStacktrace:").next().unwrap_or(raw);
    let line = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = without_load_prefix(&line);
    let line = without_code_location(line);
    let line = node_first(&line);
    shorten(line.trim().trim_end_matches(['.', ',', ' ']))
}

/// Drops `Load model from PATH failed:`; the path may hold anything but that word.
fn without_load_prefix(line: &str) -> &str {
    match line.strip_prefix("Load model from ").and_then(|rest| rest.split_once(" failed:")) {
        Some((_, rest)) => rest,
        None => line,
    }
}

/// Drops `…/file.cc:NNN signature(…)`, wherever it stands.
fn without_code_location(line: &str) -> String {
    let mut kept = line.to_owned();
    // Nested statuses carry a location each; the bound only guards against a message made to loop.
    for _ in 0..8 {
        let Some((start, end)) = code_location(&kept) else { break };
        kept.replace_range(start..end, "");
    }
    kept
}

/// Byte range of the first code location: file, line, and the function that follows.
fn code_location(line: &str) -> Option<(usize, usize)> {
    let (dot, after) =
        [".cc:", ".h:", ".cpp:"].iter().filter_map(|mark| find_located(line, mark)).min()?;
    let path_start = line[..dot].rfind([' ', '"', '(', ':']).map_or(0, |at| at + 1);
    let function = line[after..].trim_start();
    let function_start = line.len() - function.len();
    let is_full_path = line[path_start..dot].contains('/');
    let length = if is_full_path { signature_length(function) } else { word_length(function) };
    Some((path_start, function_start + length))
}

/// Where `mark` begins and where the line number after it ends.
fn find_located(line: &str, mark: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(at) = line[from..].find(mark) {
        let (dot, digits) = (from + at, from + at + mark.len());
        let count = line[digits..].bytes().take_while(u8::is_ascii_digit).count();
        if count > 0 {
            return Some((dot, digits + count));
        }
        from = digits;
    }
    None
}

fn word_length(text: &str) -> usize {
    text.find(' ').map_or(text.len(), |at| at + 1)
}

/// Bytes of a C++ signature at the start of `text`, through its last parenthesis.
fn signature_length(text: &str) -> usize {
    let mut length = 0;
    loop {
        let rest = &text[length..];
        let Some(open) = rest.find('(') else { break };
        // Past the first group only a group that follows at once belongs to it: `operator()(…)`.
        if length > 0 && open > 0 {
            break;
        }
        let Some(close) = closing(&rest[open..]) else { break };
        length += open + close;
    }
    for tail in [" const", " noexcept"] {
        if text[length..].starts_with(tail) {
            length += tail.len();
        }
    }
    if text[length..].starts_with(" [with ") {
        length += text[length..].find(']').map_or(0, |at| at + 1);
    }
    length
}

/// Bytes through the parenthesis that closes the one at the start of `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Turns `Non-zero status code returned while running OP node. Name:'N' Status Message: X` into
/// `OP node \`N\`: X`.
fn node_first(line: &str) -> String {
    let parts = line
        .strip_prefix("Non-zero status code returned while running ")
        .and_then(|rest| rest.split_once(" node. Name:'"))
        .and_then(|(operator, rest)| {
            rest.split_once("' Status Message: ").map(|(name, message)| (operator, name, message))
        });
    match parts {
        Some((operator, "", message)) => format!("{operator} node: {}", message.trim()),
        Some((operator, name, message)) => format!("{operator} node `{name}`: {}", message.trim()),
        None => line.to_owned(),
    }
}

fn shorten(line: &str) -> String {
    match line.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as onnxruntime 1.32.0 wrote them, beside what is kept.
    #[test]
    fn the_sentence_is_kept() {
        let cases = [
            (
                "Load model from /tmp/a b.onnx failed:Protobuf parsing failed.",
                "Protobuf parsing failed",
            ),
            (
                "Load model from m.onnx failed:/onnxruntime_src/onnxruntime/core/graph/model.cc:256 \
                 onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&, \
                 const onnxruntime::ModelOptions&) Unsupported model IR version: 99, max supported \
                 IR version: 14\n",
                "Unsupported model IR version: 99, max supported IR version: 14",
            ),
            (
                "Non-zero status code returned while running Add node. Name:'' Status Message: \
                 /onnxruntime_src/onnxruntime/core/providers/cpu/math/element_wise_ops.h:563 void \
                 onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == \
                 largest was false. Attempting to broadcast an axis by a dimension other than 1. \
                 2 by 3\n",
                "Add node: axis == 1 || axis == largest was false. Attempting to broadcast an axis \
                 by a dimension other than 1. 2 by 3",
            ),
            (
                "Non-zero status code returned while running Gather node. Name:'pick' Status \
                 Message: indices element out of data bounds, idx=9 must be within the inclusive \
                 range [-4,3]",
                "Gather node `pick`: indices element out of data bounds, idx=9 must be within the \
                 inclusive range [-4,3]",
            ),
            (
                "External data path validation failed for initializer: w. Error: \
                 tensorprotoutils.cc:619 ValidateExternalDataPathFromDir External data path does \
                 not exist: \"/tmp/missing.bin\"",
                "External data path validation failed for initializer: w. Error: External data \
                 path does not exist: \"/tmp/missing.bin\"",
            ),
            (
                "/a/b.cc:1 auto f(int)::(anonymous class)::operator()(const T&) const [with T = \
                 int] it broke",
                "::(anonymous class)::operator()(const T&) const [with T = int] it broke",
            ),
            ("/a/b.cc:12 void X::operator()(int) const it broke\nStacktrace:\n#0 main", "it broke"),
            ("see notes.h: nothing", "see notes.h: nothing"),
            ("", ""),
        ];
        for (raw, kept) in cases {
            assert_eq!(trim(raw), kept, "{raw}");
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let text = trim(&"é".repeat(1000));
        assert_eq!(text.chars().count(), MESSAGE_CHARS_MAX + 1);
        assert!(text.ends_with('…'));
    }

    #[test]
    fn odd_texts_do_not_panic() {
        for text in ["a.cc:1", "a.cc:1 (", "/é.cc:9 (é)é", "/a.h:3 ()()()", ") /a.cc:1 )("] {
            trim(text);
        }
    }
}
