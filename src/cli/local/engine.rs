//! ONNX Runtime for a command: located or fetched, with a progress bar, and loaded.

use super::super::Context;
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::runtime::{
    Engine, Library, LocateRequest, Origin, Session, SessionOptions, Target, locate,
};
use std::path::Path;

/// Where the settings say to look.
pub(in crate::cli) fn locate_request(
    settings: &Settings,
    context: &Context,
) -> Result<LocateRequest, Failure> {
    let cache = settings.cache_folder.clone().ok_or_else(|| {
        Failure::new(
            Exit::Machine,
            "the cache folder is unknown: HOME and XDG_CACHE_HOME are unset",
        )
        .with_hint("set HOME, or name a library with --onnxruntime")
    })?;
    let search_path = context.environment.get_os("PATH").unwrap_or_default().to_owned();
    let mut request = LocateRequest::new(cache, search_path);
    request.flag.clone_from(&settings.onnxruntime);
    request.environment.clone_from(&settings.ort_dylib_path);
    Ok(request)
}

/// The engine of this process.
pub(in crate::cli) fn engine(settings: &Settings, context: &Context) -> Result<Engine, Failure> {
    Ok(Engine::load(&fetch(&locate_request(settings, context)?, context)?)?)
}

/// The library of a platform, for a package.
pub(in crate::cli) fn library_for(
    settings: &Settings,
    context: &Context,
    target: Target,
) -> Result<Library, Failure> {
    let request = LocateRequest { target: Some(target), ..locate_request(settings, context)? };
    fetch(&request, context)
}

fn fetch(request: &LocateRequest, context: &Context) -> Result<Library, Failure> {
    let bar = context.console.progress(0);
    let library = locate(request, &mut |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
    })?;
    bar.finish_and_clear();
    if library.origin == Origin::Fetched {
        context.console.talk(&format!("fetched ONNX Runtime to {}", library.path.display()));
    }
    Ok(library)
}

/// A session of the model, once its file has been read: the reader's errors say more than ONNX
/// Runtime's, and need no library.
pub(in crate::cli) fn open_session(
    settings: &Settings,
    context: &Context,
    model: &Path,
) -> Result<Session, Failure> {
    super::loaded::servable_facts(model)?;
    Ok(Session::open(&engine(settings, context)?, model, &session_options())?)
}

/// Whether a session takes `copy`, whose facts have been read; errors are about the file `given`.
pub(in crate::cli) fn check_loads(
    settings: &Settings,
    context: &Context,
    copy: &Path,
    given: &Path,
) -> Result<(), Failure> {
    let opened = Session::open(&engine(settings, context)?, copy, &session_options());
    opened.map(drop).map_err(|error| error.about(given).into())
}

fn session_options() -> SessionOptions {
    SessionOptions { intra_threads: super::cores(), optimize: true }
}
