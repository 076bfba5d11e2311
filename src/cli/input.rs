//! Files and stdin read whole, up to a bound: a device or a pipe need not have an end.

use crate::error::{Exit, Failure};
use std::io::{self, Read};
use std::path::Path;

/// The most bytes of a file of CA certificates: a system's whole store takes a quarter of one MiB.
const CACERT_BYTES_MAX: usize = 16 << 20;

/// All of a file that has `bytes_max` at most; `what` names it in a refusal.
pub(super) fn read_file(what: &str, path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let file = fs_err::File::open(path).map_err(|error| unreadable(what, &error))?;
    read(what, path, file, bytes_max)
}

/// The same from stdin where the path is `-`.
pub(super) fn read_file_or_stdin(
    what: &str,
    path: &Path,
    bytes_max: usize,
) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == "-" {
        return read(what, path, io::stdin().lock(), bytes_max);
    }
    read_file(what, path, bytes_max)
}

/// A file of CA certificates, not looked into.
pub(super) fn read_cacert(path: &Path) -> Result<Vec<u8>, Failure> {
    read_file("cacert", path, CACERT_BYTES_MAX)
}

fn read(what: &str, path: &Path, source: impl Read, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = source.take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(what, &error))?;
    if bytes.len() > bytes_max {
        let text = format!("{what} `{}`: more than {bytes_max} bytes", path.display());
        return Err(Failure::new(Exit::Refused, text).with_hint("give a smaller file"));
    }
    Ok(bytes)
}

fn unreadable(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Refused, format!("{what}: {error}"))
        .with_hint("check the path, and whether the file may be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_too_many_is_refused_and_no_end_is_waited_for() {
        let path = Path::new("it");
        assert_eq!(read("payload", path, &b"abcd"[..], 4).unwrap(), b"abcd");
        for endless in [Box::new(&b"abcde"[..]) as Box<dyn Read>, Box::new(io::repeat(0))] {
            let failure = read("payload", path, endless, 4).unwrap_err();
            assert_eq!(failure.message, "payload `it`: more than 4 bytes");
            assert_eq!(failure.exit, Exit::Refused);
        }
    }
}
