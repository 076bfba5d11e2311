//! Where a report goes: the terminal or stdout, and the files asked for.

use super::Context;
use crate::cli::input;
use crate::console::Console;
use crate::error::{Exit, Failure};
use crate::load::baseline;
use crate::load::report::{Format, Report, render, terminal};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Files to write, each with its format.
pub(super) type Formats<'a> = Vec<(&'a Path, Format)>;

/// The format of each file, by its ending. A folder that is missing would be found only after the
/// run, so it is looked for here.
pub(super) fn formats(paths: &[PathBuf]) -> Result<Formats<'_>, Failure> {
    let format = |path: &'_ PathBuf| -> Result<Format, Failure> {
        let format = Format::for_path(path)?;
        match folder_of(path).is_dir() {
            true => Ok(format),
            false => {
                let text = format!(
                    "report `{}`: no folder `{}`",
                    path.display(),
                    folder_of(path).display()
                );
                Err(Failure::new(Exit::Refused, text).with_hint("make the folder first"))
            }
        }
    };
    paths.iter().map(|path| Ok((path.as_path(), format(path)?))).collect()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An earlier report.
pub(super) fn read_baseline(path: &Path) -> Result<Report, Failure> {
    let bytes = input::read_file("baseline", path, baseline::REPORT_BYTES_MAX)?;
    let report = baseline::read(&bytes).map_err(|error| {
        let failure = Failure::from(error);
        Failure {
            message: format!("baseline `{}`: {}", path.display(), failure.message),
            ..failure
        }
    })?;
    Ok(report)
}

/// Prints the report: a document with `--json`, tables otherwise.
pub(super) fn print(context: &Context, report: &Report) -> Result<(), Failure> {
    let console = &context.console;
    let bytes = if console.json {
        report.to_json()
    } else {
        terminal::render(report, console.columns(), console.color_on_stdout()).into_bytes()
    };
    console.data(&bytes).map_err(super::super::cannot_print)
}

/// Writes every file; all are tried, and the first failure is returned after the rest were written.
pub(super) fn reports(
    formats: &Formats<'_>,
    report: &Report,
    console: &Console,
) -> Result<(), Failure> {
    let mut failure = None;
    for (path, format) in formats {
        match write(path, &render(*format, report)) {
            Ok(()) => console.talk(&format!("report: {}", path.display())),
            Err(error) => {
                let text = format!("report `{}`: {error}", path.display());
                failure.get_or_insert(
                    Failure::new(Exit::Machine, text)
                        .with_hint("the run itself is complete: see its results above"),
                );
            }
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Writes beside the file first, so that a full disk leaves an earlier report whole.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A device or a pipe cannot be replaced by a rename.
    let special = fs_err::metadata(path).is_ok_and(|found| !found.is_file());
    if special {
        let mut file = fs_err::OpenOptions::new().write(true).open(path)?;
        return file.write_all(bytes).and_then(|()| file.flush());
    }
    let mut file = tempfile::Builder::new().prefix(".gwtf-report-").tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.flush()?;
    set_usual_mode(file.as_file())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Temporary files are private to their owner; a report is for others to read.
fn set_usual_mode(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
