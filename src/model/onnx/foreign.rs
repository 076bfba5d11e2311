//! What a file that is no ONNX model most likely is, told by its first bytes.

/// A kind of file that people have in place of an ONNX model.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What the file looks like, with its article.
    pub looks_like: &'static str,
    /// How to come from there to an ONNX model.
    pub hint: &'static str,
}

const EXPORT_TORCH: &str = "export the model: `torch.onnx.export(model, example, \"model.onnx\")`";
const EXPORT_SAVED_MODEL: &str = "make an ONNX model of its folder: \
     `python -m tf2onnx.convert --saved-model DIR --output model.onnx`";
const EXPORT_KERAS: &str = "save the model as a SavedModel and make an ONNX model of that: \
     `python -m tf2onnx.convert --saved-model DIR --output model.onnx`";
const EXPORT_TFLITE: &str = "make an ONNX model of it: \
     `python -m tf2onnx.convert --tflite FILE --output model.onnx`";
const NAME_THE_MODEL: &str = "name the `.onnx` file";

static LFS_POINTER: Foreign = Foreign {
    looks_like: "a Git LFS pointer (the model itself was not downloaded)",
    hint: "`git lfs pull` fetches the model",
};
static HTML: Foreign = Foreign {
    looks_like: "an HTML page",
    hint: "the download gave a page in place of the file: use the file's direct link",
};
static TEXT: Foreign = Foreign { looks_like: "a text file", hint: NAME_THE_MODEL };
static UNKNOWN: Foreign = Foreign { looks_like: "bytes of another kind", hint: NAME_THE_MODEL };
static PICKLE: Foreign =
    Foreign { looks_like: "a Python pickle (PyTorch or scikit-learn)", hint: EXPORT_TORCH };
/// A `saved_model.pb`, which can be told only once it turns out to have no graph.
pub(super) static SAVED_MODEL: Foreign =
    Foreign { looks_like: "a TensorFlow SavedModel", hint: EXPORT_SAVED_MODEL };

/// Offset, bytes found there, kind. Sources: each format's own specification. The zeros are the high
/// bytes of a length or offset, without which a model's producer name could be mistaken.
static MAGIC: [(usize, &[u8], Foreign); 8] = [
    (
        0,
        b"PK\x03\x04",
        Foreign { looks_like: "a zip archive (PyTorch, Keras or another)", hint: EXPORT_TORCH },
    ),
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        Foreign { looks_like: "an HDF5 file (Keras `.h5`)", hint: EXPORT_KERAS },
    ),
    (
        0,
        b"\x1f\x8b",
        Foreign { looks_like: "a gzip file", hint: "unpack it and name the model inside" },
    ),
    (1, b"\0\0\0TFL3", Foreign { looks_like: "a TensorFlow Lite model", hint: EXPORT_TFLITE }),
    (
        1,
        b"\0\0\0ORTM",
        Foreign {
            looks_like: "an ORT-format model",
            hint: "name the `.onnx` file that it was made from",
        },
    ),
    (
        5,
        b"\0\0\0{\"",
        Foreign {
            looks_like: "a safetensors file, which holds weights and no graph",
            hint: EXPORT_TORCH,
        },
    ),
    (
        0,
        b"GGUF",
        Foreign {
            looks_like: "a GGUF file, which holds weights and no graph",
            hint: "export the model to ONNX from the framework that it came from",
        },
    ),
    (
        0,
        b"\x93NUMPY",
        Foreign { looks_like: "a numpy array, perhaps an input", hint: NAME_THE_MODEL },
    ),
];

/// What a file with these first bytes is, unless it may be a model.
pub(super) fn recognise(head: &[u8]) -> Option<&'static Foreign> {
    let magic = MAGIC.iter().find(|(offset, bytes, _)| {
        head.get(*offset..).is_some_and(|from_there| from_there.starts_with(bytes))
    });
    if let Some((_, _, foreign)) = magic {
        return Some(foreign);
    }
    // The opcode PROTO and its number; protocols before 2 have no such start.
    if let [0x80, 2..=5, ..] = head {
        return Some(&PICKLE);
    }
    if head.starts_with(b"version https://git-lfs") {
        return Some(&LFS_POINTER);
    }
    if is_text(head) {
        let start = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
        let html = start.starts_with("<!doctype html") || start.starts_with("<html");
        return Some(if html { &HTML } else { &TEXT });
    }
    (!starts_like_a_model(head)).then_some(&UNKNOWN)
}

/// Whether the first byte is the tag of a `ModelProto` field: numbers 1 (`ir_version`) and 5 are
/// varints, the others strings or messages.
fn starts_like_a_model(head: &[u8]) -> bool {
    let Some(tag) = head.first() else { return false };
    match (tag >> 3, tag & 7) {
        (1 | 5, wire_type) => wire_type == 0,
        (2..=8 | 14, wire_type) => wire_type == 2,
        _ => false,
    }
}

/// Text has no control characters but white space; a model's own tags are such.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The window may end inside a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty()
        && !valid.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}
