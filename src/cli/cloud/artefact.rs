//! The bytes of a version, made only when AWS has to get them.

use super::super::package::{Prepared, Wanted as Packed};
use super::session::Session;
use crate::error::{Exit, Failure};
use crate::package::image::{self, Host};
use crate::package::{BundleLibstdcxx, Cache, Form, check_unzipped, digest_of, write_zip};
use crate::plan::wanted::{Artefact, ArtefactForm};
use crate::spec::version::Version;
use std::path::Path;
use tempfile::TempDir;

/// An artefact and the folder that holds it until AWS has it.
pub(super) struct Made {
    pub(super) artefact: Artefact,
    _folder: TempDir,
}

/// Packages the model as gwtf.toml says.
pub(super) fn make(
    session: &Session<'_>,
    model: &Path,
    version: &Version,
) -> Result<Made, Failure> {
    let (settings, context) = (session.settings, session.context);
    context.console.talk(&format!("packaging `{}` as version `{version}`", model.display()));
    let form = if session.is_image() { Form::LambdaImage } else { Form::LambdaZip };
    let written = settings.file.function.architecture;
    let architecture = written.unwrap_or(crate::spec::Architecture::X86_64);
    let packed = Packed {
        form,
        architecture,
        bundle_libstdcxx: BundleLibstdcxx::Auto,
        ..Packed::of_model(model, version.as_str())
    };
    let prepared = Prepared::new(&packed, settings, context)?;
    for warning in &prepared.warnings {
        context.console.talk(&format!("warning: {warning}"));
    }
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::new(Exit::Machine, format!("no temporary folder can be made: {error}"))
    })?;
    let artefact = match form {
        Form::LambdaImage => image(&prepared, folder.path(), session)?,
        _ => zip(&prepared, folder.path(), session)?,
    };
    Ok(Made { artefact, _folder: folder })
}

fn zip(prepared: &Prepared, folder: &Path, session: &Session<'_>) -> Result<Artefact, Failure> {
    let cache = session.settings.cache_folder.as_deref().map(Cache::new);
    check_unzipped(&prepared.entries)?;
    let path = folder.join("artefact.zip");
    let cannot_write = |error: std::io::Error| {
        Failure::new(Exit::Machine, format!("artefact `{}`: {error}", path.display()))
    };
    // It is read again to be checked.
    let mut options = fs_err::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    let mut file = options.open(&path).map_err(cannot_write)?;
    write_zip(&prepared.entries, file.file_mut(), cache.as_ref())?.map_err(cannot_write)?;
    let size_bytes = file.metadata().map_err(cannot_write)?.len();
    let digest = digest_of(&path)?;
    Ok(Artefact { digest, form: ArtefactForm::Zip { path, size_bytes } })
}

fn image(prepared: &Prepared, folder: &Path, session: &Session<'_>) -> Result<Artefact, Failure> {
    let manifest = &prepared.manifest;
    let mut options = image::Options::new(Host::Lambda, manifest.architecture, &manifest.version);
    options.cache_folder.clone_from(&session.settings.cache_folder);
    let path = folder.join("image");
    let layout = image::write_layout(&prepared.entries, &options, &path)?;
    let digest = layout.digest.trim_start_matches("sha256:");
    let digest = digest.parse().expect("a layout's digest is a SHA-256");
    Ok(Artefact { digest, form: ArtefactForm::Image { layout: path } })
}
