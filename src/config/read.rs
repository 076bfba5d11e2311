//! Finds `gwtf.toml` and reads it, or says everything that is wrong with it.

use super::check;
use super::complaint::Complaints;
use super::error::Error;
use super::file::File;
use super::rules;
use super::schema::schema;
use fs_err as fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// The file's name.
pub(super) const FILE_NAME: &str = "gwtf.toml";
/// Largest file read, bytes.
pub(super) const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// `gwtf.toml` in this folder or the nearest parent that has one.
pub(super) fn find(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|parent| parent.join(FILE_NAME)).find(|path| path.is_file())
}

/// Reads a file; `shown` is its path in complaints.
pub(super) fn read(path: &Path, shown: &Path) -> Result<File, Error> {
    let read_error = |source| Error::Read { path: shown.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(read_error)?;
    file.take(CONFIG_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(read_error)?;
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        return Err(Error::TooLarge { path: shown.to_path_buf() });
    }
    let text =
        String::from_utf8(bytes).map_err(|_| Error::NotText { path: shown.to_path_buf() })?;
    parse(shown, &text)
}

/// Reads a file's text; `path` is for the complaints.
pub(super) fn parse(path: &Path, text: &str) -> Result<File, Error> {
    let mut complaints = Complaints::about(text);
    let mut file = None;
    let (table, syntax_errors) = DeTable::parse_recoverable(text);
    for error in &syntax_errors {
        let hint = "the file is TOML: https://toml.io/en/v1.1.0";
        complaints.add(&error.span().unwrap_or(0..0), error.message(), hint);
    }
    if complaints.is_empty() {
        let places = check::check(&table, &schema(), &mut complaints);
        // A file with a key of the wrong type is still read as far as its rules can be checked.
        match toml::from_str::<File>(text) {
            Ok(read) => {
                rules::check(&read, &places, &mut complaints);
                file = Some(read);
            }
            Err(error) if complaints.is_empty() => {
                let hint = "every key is described in docs/cli.md";
                complaints.add(&error.span().unwrap_or(0..0), error.message(), hint);
            }
            Err(_) => {}
        }
    }
    match file {
        Some(file) if complaints.is_empty() => Ok(file),
        _ => Err(Error::Complaints {
            path: path.to_path_buf(),
            complaints: complaints.into_sorted(),
        }),
    }
}

#[cfg(test)]
mod tests;
