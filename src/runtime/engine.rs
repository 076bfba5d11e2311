//! The loaded library: one for the whole process.

use super::library::Library;
use super::message;
use crate::error::{Exit, Explain};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// ONNX Runtime, loaded. A clone is the same engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    environment: ort::environment::Environment,
    path: PathBuf,
    version: Option<String>,
    primed: Once,
}

/// `ort` holds its library and its environment in statics and makes no second one, so the first
/// engine stays for the life of the process.
static LOADED: Mutex<Option<Engine>> = Mutex::new(None);

/// Why a library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Not a library of ONNX Runtime, too old, or not loadable on this machine.
    #[error("ONNX Runtime `{path}`: {message}")]
    Load {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        message: String,
    },
    /// Another library is loaded already; a process takes one.
    #[error("ONNX Runtime `{path}`: `{loaded}` is loaded already, and a process takes one library")]
    Second {
        /// The library asked for.
        path: PathBuf,
        /// The library in use.
        loaded: PathBuf,
    },
}

impl Explain for EngineError {
    fn exit(&self) -> Exit {
        Exit::Machine
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Load { .. } => Some(format!(
                "name a library of onnxruntime {} with --onnxruntime or ORT_DYLIB_PATH, or leave \
                 both out to have it fetched",
                super::VERSION
            )),
            Self::Second { .. } => None,
        }
    }
}

impl Engine {
    /// Loads the library, or returns the engine if it is loaded already.
    ///
    /// # Errors
    /// The file is no library of ONNX Runtime, it is older than the API in use, or another one is
    /// loaded.
    pub fn load(library: &Library) -> Result<Self, EngineError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*loaded {
            return if engine.inner.path == library.path {
                Ok(engine.clone())
            } else {
                Err(EngineError::Second {
                    path: library.path.clone(),
                    loaded: engine.inner.path.clone(),
                })
            };
        }
        let environment = environment(&library.path)
            .map_err(|message| EngineError::Load { path: library.path.clone(), message })?;
        let engine = Self {
            inner: Arc::new(Inner {
                environment,
                path: library.path.clone(),
                version: library.version.clone(),
                primed: Once::new(),
            }),
        };
        *loaded = Some(engine.clone());
        Ok(engine)
    }

    /// The library's version (`1.32.0`) as far as it is known from the file.
    pub fn version(&self) -> Option<&str> {
        self.inner.version.as_deref()
    }

    /// The library's path.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// What the library says of its build.
    pub fn build_info(&self) -> &'static str {
        ort::info()
    }

    /// Opens the smallest model, once. The first session of a process registers every operator (8
    /// MB, 3 ms), which must not look like the memory of the first real model.
    pub(super) fn prime(&self) {
        const SMALLEST: &[u8] = include_bytes!("../../fixtures/runtime/scalar.onnx");
        self.inner.primed.call_once(|| {
            let builder = ort::session::Session::builder(&self.inner.environment);
            // Whatever is wrong here shows, with its cause, when a model is opened.
            let _ = builder
                .and_then(|builder| builder.with_intra_threads(1)?.commit_from_memory(SMALLEST));
        });
    }

    pub(super) fn environment(&self) -> &ort::environment::Environment {
        &self.inner.environment
    }
}

fn environment(path: &Path) -> Result<ort::environment::Environment, String> {
    // `ort` asserts on a library whose `OrtGetApiBase` gives nothing; such a file is the person's
    // mistake and must end as an error.
    let built = std::panic::catch_unwind(|| {
        let builder = ort::init_from(path).map_err(|error| load_message(&error))?;
        // ONNX Runtime writes to stderr unless a logger takes its lines; everything that matters
        // comes back as an error as well.
        let environment = builder
            .with_name("gwtf")
            .with_telemetry(false)
            .with_logger(Arc::new(|_, _, _, _, _| {}))
            .build()
            .map_err(|error| message::trim(error.message()))?;
        environment.set_log_level(ort::logging::LogLevel::Fatal);
        Ok(environment)
    });
    built.unwrap_or_else(|_| Err("it does not offer ONNX Runtime's API".to_owned()))
}

fn load_message(error: &ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, .. } => error.to_string(),
        ort::LoadDynamicError::MissingApi { .. } => {
            "it is not ONNX Runtime: it has no `OrtGetApiBase`".to_owned()
        }
        ort::LoadDynamicError::InvalidVersionString => "its version is not readable".to_owned(),
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            format!("version {version_str} is too old: 1.{}.0 is the oldest", ort::MINOR_VERSION)
        }
    }
}
