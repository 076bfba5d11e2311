//! The model's folder: files that hold weights, and what a folder is when no file was named.

use super::error::{Error, FolderHolds};
use super::tensor::ExternalTensor;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Entries of a folder that are looked at for a hint.
const FOLDER_ENTRIES_MAX: usize = 10_000;

/// Checks that each external tensor's bytes are in the file that it names.
pub(super) fn check(model: &Path, tensors: &[ExternalTensor]) -> Result<(), Error> {
    let folder = model.parent().unwrap_or(Path::new(""));
    // One look per file: a large model has thousands of tensors in one.
    let mut sizes: HashMap<&str, Option<u64>> = HashMap::new();
    for ExternalTensor { tensor, location, offset_bytes, length_bytes } in tensors {
        let size = sizes.entry(location).or_insert_with(|| {
            let metadata = fs_err::metadata(folder.join(location)).ok();
            metadata.filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
        });
        let (path, tensor, location) = (model.to_path_buf(), tensor.clone(), location.clone());
        let Some(file_bytes) = *size else {
            return Err(Error::ExternalMissing { path, tensor, location });
        };
        let needed_bytes = offset_bytes.saturating_add(*length_bytes);
        if needed_bytes > file_bytes {
            return Err(Error::ExternalTooShort {
                path,
                tensor,
                location,
                file_bytes,
                needed_bytes,
            });
        }
    }
    Ok(())
}

/// What a folder holds that a person may have meant.
pub(super) fn look_into(folder: &Path) -> FolderHolds {
    if ["saved_model.pb", "saved_model.pbtxt"].iter().any(|name| folder.join(name).is_file()) {
        return FolderHolds::SavedModel;
    }
    let Ok(entries) = fs_err::read_dir(folder) else { return FolderHolds::Other };
    let models = entries
        .take(FOLDER_ENTRIES_MAX)
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    models.min().map_or(FolderHolds::Other, |first: PathBuf| FolderHolds::Onnx(first))
}
