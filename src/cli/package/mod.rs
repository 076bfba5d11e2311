//! `gwtf package`: a model becomes the very bytes that AWS gets.

mod prepare;
mod remote;

pub(super) use prepare::{Prepared, Wanted};

use super::{Context, cannot_print};
use crate::config::{PackageForm, Settings, Target};
use crate::console::table;
use crate::error::{Exit, Failure};
use crate::model::Digest;
use crate::package::image::registry::{ImageName, Reference};
use crate::package::image::{self, Base, CheckReport, Host, Severity};
use crate::package::{
    BundleLibstdcxx, Cache, Form, Output, Packed, Report, check_unzipped, digest_of, facts_text,
    sbom, size_text, table_text, write_zip,
};
use crate::release::Version;
use crate::runtime::Tolerance;
use crate::spec::Architecture;
use crate::spec::limits::LAMBDA_ZIP_UPLOAD_BYTES_MAX;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;
use std::path::PathBuf;

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
    base: Option<ImageName>,
    /// Push the image to a registry too
    #[arg(long, value_name = "REF")]
    push: Option<Reference>,
    /// Only check an image: whether Lambda takes it
    #[arg(long, value_name = "oci:DIR|REF", conflicts_with_all = ["output", "target", "push", "base"])]
    check: Option<ImageName>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(None)?;
    if let Some(image) = &args.check {
        return check(image, args.arch, &settings, context);
    }
    let form = args.form(&settings)?;
    let path = args.output.as_deref().expect("clap requires it unless --check is given");
    let path = context.environment.folder().join(path);
    let making = Making { args, settings: &settings, context };
    let report = match form {
        Form::LambdaZip => {
            args.refuse_image_flags()?;
            making.zip(&Output::new(path, args.force)?)?
        }
        Form::LambdaImage | Form::EcsImage => {
            args.refuse_digest()?;
            image::check_output(&path, args.force)?;
            making.image(form, &Output::beside_layout(path, args.force)?)?
        }
    };
    print(&report, context)
}

/// What making an artefact takes.
struct Making<'a> {
    args: &'a Args,
    settings: &'a Settings,
    context: &'a Context,
}

impl Making<'_> {
    fn prepared(&self, form: Form) -> Result<Prepared, Failure> {
        Prepared::new(
            &self.args.wanted(form, self.settings, self.context)?,
            self.settings,
            self.context,
        )
    }

    fn zip(&self, output: &Output) -> Result<Report, Failure> {
        let mut prepared = self.prepared(Form::LambdaZip)?;
        let cache = self.settings.cache_folder.as_deref().map(Cache::new);
        check_unzipped(&prepared.entries)?;
        let mut file = output.temporary()?;
        let files = write_zip(&prepared.entries, file.as_file_mut(), cache.as_ref())?
            .map_err(|error| output.write_error(error))?;
        let digest = digest_of(file.path())?;
        let stored_bytes = file.as_file().metadata().map_or(0, |metadata| metadata.len());
        if stored_bytes > LAMBDA_ZIP_UPLOAD_BYTES_MAX {
            prepared.warnings.push(format!(
                "the zip has {stored_bytes} bytes, and Lambda takes {LAMBDA_ZIP_UPLOAD_BYTES_MAX} \
                 directly: upload it through S3, or package a lambda-image"
            ));
        }
        let manifest = &prepared.manifest;
        let subject = sbom::Subject { manifest, digest, files: &files, base: None };
        output.keep(file, &sbom::render(subject))?;
        Ok(report(prepared, output, digest, stored_bytes, files))
    }

    fn image(&self, form: Form, output: &Output) -> Result<Report, Failure> {
        let architecture = self.args.architecture(self.settings);
        // Base and credentials before the work: a registry that has neither refuses at once.
        let base = self.args.base.as_ref();
        let base =
            base.map(|name| remote::layout(name, Some(architecture), self.settings, self.context));
        let base = base.transpose()?.map_or(Base::Machine, Base::Layout);
        base.check(architecture)?;
        let push = self.args.push.as_ref();
        let push = push.map(|to| remote::Destination::new(to, self.settings, self.context));
        let push = push.transpose()?;
        let prepared = self.prepared(form)?;
        let manifest = &prepared.manifest;
        let host = if form == Form::EcsImage { Host::Ecs } else { Host::Lambda };
        let mut options = image::Options::new(host, architecture, &manifest.version);
        options.force = self.args.force;
        options.cache_folder.clone_from(&self.settings.cache_folder);
        options.base = base;
        let label = |name: &str| format!("org.opencontainers.image.{name}");
        options.labels.insert(label("title"), manifest.endpoint.clone());
        options.labels.insert(label("version"), manifest.version.clone());
        let layout = image::write_layout(&prepared.entries, &options, output.path())?;
        let mut files = layout.base_files;
        for entry in &prepared.entries {
            files.push(entry.packed()?);
        }
        let digest = layout.digest.trim_start_matches("sha256:");
        let digest: Digest = digest.parse().expect("a layout's digest is a SHA-256");
        let base = layout.base.as_ref();
        let subject = sbom::Subject { manifest, digest, files: &files, base };
        output.keep_sbom(&sbom::render(subject))?;
        let stored_bytes = layout.layers.iter().map(|layer| layer.compressed_bytes).sum();
        let mut report = report(prepared, output, digest, stored_bytes, files);
        report.layers = Some(layout.layers);
        if let Some(destination) = push {
            report.pushed = Some(destination.push(output.path(), self.context)?);
        }
        Ok(report)
    }
}

