//! An unpacked artefact, and loading what lies in it.
//!
//! `spec::artefact` has the layout and checks the manifest; what the environment puts above it is
//! checked here.

use crate::error::chain;
use crate::model::{Signature, TensorSpec};
use crate::release::Version;
use crate::runtime::{
    Engine, EngineError, Library, OpenError, Origin, Pool, PoolOptions, Session, SessionOptions,
};
use crate::spec::ArtefactManifest;
use crate::spec::artefact::{Architecture, MANIFEST_BYTES_MAX, MANIFEST_FILE, is_name};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// An artefact whose manifest has been read.
#[derive(Debug, Clone)]
pub struct Artefact {
    root: PathBuf,
    manifest: ArtefactManifest,
}

/// Why an artefact cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The manifest is missing or not readable.
    #[error("artefact `{root}`: its manifest is not readable")]
    Unreadable {
        /// The artefact's root.
        root: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The manifest is not one, or asks for what this program does not do.
    #[error(
        "artefact `{root}` is not usable as `gwtf.json` and the environment have it: {message}"
    )]
    Manifest {
        /// The artefact's root.
        root: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// ONNX Runtime cannot be loaded.
    #[error(transparent)]
    Library(#[from] EngineError),
    /// The model cannot be opened.
    #[error(transparent)]
    Model(#[from] OpenError),
    /// The model is not the one that the manifest tells of.
    #[error("model `{path}`: it takes and gives {found}, its manifest says {declared}")]
    Signature {
        /// The model.
        path: PathBuf,
        /// Inputs and outputs of the model.
        found: String,
        /// Inputs and outputs in the manifest.
        declared: String,
    },
    /// Loading it panicked.
    #[error("loading the model ended in a defect of gwtf; the log has its place")]
    Panicked,
    /// The machine refuses what serving needs.
    #[error("{action}")]
    System {
        /// What was being done.
        action: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl StartError {
    /// Lambda's `Category.Reason` (custom runtimes, "Initialization error").
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::Manifest { .. } => "Runtime.InvalidArtefact",
            Self::Library(_) => "Runtime.LibraryNotLoaded",
            Self::Model(_) | Self::Signature { .. } => "Runtime.ModelNotLoaded",
            Self::Panicked => "Runtime.Panic",
            Self::System { .. } => "Runtime.SystemError",
        }
    }

    /// The message with its causes.
    pub fn message(&self) -> String {
        chain(self)
    }
}

/// What stands above the manifest, from the environment.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The version tag.
    pub version: Option<String>,
    /// The endpoint's name.
    pub endpoint: Option<String>,
}

impl Artefact {
    /// Reads the manifest of the artefact at `root`.
    ///
    /// # Errors
    /// It is missing, too long, no manifest of this schema and architecture, or its paths and names
    /// are not usable.
    pub fn read(root: impl Into<PathBuf>, overrides: Overrides) -> Result<Self, StartError> {
        let root = root.into();
        // A relative path of a library would be looked for elsewhere first.
        let root = std::path::absolute(&root).unwrap_or(root);
        let bytes = match read_bounded(&root.join(MANIFEST_FILE)) {
            Ok(bytes) => bytes,
            Err(source) => return Err(StartError::Unreadable { root, source }),
        };
        match manifest(&bytes, overrides) {
            Ok(manifest) => Ok(Self { root, manifest }),
            Err(message) => Err(StartError::Manifest { root, message }),
        }
    }

    /// The endpoint's name.
    pub fn endpoint(&self) -> &str {
        &self.manifest.endpoint
    }

    /// The version tag.
    pub fn version(&self) -> &str {
        &self.manifest.version
    }

    /// Opens one session with this many threads and runs it once.
    ///
    /// # Errors
    /// The library or the model is not usable, or not what the manifest says.
    pub fn open_session(&self, intra_threads: usize) -> Result<Session, StartError> {
        let options = SessionOptions { intra_threads, optimize: !self.manifest.optimized };
        let mut session = Session::open(&self.engine()?, &self.model_path(), &options)?;
        self.check_signature(session.signature())?;
        // A model that does not take zeros is warmed up by its first request.
        let _ = session.warm_up();
        Ok(session)
    }

    /// Opens a pool of sessions for this many cores.
    ///
    /// # Errors
    /// As [`Artefact::open_session`].
    pub fn open_pool(&self, cores: usize) -> Result<Pool, StartError> {
        let defaults = PoolOptions::defaults_for(cores);
        let options = PoolOptions { optimize: !self.manifest.optimized, ..defaults };
        let pool = Pool::open(&self.engine()?, &self.model_path(), &options)?;
        self.check_signature(pool.signature())?;
        Ok(pool)
    }

    fn engine(&self) -> Result<Engine, StartError> {
        let library = Library {
            path: self.root.join(&self.manifest.onnxruntime),
            version: Some(self.manifest.onnxruntime_version.clone()),
            origin: Origin::Artefact,
        };
        Ok(Engine::load(&library)?)
    }

    fn model_path(&self) -> PathBuf {
        self.root.join(&self.manifest.model)
    }

    /// Optimisation may tell more of a shape than the file declares, so names and types count.
    fn check_signature(&self, found: &Signature) -> Result<(), StartError> {
        let declared = &self.manifest.signature;
        let same = |a: &[TensorSpec], b: &[TensorSpec]| {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| a.name == b.name && a.dtype == b.dtype)
        };
        if same(&found.inputs, &declared.inputs) && same(&found.outputs, &declared.outputs) {
            return Ok(());
        }
        let text = |signature: &Signature| {
            let list = |specs: &[TensorSpec]| -> Vec<String> {
                specs.iter().map(|spec| format!("{}: {}", spec.name, spec.type_text())).collect()
            };
            format!(
                "({}) -> ({})",
                list(&signature.inputs).join(", "),
                list(&signature.outputs).join(", ")
            )
        };
        let (found, declared) = (text(found), text(declared));
        Err(StartError::Signature { path: self.model_path(), found, declared })
    }
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn manifest(bytes: &[u8], overrides: Overrides) -> Result<ArtefactManifest, String> {
    let mut manifest = ArtefactManifest::parse(bytes).map_err(|error| error.to_string())?;
    if Architecture::host() != Some(manifest.architecture) {
        let own = std::env::consts::ARCH;
        return Err(format!("it is for {}, this program for {own}", manifest.architecture));
    }
    let of = |variable, is_set: bool| if is_set { variable } else { "the manifest's" };
    let version_of = of("GWTF_VERSION's", overrides.version.is_some());
    let endpoint_of = of("GWTF_ENDPOINT's", overrides.endpoint.is_some());
    manifest.version = overrides.version.unwrap_or(manifest.version);
    manifest.endpoint = overrides.endpoint.unwrap_or(manifest.endpoint);
    manifest
        .version
        .parse::<Version>()
        .map_err(|error| format!("{version_of} version: {error}"))?;
    if !is_name(&manifest.endpoint) {
        let name = &manifest.endpoint;
        return Err(format!("{endpoint_of} endpoint: `{name}` is no name of an endpoint"));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests;
