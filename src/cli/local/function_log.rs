//! Where a function's lines go: `.gwtf/function.log`, or stderr with `-v`.
//!
//! Functions write what they like, as fast as they like. Lines that come faster than the disk takes
//! them are dropped, and the file has a limit.

use crate::config::Settings;
use crate::console::Console;
use crate::error::{Exit, Failure};
use crate::gateway::access_log::{FileSink, Sink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one run adds to the file at most, bytes.
const RUN_BYTES_MAX: u64 = 64 << 20;
/// A file larger than this is set aside at the next start, bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Longest line kept, bytes; what is longer is cut.
const LINE_BYTES_MAX: usize = 16 << 10;

/// The lines of all sandboxes.
pub(in crate::cli) struct FunctionLog {
    path: PathBuf,
    console: Console,
    file: Option<FileSink>,
    written_bytes: AtomicU64,
    dropped: AtomicU64,
}

impl FunctionLog {
    /// Opens the log; with `-v` lines go to stderr and there is no file.
    pub(in crate::cli) fn open(settings: &Settings, console: &Console) -> Result<Self, Failure> {
        let machine =
            |error: std::io::Error| Failure::new(Exit::Machine, format!("function log: {error}"));
        let folder = settings.store().folder().to_owned();
        let path = folder.join("function.log");
        let file = match console.verbose {
            true => None,
            false => {
                fs_err::create_dir_all(&folder).map_err(machine)?;
                if fs_err::metadata(&path).is_ok_and(|found| found.len() > FILE_BYTES_MAX) {
                    fs_err::rename(&path, folder.join("function.log.1")).map_err(machine)?;
                }
                Some(FileSink::open(&path).map_err(machine)?)
            }
        };
        let (written_bytes, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { path, console: *console, file, written_bytes, dropped })
    }

    /// Where the lines are to be found.
    pub(in crate::cli) fn place(&self) -> String {
        match &self.file {
            Some(_) => self.path.display().to_string(),
            None => "stderr".to_owned(),
        }
    }

    /// Takes a line.
    pub(in crate::cli) fn write(&self, line: &[u8]) {
        let line = &line[..line.len().min(LINE_BYTES_MAX)];
        let Some(file) = &self.file else {
            let text = String::from_utf8_lossy(line);
            let safe = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
            self.console.detail(&text.chars().map(safe).collect::<String>());
            return;
        };
        let bytes = line.len() as u64 + 1;
        if self.written_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > RUN_BYTES_MAX {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            file.write(line);
        }
    }

    /// Waits for the disk; says how many lines were lost.
    pub(in crate::cli) fn end(&self) {
        let Some(file) = &self.file else { return };
        file.flush();
        let status = file.status();
        let dropped = self.dropped.load(Ordering::Relaxed) + status.dropped;
        if dropped > 0 {
            let cause = status.error.unwrap_or_else(|| "there were too many".to_owned());
            self.console.talk(&format!("function log: {dropped} lines were not written: {cause}"));
        }
    }
}
