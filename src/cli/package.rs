//! `gwtf package`: a model becomes the very bytes that AWS gets.

use super::{Context, cannot_print, local};
use crate::config::{PackageForm, Settings, Target};
use crate::error::{Exit, Failure, chain};
use crate::model::{Digest, onnx};
use crate::package::{
    Binaries, BundleLibstdcxx, Cache, Contents, Entry, Form, ModelFiles, Optimization, Output,
    ProgramPlaces, Report, check_model_fits, check_unzipped, digest_of, sbom, system_folders,
    write_zip,
};
use crate::release::Version;
use crate::runtime::{self, Engine, Library, Outcome, Session, SessionOptions, Tolerance};
use crate::spec::artefact::MODEL_FILE;
use crate::spec::limits::LAMBDA_ZIP_UPLOAD_BYTES_MAX;
use crate::spec::{Architecture, ArtefactManifest};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Seed of the requests that an optimised model is compared on: fixed, so that a package is made
/// or refused the same way each time.
const COMPARISON_SEED: u64 = 0;

/// Package a model for AWS: the same input gives the same bytes
///
/// The artefact holds the model, ONNX Runtime and gwtf-runtime. Making it needs no Docker, and no
/// network once ONNX Runtime is cached. The model's graph is optimised for it, and the outputs are compared before and after;
/// where they differ the model is packed as it is, with a warning. A bill of materials (CycloneDX)
/// is written beside the artefact.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf package model.onnx --target lambda-zip -o iris.zip
  gwtf package model.onnx --target lambda-zip --arch arm64 --runtime gwtf-runtime-arm64 -o iris.zip
  gwtf package model.onnx --target lambda-image -o iris-image --push REPOSITORY:v3")]
pub(super) struct Args {
    /// The ONNX file; external data beside it come along [default: `model` in gwtf.toml]
    #[arg(conflicts_with = "check")]
    model: Option<PathBuf>,
    /// The artefact's form [default: from `target` and `package` in gwtf.toml]
    #[arg(long, value_name = "FORM", value_parser = form_parser())]
    target: Option<Form>,
    /// The zip file or the image's folder to make
    #[arg(short, long, value_name = "OUT", required_unless_present = "check")]
    output: Option<PathBuf>,
    /// Replace an artefact that is there already
    #[arg(long)]
    force: bool,
    /// The version's tag, which replies name
    #[arg(long, value_name = "TAG", default_value = "v1")]
    version: Version,
    /// The processor [default: `architecture` in gwtf.toml, then x86_64]
    #[arg(long, value_name = "ARCH", value_parser = architecture_parser())]
    arch: Option<Architecture>,
    /// The gwtf-runtime to pack [default: GWTF_RUNTIME, then the one beside gwtf]
    #[arg(long, value_name = "PATH")]
    runtime: Option<PathBuf>,
    /// Pack the model's graph as it is
    #[arg(long)]
    no_optimize: bool,
    /// Largest absolute difference of an optimised model's outputs
    #[arg(long, value_name = "NUMBER", default_value = "1e-5", value_parser = tolerance)]
    atol: f64,
    /// Largest difference relative to the output, added to --atol
    #[arg(long, value_name = "NUMBER", default_value = "1e-3", value_parser = tolerance)]
    rtol: f64,
    /// Whether a zip brings this machine's libstdc++ and libgcc along; auto: where Lambda's are too
    /// old
    #[arg(long, value_name = "WHEN", default_value = "auto", value_parser = bundle_parser())]
    bundle_libstdcxx: BundleLibstdcxx,
    /// The image to build on [default: the libraries that are needed, from this machine]
    #[arg(long, value_name = "oci:DIR|REF")]
    base: Option<String>,
    /// Push the image to a registry too
    #[arg(long, value_name = "REF")]
    push: Option<String>,
    /// Only check an image: whether Lambda takes it
    #[arg(long, value_name = "IMAGE")]
    check: Option<String>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(None)?;
    if args.check.is_some() {
        return Err(image_comes_later("--check"));
    }
    let form = args.form(&settings)?;
    if form == Form::LambdaZip {
        args.refuse_image_flags()?;
    } else {
        return Err(image_comes_later(form.name()));
    }
    let path = args.output.as_deref().expect("clap requires it unless --check is given");
    let output = Output::new(context.environment.folder().join(path), args.force)?;
    let prepared = Prepared::new(args, &settings, context, form)?;
    let cache = settings.cache_folder.as_deref().map(Cache::new);
    let report = prepared.write_zip(&output, cache.as_ref())?;
    print(&report, context)
}