fn report(
    prepared: Prepared,
    output: &Output,
    digest: Digest,
    stored_bytes: u64,
    files: Vec<Packed>,
) -> Report {
    Report {
        path: output.path().to_path_buf(),
        form: prepared.form,
        digest,
        stored_bytes,
        manifest: prepared.manifest,
        files,
        layers: None,
        pushed: None,
        optimization: prepared.optimization,
        sbom: output.sbom().to_path_buf(),
        warnings: prepared.warnings,
    }
}

/// Checks an image for Lambda; one that does not pass ends with 1.
fn check(
    name: &ImageName,
    architecture: Option<Architecture>,
    settings: &Settings,
    context: &Context,
) -> Result<Exit, Failure> {
    let folder = remote::layout(name, architecture, settings, context)?;
    let checked = image::check(&folder, architecture)?;
    let console = &context.console;
    if console.json {
        console.document(&check_document(name, &checked))
    } else {
        console.data(check_text(name, &checked, console.columns()).as_bytes())
    }
    .map_err(cannot_print)?;
    Ok(if checked.passes() { Exit::Done } else { Exit::Verdict })
}

/// The document `gwtf.image-check/v1`.
fn check_document(name: &ImageName, report: &CheckReport) -> serde_json::Value {
    json!({
        "schema": "gwtf.image-check/v1",
        "image": name.to_string(),
        "digest": report.digest,
        "architecture": report.architecture,
        "compressed_bytes": report.compressed_bytes,
        "raw_bytes": report.raw_bytes,
        "findings": report.findings,
        "passed": report.passes(),
    })
}

/// The same for a person.
fn check_text(name: &ImageName, report: &CheckReport, columns: usize) -> String {
    let unpacked = report.raw_bytes.map_or("?".to_owned(), size_text);
    let sizes = format!("{}, unpacked {unpacked}", size_text(report.compressed_bytes));
    let verdict = if report.passes() { "Lambda takes it" } else { "Lambda refuses it" };
    let mut text = facts_text(&[
        ("image", name.to_string()),
        ("sha256", report.digest.trim_start_matches("sha256:").to_owned()),
        ("platform", report.architecture.clone()),
        ("size", sizes),
        ("verdict", verdict.to_owned()),
    ]);
    if !report.findings.is_empty() {
        let mut findings = table(columns);
        for finding in &report.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            findings.add_row([severity, &format!("{}\nhint: {}", finding.text, finding.hint)]);
        }
        text.push('\n');
        text.push_str(&table_text(&findings));
    }
    text
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

    fn wanted(
        &self,
        form: Form,
        settings: &Settings,
        context: &Context,
    ) -> Result<Wanted, Failure> {
        let tolerance = Tolerance { atol: self.atol, rtol: self.rtol };
        Ok(Wanted {
            form,
            model: context.model(self.model.as_deref(), settings)?,
            version: self.version.as_str().to_owned(),
            architecture: self.architecture(settings),
            program: self.runtime.clone(),
            bundle_libstdcxx: self.bundle_libstdcxx,
            tolerance: (!self.no_optimize).then_some(tolerance),
        })
    }

    fn refuse_digest(&self) -> Result<(), Failure> {
        let Some(reference) = self.push.as_ref().filter(|reference| reference.has_digest()) else {
            return Ok(());
        };
        let message = format!("--push {reference}: an image is pushed to a tag, not to a digest");
        Err(Failure::new(Exit::Refused, message).with_hint("leave out what follows the `@`"))
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
