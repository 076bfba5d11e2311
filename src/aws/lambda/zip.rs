//! A zip that is sent in a request, read whole.

use crate::aws::fault::Fault;
use crate::spec::limits::LAMBDA_ZIP_UPLOAD_BYTES_MAX;
use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::path::Path;

/// The bytes of the zip at `path`, if they are those of the plan: base64 of their SHA-256.
///
/// # Errors
/// It cannot be read, is larger than Lambda takes, or was changed since the plan was made.
pub(super) async fn read(path: &Path, sha256: &str) -> Result<Vec<u8>, Fault> {
    let (path, sha256) = (path.to_path_buf(), sha256.to_owned());
    let reading = tokio::task::spawn_blocking(move || read_now(&path, &sha256));
    reading.await.map_err(|error| Fault::unsendable(&error))?
}

fn read_now(path: &Path, sha256: &str) -> Result<Vec<u8>, Fault> {
    let file = fs_err::File::open(path).map_err(|error| Fault::unsendable(&error))?;
    let mut bytes = Vec::new();
    file.take(LAMBDA_ZIP_UPLOAD_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::unsendable(&error))?;
    if bytes.len() as u64 > LAMBDA_ZIP_UPLOAD_BYTES_MAX {
        let why = format!(
            "`{}` is larger than the {LAMBDA_ZIP_UPLOAD_BYTES_MAX} bytes that can be sent directly",
            path.display()
        );
        return Err(Fault::unsendable(&why));
    }
    let found = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&bytes));
    if found != sha256 {
        let why = format!("`{}` was changed since the plan was made", path.display());
        return Err(Fault::unsendable(&why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_planned_zip_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        fs_err::write(&path, b"abc").unwrap();
        // SHA-256 of `abc`, FIPS 180-2's first example.
        let sha256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        assert_eq!(read_now(&path, sha256).unwrap(), b"abc");
        fs_err::write(&path, b"abd").unwrap();
        let changed = read_now(&path, sha256).unwrap_err();
        assert!(format!("{changed:?}").contains("was changed"), "{changed:?}");
        let file = fs_err::File::create(&path).unwrap();
        file.set_len(LAMBDA_ZIP_UPLOAD_BYTES_MAX + 1).unwrap();
        let large = read_now(&path, sha256).unwrap_err();
        assert!(format!("{large:?}").contains("is larger"), "{large:?}");
        assert!(read_now(&folder.path().join("none.zip"), sha256).is_err());
    }
}
