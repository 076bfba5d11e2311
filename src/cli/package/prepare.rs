//! From a model to the files of its artefact: what `package` writes and sandboxes start from.

use super::super::{Context, local};
use crate::config::Settings;
use crate::error::{Exit, Failure, chain};
use crate::package::{
    Binaries, BundleLibstdcxx, Contents, Entry, Form, ModelFiles, Optimization, ProgramPlaces,
    check_model_fits, digest_of, system_folders,
};
use crate::runtime::{self, Engine, Library, Outcome, Session, SessionOptions, Tolerance};
use crate::spec::artefact::MODEL_FILE;
use crate::spec::{Architecture, ArtefactManifest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Seed of the requests that an optimised model is compared on: fixed, so that a package is made
/// or refused the same way each time.
const COMPARISON_SEED: u64 = 0;

/// What an artefact is made of and for.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Wanted {
    pub(in crate::cli) form: Form,
    /// The model file.
    pub(in crate::cli) model: PathBuf,
    /// The version tag.
    pub(in crate::cli) version: String,
    pub(in crate::cli) architecture: Architecture,
    /// The program that `--runtime` names.
    pub(in crate::cli) program: Option<PathBuf>,
    pub(in crate::cli) bundle_libstdcxx: BundleLibstdcxx,
    /// How far outputs of the optimised graph may be off; `None` packs the graph as it is.
    pub(in crate::cli) tolerance: Option<Tolerance>,
}

impl Wanted {
    /// The model as `package` makes a zip of it when nothing more is said, for this machine.
    pub(in crate::cli) fn of_model(model: &Path, version: &str) -> Self {
        Self {
            form: Form::LambdaZip,
            model: model.to_owned(),
            version: version.to_owned(),
            architecture: Architecture::host().unwrap_or(Architecture::X86_64),
            program: None,
            bundle_libstdcxx: BundleLibstdcxx::Never,
            tolerance: Some(TOLERANCE_DEFAULT),
        }
    }

    fn places(&self, context: &Context) -> ProgramPlaces {
        let program = std::env::current_exe().ok();
        ProgramPlaces {
            flag: self.program.as_ref().map(|path| context.environment.folder().join(path)),
            environment: context.environment.path("GWTF_RUNTIME"),
            beside: program.as_deref().and_then(Path::parent).map(|f| f.join("gwtf-runtime")),
        }
    }
}

/// What is allowed when nothing is said.
pub(in crate::cli) const TOLERANCE_DEFAULT: Tolerance = Tolerance { atol: 1e-5, rtol: 1e-3 };

/// Whatever form it gets: the artefact's files and what is known of them.
pub(in crate::cli) struct Prepared {
    pub(in crate::cli) form: Form,
    pub(in crate::cli) manifest: ArtefactManifest,
    pub(in crate::cli) entries: Vec<Entry>,
    pub(in crate::cli) optimization: Optimization,
    pub(in crate::cli) warnings: Vec<String>,
    /// Holds the optimised model until it is packed.
    _folder: TempDir,
}

impl Prepared {
    pub(in crate::cli) fn new(
        wanted: &Wanted,
        settings: &Settings,
        context: &Context,
    ) -> Result<Self, Failure> {
        let Wanted { form, model, architecture, .. } = wanted;
        let (form, architecture) = (*form, *architecture);
        let facts = local::servable_facts(model)?;
        let program = wanted.places(context).find(architecture)?;
        let library = local::library_for(settings, context, linux(architecture))?;
        let mut binaries = Binaries::read(&program, &library.path, architecture)?;
        let given = ModelFiles::of(model, &facts)?;
        if form == Form::LambdaZip {
            let folders = system_folders(architecture);
            binaries.fit_to_lambda(architecture, wanted.bundle_libstdcxx, &folders)?;
        }
        check_model_fits(form, &binaries, &given)?;
        let folder = tempfile::tempdir().map_err(no_temporary_folder)?;
        let optimizing = Optimizing { wanted, settings, context, library: &library };
        let (files, optimization) = optimizing.model(&given, architecture, &folder)?;
        let (manifest, entries) = Contents {
            endpoint: &settings.endpoint(None, Some(model)),
            version: &wanted.version,
            architecture,
            binaries,
            onnxruntime_version: library.version.as_deref(),
            model: files,
            model_digest: digest_of(model)?,
            optimized: matches!(optimization, Optimization::Done { .. }),
            signature: facts.signature,
        }
        .entries();
        let mut warnings = Vec::new();
        if let Optimization::Refused { reason } = &optimization {
            warnings.push(format!("the model is packed as it is, not optimised: {reason}"));
        }
        Ok(Self { form, manifest, entries, optimization, warnings, _folder: folder })
    }
}

/// What optimising a model takes.
struct Optimizing<'a> {
    wanted: &'a Wanted,
    settings: &'a Settings,
    context: &'a Context,
    library: &'a Library,
}

impl Optimizing<'_> {
    /// The model to pack: optimised, if that can be done and shown to change nothing.
    ///
    /// This machine's library opens the model in any case, since nobody wants to learn from a
    /// deploy that no session takes it; and it optimises for the other architecture too, as the
    /// extended level knows no processor.
    fn model(
        &self,
        given: &ModelFiles,
        architecture: Architecture,
        folder: &TempDir,
    ) -> Result<(ModelFiles, Optimization), Failure> {
        let is_foreign = Some(linux(architecture)) != runtime::Target::host();
        if self.wanted.tolerance.is_none() && is_foreign {
            return Ok((given.clone(), Optimization::Off));
        }
        let engine = self.engine(is_foreign)?;
        let open = || {
            let options = SessionOptions { intra_threads: local::cores(), optimize: true };
            Session::open(&engine, &given.model, &options)
        };
        let Some(tolerance) = self.wanted.tolerance else {
            open()?;
            return Ok((given.clone(), Optimization::Off));
        };
        let plain = |reason: String| Ok((given.clone(), Optimization::Refused { reason }));
        if engine.version() != self.library.version.as_deref() {
            open()?;
            return plain(format!(
                "this machine's ONNX Runtime is {}, the packed one {}",
                engine.version().unwrap_or("of unknown version"),
                self.library.version.as_deref().unwrap_or("of unknown version")
            ));
        }
        let out = folder.path().join(MODEL_FILE);
        match runtime::optimize(&engine, &given.model, &out, tolerance, COMPARISON_SEED)? {
            Outcome::Done { distance, .. } => {
                let optimization = Optimization::Done {
                    abs_difference_max: distance.max_abs,
                    rel_difference_max: distance.max_rel,
                };
                Ok((ModelFiles { model: out, external: BTreeMap::new() }, optimization))
            }
            Outcome::Refused(refusal) => plain(chain(&refusal)),
        }
    }

    /// The library to pack where it runs here, else this machine's own.
    fn engine(&self, is_foreign: bool) -> Result<Engine, Failure> {
        if !is_foreign {
            return Ok(Engine::load(self.library)?);
        }
        // --onnxruntime names the one to pack.
        let settings = Settings { onnxruntime: None, ..self.settings.clone() };
        local::engine(&settings, self.context)
    }
}

/// What runs there: Linux with glibc.
fn linux(architecture: Architecture) -> runtime::Target {
    match architecture {
        Architecture::X86_64 => runtime::Target::LinuxX86_64,
        Architecture::Arm64 => runtime::Target::LinuxAarch64,
    }
}

fn no_temporary_folder(error: std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("temporary folder: {error}"))
        .with_hint("name a folder with room in TMPDIR")
}