/// Whatever form it gets: the artefact's files and what is known of them.
struct Prepared {
    form: Form,
    manifest: ArtefactManifest,
    entries: Vec<Entry>,
    optimization: Optimization,
    warnings: Vec<String>,
    /// Holds the optimised model until it is packed.
    _folder: TempDir,
}

impl Prepared {
    fn new(
        args: &Args,
        settings: &Settings,
        context: &Context,
        form: Form,
    ) -> Result<Self, Failure> {
        let model = args.model(settings, context)?;
        local::check_runtime(&model)?;
        let facts = onnx::read_facts(&model)?;
        let architecture = args.architecture(settings);
        let program = args.places(context).find(architecture)?;
        let library = local::library_for(settings, context, linux(architecture))?;
        let mut binaries = Binaries::read(&program, &library.path, architecture)?;
        let given = ModelFiles::of(&model, &facts)?;
        if form == Form::LambdaZip {
            let folders = system_folders(architecture);
            binaries.fit_to_lambda(architecture, args.bundle_libstdcxx, &folders)?;
            check_model_fits(&binaries, &given)?;
        }
        let folder = tempfile::tempdir().map_err(no_temporary_folder)?;
        let optimizing = Optimizing { args, settings, context, library: &library };
        let (files, optimization) = optimizing.model(&given, architecture, &folder)?;
        let (manifest, entries) = Contents {
            endpoint: &settings.endpoint(None, Some(&model)),
            version: args.version.as_str(),
            architecture,
            binaries,
            onnxruntime_version: library.version.as_deref(),
            model: files,
            model_digest: digest_of(&model)?,
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

    fn write_zip(mut self, output: &Output, cache: Option<&Cache>) -> Result<Report, Failure> {
        check_unzipped(&self.entries)?;
        let mut file = output.temporary()?;
        let files = write_zip(&self.entries, file.as_file_mut(), cache)?
            .map_err(|error| output.write_error(error))?;
        let digest = digest_of(file.path())?;
        let stored_bytes = file.as_file().metadata().map_or(0, |metadata| metadata.len());
        if stored_bytes > LAMBDA_ZIP_UPLOAD_BYTES_MAX {
            self.warnings.push(format!(
                "the zip has {stored_bytes} bytes, and Lambda takes {LAMBDA_ZIP_UPLOAD_BYTES_MAX} \
                 directly: upload it through S3, or package a lambda-image"
            ));
        }
        self.finish(output, file, files, (digest, stored_bytes))
    }

    fn finish(
        self,
        output: &Output,
        file: tempfile::NamedTempFile,
        files: Vec<crate::package::Packed>,
        (digest, stored_bytes): (Digest, u64),
    ) -> Result<Report, Failure> {
        let subject = sbom::Subject { manifest: &self.manifest, digest, files: &files };
        output.keep(file, &sbom::render(subject))?;
        Ok(Report {
            path: output.path().to_path_buf(),
            form: self.form,
            digest,
            stored_bytes,
            manifest: self.manifest,
            files,
            optimization: self.optimization,
            sbom: output.sbom().to_path_buf(),
            warnings: self.warnings,
        })
    }
}

/// What optimising a model takes.
struct Optimizing<'a> {
    args: &'a Args,
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
        if self.args.no_optimize && is_foreign {
            return Ok((given.clone(), Optimization::Off));
        }
        let engine = self.engine(is_foreign)?;
        let open = || {
            let options = SessionOptions { intra_threads: local::cores(), optimize: true };
            Session::open(&engine, &given.model, &options)
        };
        if self.args.no_optimize {
            open()?;
            return Ok((given.clone(), Optimization::Off));
        }
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
        let tolerance = Tolerance { atol: self.args.atol, rtol: self.args.rtol };
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

impl Args {
    /// What to make: the flag, else what gwtf.toml says.
    fn form(&self, settings: &Settings) -> Result<Form, Failure> {
        if let Some(form) = self.target {
            return Ok(form);
        }
        match (settings.target, settings.file.function.package) {
            (Some(Target::Lambda), Some(PackageForm::Image)) => Ok(Form::LambdaImage),
            (Some(Target::Lambda), _) => Ok(Form::LambdaZip),
            (Some(Target::Ecs), _) => Ok(Form::EcsImage),
            (Some(Target::Local), _) => Err(Failure::new(
                Exit::Refused,
                "target `local`: this machine serves a model file as it is, nothing is packaged",
            )),
            (None, _) => Err(Failure::new(Exit::Refused, "target: none is named")),
        }
        .map_err(|failure| {
            failure.with_hint(
                "name one with --target lambda-zip|lambda-image|ecs-image, or write `target` under \
                 [endpoint] in gwtf.toml",
            )
        })
    }

    fn architecture(&self, settings: &Settings) -> Architecture {
        self.arch.or(settings.file.function.architecture).unwrap_or(Architecture::X86_64)
    }

    fn model(&self, settings: &Settings, context: &Context) -> Result<PathBuf, Failure> {
        let named = self.model.as_ref().map(|path| context.environment.folder().join(path));
        named.or_else(|| settings.model.clone()).ok_or_else(|| {
            Failure::new(Exit::Refused, "model: none is named")
                .with_hint("name an ONNX file, or write `model` under [endpoint] in gwtf.toml")
        })
    }

    fn places(&self, context: &Context) -> ProgramPlaces {
        let program = std::env::current_exe().ok();
        ProgramPlaces {
            flag: self.runtime.as_ref().map(|path| context.environment.folder().join(path)),
            environment: context.environment.path("GWTF_RUNTIME"),
            beside: program.as_deref().and_then(Path::parent).map(|f| f.join("gwtf-runtime")),
        }
    }

    fn refuse_image_flags(&self) -> Result<(), Failure> {
        let given = [("--base", self.base.is_some()), ("--push", self.push.is_some())];
        let Some((flag, _)) = given.into_iter().find(|(_, is_given)| *is_given) else {
            return Ok(());
        };
        let failure = Failure::new(Exit::Refused, format!("{flag}: a zip file has none"));
        Err(failure.with_hint("name --target lambda-image or ecs-image"))
    }
}

fn print(report: &Report, context: &Context) -> Result<Exit, Failure> {
    let console = &context.console;
    for warning in &report.warnings {
        console.talk(&format!("warning: {warning}"));
    }
    if console.json {
        console.document(&report.document())
    } else {
        console.data(report.render_text(console.columns()).as_bytes())
    }
    .map_err(cannot_print)?;
    Ok(Exit::Done)
}

/// What runs there: Linux with glibc.
fn linux(architecture: Architecture) -> runtime::Target {
    match architecture {
        Architecture::X86_64 => runtime::Target::LinuxX86_64,
        Architecture::Arm64 => runtime::Target::LinuxAarch64,
    }
}

fn image_comes_later(what: &str) -> Failure {
    Failure::new(Exit::Refused, format!("{what}: images come later"))
        .with_hint("package a zip with --target lambda-zip")
}

fn no_temporary_folder(error: std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("temporary folder: {error}"))
        .with_hint("name a folder with room in TMPDIR")
}

fn form_parser() -> impl TypedValueParser<Value = Form> {
    PossibleValuesParser::new(Form::ALL.map(Form::name))
        .map(|name| Form::from_name(&name).expect("the names are those of the forms"))
}

fn architecture_parser() -> impl TypedValueParser<Value = Architecture> {
    PossibleValuesParser::new(["x86_64", "arm64"]).map(|name| match name.as_str() {
        "arm64" => Architecture::Arm64,
        _ => Architecture::X86_64,
    })
}

fn bundle_parser() -> impl TypedValueParser<Value = BundleLibstdcxx> {
    PossibleValuesParser::new(["auto", "always", "never"]).map(|name| match name.as_str() {
        "always" => BundleLibstdcxx::Always,
        "never" => BundleLibstdcxx::Never,
        _ => BundleLibstdcxx::Auto,
    })
}

fn tolerance(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| "a tolerance is a number from 0 up, such as 1e-5".to_owned())
}
