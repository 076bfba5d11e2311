//! The files of an artefact, in their one order: the program, the manifest, libraries, the model.

use super::{Entry, Part, Source};
use crate::model::onnx::Facts;
use crate::spec::ArtefactManifest;
use crate::spec::artefact::{
    BOOTSTRAP_FILE, LIBRARY_FOLDER, MANIFEST_FILE, MODEL_FILE, MODEL_FOLDER,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A model file and the files that hold its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The ONNX file.
    pub file: PathBuf,
    /// External data: its path relative to the model, `/` between its segments, and where it is.
    pub external: Vec<(String, PathBuf)>,
}

impl ModelFiles {
    /// The model at `file` with the external data that `facts`, read from it, name.
    pub fn of(file: &Path, facts: &Facts) -> Self {
        let folder = file.parent().unwrap_or(Path::new(""));
        let locations: BTreeSet<&str> =
            facts.external_data.iter().map(|tensor| tensor.location.as_str()).collect();
        let external = locations.into_iter().map(|location| {
            // `./weights.bin` and `weights.bin` are one file.
            let segments = location.split('/').filter(|segment| !matches!(*segment, "" | "."));
            (segments.collect::<Vec<_>>().join("/"), folder.join(location))
        });
        let external: BTreeSet<(String, PathBuf)> = external.collect();
        Self { file: file.to_owned(), external: external.into_iter().collect() }
    }
}

/// The path of a library in an artefact.
pub fn library_path(file_name: &str) -> String {
    format!("{LIBRARY_FOLDER}/{file_name}")
}

/// The path of the model in an artefact.
pub fn model_path() -> String {
    format!("{MODEL_FOLDER}/{MODEL_FILE}")
}

/// The entries of an artefact. `system_libraries` are those that its target lacks.
pub fn entries(
    manifest: &ArtefactManifest,
    program: &Path,
    onnxruntime: &Path,
    system_libraries: Vec<Entry>,
    model: &ModelFiles,
) -> Vec<Entry> {
    let file = |path: String, executable: bool, part: Part, file: &Path| Entry {
        path,
        executable,
        part,
        source: Source::File(file.to_owned()),
    };
    let mut manifest_bytes =
        serde_json::to_vec_pretty(manifest).expect("a manifest has no fallible type");
    manifest_bytes.push(b'\n');
    let mut entries = vec![
        file(BOOTSTRAP_FILE.to_owned(), true, Part::Runtime, program),
        Entry {
            path: MANIFEST_FILE.to_owned(),
            executable: false,
            part: Part::Model,
            source: Source::Bytes(manifest_bytes.into()),
        },
        file(manifest.onnxruntime.clone(), false, Part::OnnxRuntime, onnxruntime),
    ];
    entries.extend(system_libraries);
    entries.push(file(manifest.model.clone(), false, Part::Model, &model.file));
    entries.extend(model.external.iter().map(|(relative, place)| {
        file(format!("{MODEL_FOLDER}/{relative}"), false, Part::Model, place)
    }));
    entries
}
