//! From the facts of an artefact to its files, in the one order that every artefact has.

use super::archive::Packed;
use super::binaries::Binaries;
use super::entry::{Entry, Part, Source};
use super::error::{Error, MODEL};
use super::report::Form;
use crate::model::{Digest, Signature, onnx};
use crate::spec::artefact::{
    BOOTSTRAP_FILE, LIBRARY_FOLDER, MANIFEST_FILE, MODEL_FILE, MODEL_FOLDER, SCHEMA,
};
use crate::spec::limits::{LAMBDA_IMAGE_BYTES_MAX, LAMBDA_UNZIPPED_BYTES_MAX};
use crate::spec::{Architecture, ArtefactManifest};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The model's files as they are packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The model.
    pub model: PathBuf,
    /// Its external data: the name that the model knows, and the file. In the order of the names.
    pub external: BTreeMap<String, PathBuf>,
}

impl ModelFiles {
    /// The files of a model as it was given.
    ///
    /// # Errors
    /// An external-data file has the name that the model itself gets, or lies outside its folder.
    pub fn of(path: &Path, facts: &onnx::Facts) -> Result<Self, Error> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut external = BTreeMap::new();
        for tensor in &facts.external_data {
            let location = &tensor.location;
            let refuse = |reason| {
                let (path, location) = (path.to_path_buf(), location.clone());
                Err(Error::ExternalData { path, location, reason })
            };
            let inside =
                Path::new(location).components().all(|c| matches!(c, Component::Normal(_)));
            if location.is_empty() || !inside {
                return refuse("is not inside the model's folder");
            }
            if location == MODEL_FILE {
                return refuse("has the name that the model gets");
            }
            external.insert(location.clone(), folder.join(location));
        }
        Ok(Self { model: path.to_path_buf(), external })
    }
}

/// Refuses, before any work, what Lambda would not take in this form: a model whose files are beyond
/// the limit together with the programs.
///
/// # Errors
/// The files have more than 250 MB together (10 GB in an image), or one cannot be looked at.
pub fn check_model_fits(form: Form, binaries: &Binaries, model: &ModelFiles) -> Result<(), Error> {
    let mut bytes = binaries.program.bytes.len() as u64 + binaries.onnxruntime.bytes.len() as u64;
    for path in std::iter::once(&model.model).chain(model.external.values()) {
        let metadata = fs_err::metadata(path).map_err(|error| unreadable(path, &error))?;
        bytes = bytes.saturating_add(metadata.len());
    }
    match form {
        Form::LambdaZip if bytes > LAMBDA_UNZIPPED_BYTES_MAX => Err(Error::Unzipped { bytes }),
        Form::LambdaImage if bytes > LAMBDA_IMAGE_BYTES_MAX => Err(Error::ImageTooLarge { bytes }),
        _ => Ok(()),
    }
}

/// What goes into an artefact.
#[derive(Debug)]
pub struct Contents<'a> {
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// The version tag.
    pub version: &'a str,
    /// The processor.
    pub architecture: Architecture,
    /// Programs and libraries.
    pub binaries: Binaries,
    /// Version of ONNX Runtime, as far as it is known.
    pub onnxruntime_version: Option<&'a str>,
    /// The model's files.
    pub model: ModelFiles,
    /// Digest of the model file as it was given.
    pub model_digest: Digest,
    /// Whether `model` was optimised.
    pub optimized: bool,
    /// Inputs and outputs of the model as it was given.
    pub signature: Signature,
}

impl Contents<'_> {
    /// The manifest and the files: `bootstrap`, `gwtf.json`, libraries, model.
    pub fn entries(self) -> (ArtefactManifest, Vec<Entry>) {
        let library = match self.onnxruntime_version {
            Some(version) => format!("{LIBRARY_FOLDER}/libonnxruntime.so.{version}"),
            None => format!("{LIBRARY_FOLDER}/libonnxruntime.so"),
        };
        let manifest = ArtefactManifest {
            schema: SCHEMA.to_owned(),
            endpoint: self.endpoint.to_owned(),
            version: self.version.to_owned(),
            architecture: self.architecture,
            model: format!("{MODEL_FOLDER}/{MODEL_FILE}"),
            model_digest: self.model_digest,
            optimized: self.optimized,
            onnxruntime: library.clone(),
            onnxruntime_version: self.onnxruntime_version.unwrap_or("unknown").to_owned(),
            signature: self.signature,
        };
        let mut document = serde_json::to_vec_pretty(&manifest).expect("plain data");
        document.push(b'\n');
        let entry =
            |path: String, executable, part, source| Entry { path, executable, part, source };
        let program = Source::Bytes(self.binaries.program.bytes);
        let onnxruntime = Source::Bytes(self.binaries.onnxruntime.bytes);
        let mut entries = vec![
            entry(BOOTSTRAP_FILE.to_owned(), true, Part::Runtime, program),
            entry(MANIFEST_FILE.to_owned(), false, Part::Model, Source::Bytes(document.into())),
            entry(library, false, Part::OnnxRuntime, onnxruntime),
        ];
        entries.extend(self.binaries.system.into_iter().map(|(name, loaded)| {
            let path = format!("{LIBRARY_FOLDER}/{name}");
            entry(path, false, Part::SystemLibrary, Source::Bytes(loaded.bytes))
        }));
        let model = Source::File(self.model.model);
        entries.push(entry(manifest.model.clone(), false, Part::Model, model));
        entries.extend(self.model.external.into_iter().map(|(name, path)| {
            entry(format!("{MODEL_FOLDER}/{name}"), false, Part::Model, Source::File(path))
        }));
        (manifest, entries)
    }
}

/// Refuses what Lambda would not unpack.
///
/// # Errors
/// The files have more than 250 MB together, or one cannot be looked at.
pub fn check_unzipped(entries: &[Entry]) -> Result<u64, Error> {
    let mut bytes = 0_u64;
    for entry in entries {
        bytes = bytes.saturating_add(entry.raw_bytes()?);
    }
    if bytes > LAMBDA_UNZIPPED_BYTES_MAX {
        return Err(Error::Unzipped { bytes });
    }
    Ok(bytes)
}

impl Entry {
    /// What it is outside of any archive: its stored size is not known.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn packed(&self) -> Result<Packed, Error> {
        let (digest, raw_bytes) = self.source.digest().map_err(|error| match &self.source {
            Source::File(path) => unreadable(path, &error),
            Source::Bytes(_) => unreadable(Path::new(&self.path), &error),
        })?;
        let (path, part) = (self.path.clone(), self.part);
        Ok(Packed { path, part, digest, raw_bytes, stored_bytes: 0 })
    }

    /// Its size.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub fn raw_bytes(&self) -> Result<u64, Error> {
        match &self.source {
            Source::Bytes(bytes) => Ok(bytes.len() as u64),
            Source::File(path) => fs_err::metadata(path)
                .map(|metadata| metadata.len())
                .map_err(|error| unreadable(path, &error)),
        }
    }
}

/// Digest of a file.
///
/// # Errors
/// It cannot be read.
pub fn digest_of(path: &Path) -> Result<Digest, Error> {
    let read = fs_err::File::open(path).and_then(Digest::of_reader);
    read.map(|(digest, _)| digest).map_err(|error| unreadable(path, &error))
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Read { what: MODEL, path: path.to_path_buf(), source: error.kind().into() }
}
