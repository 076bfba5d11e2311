//! Calling pip or uv for the wheel, with progress, a time limit, and their last words on failure.
//!
//! Measured with pip 24 and uv 0.13: pip downloads into `TMPDIR` and moves the wheel to its
//! destination; uv has no download command, so it installs into a folder instead. Both read the
//! person's own configuration of indexes, mirrors and proxies.

use super::fetch::Downloaded;
use super::target::Wheel;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that have come, as far as they can be seen on disk.
    pub bytes: u64,
    /// Bytes of the wheel.
    pub bytes_total: u64,
}

/// A program that can fetch a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// A Python interpreter; its pip is used, if it has one.
    Python(PathBuf),
    /// uv.
    Uv(PathBuf),
}

/// Why a tool gave no wheel.
pub(super) enum Failure {
    /// The interpreter has no pip.
    NoPip,
    /// What it said, or what is wrong with what it left.
    Said(String),
}

/// A fetch that takes longer is ended: 28 MB in this time is 16 kB/s.
const TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// How often the tool is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Of what a tool said, this much is read, and this many lines are passed on.
const STDERR_BYTES_MAX: u64 = 8 << 10;
const STDERR_LINES_MAX: usize = 4;
const STDERR_LINE_CHARS_MAX: usize = 300;

/// Folders looked into when the bytes on disk are counted.
const SIZE_DEPTH_MAX: usize = 8;

impl Tool {
    /// The program's path.
    pub fn path(&self) -> &Path {
        match self {
            Self::Python(path) | Self::Uv(path) => path,
        }
    }

    fn command(&self, wheel: &Wheel, folder: &Path) -> std::io::Result<Command> {
        let requirement = format!("onnxruntime=={}", super::VERSION);
        let mut command = Command::new(self.path());
        match self {
            Self::Python(_) => {
                command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]);
                command.args(["--no-input", "--disable-pip-version-check"]);
                command.args(["--python-version", "311", "--platform", &wheel.pip_platform]);
                command.arg(requirement).arg("--dest").arg(folder.join("out"));
                // A person who wants pip to work in virtual environments only means installs.
                command.env("PIP_REQUIRE_VIRTUALENV", "0");
            }
            Self::Uv(_) => {
                let requirements = folder.join("requirements.txt");
                let line = format!("{requirement} --hash=sha256:{}\n", wheel.sha256);
                fs_err::write(&requirements, line)?;
                command.args(["pip", "install", "--no-deps", "--only-binary", ":all:"]);
                command.args(["--python-version", "3.11", "--python-platform"]);
                command.args([&wheel.uv_platform, "--require-hashes", "--no-progress"]);
                command.arg("--requirements").arg(requirements);
                command.arg("--target").arg(folder.join("out"));
                // uv takes macOS 13 for granted unless told; the wheel is for 14.
                command.env("MACOSX_DEPLOYMENT_TARGET", "14.0");
            }
        }
        Ok(command)
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Python(path) => write!(f, "{} -m pip", path.display()),
            Self::Uv(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Runs the tool in `folder`, which is its alone.
pub(super) fn run(
    tool: &Tool,
    wheel: &Wheel,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Downloaded, Failure> {
    let said = |error: std::io::Error| Failure::Said(error.to_string());
    let (out, temporary) = (folder.join("out"), folder.join("tmp"));
    fs_err::create_dir(&out).map_err(said)?;
    fs_err::create_dir(&temporary).map_err(said)?;
    let words = folder.join("stderr");
    let stderr = fs_err::File::create(&words).map_err(said)?;
    let child = tool
        .command(wheel, folder)
        .map_err(said)?
        // `python -m` looks for modules in the current folder first: it must be an empty one.
        .current_dir(&temporary)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr.into_file())
        .spawn()
        .map_err(said)?;
    let is_success = wait(child, || {
        let bytes = folder_bytes(folder, SIZE_DEPTH_MAX).min(wheel.bytes);
        progress(Progress { bytes, bytes_total: wheel.bytes });
    })?;
    if !is_success {
        let words = last_words(&words);
        return Err(if words.contains("No module named pip") {
            Failure::NoPip
        } else {
            Failure::Said(words)
        });
    }
    progress(Progress { bytes: wheel.bytes, bytes_total: wheel.bytes });
    match tool {
        Tool::Uv(_) => Ok(Downloaded::Unpacked(out)),
        Tool::Python(_) => wheel_in(&out)
            .map(Downloaded::Wheel)
            .ok_or_else(|| Failure::Said("it ended well but left no wheel".to_owned())),
    }
}

/// Waits for the end of the process; true when it ended well.
fn wait(mut child: Child, mut look: impl FnMut()) -> Result<bool, Failure> {
    let started = now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if now() - started < TIME_MAX => {
                look();
                std::thread::sleep(LOOK_EVERY);
            }
            Ok(None) => {
                // A process that is gone already needs no signal.
                let _ = child.kill();
                let _ = child.wait();
                let minutes = TIME_MAX.as_secs() / 60;
                return Err(Failure::Said(format!("it took longer than {minutes} minutes")));
            }
            Err(error) => return Err(Failure::Said(error.to_string())),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver: it ends a tool that takes too long")]
fn now() -> Instant {
    Instant::now()
}

fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs_err::read_dir(folder).ok()?.flatten();
    entries.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "whl"))
}

/// Bytes of all files in a folder; what vanishes meanwhile does not count.
fn folder_bytes(folder: &Path, depth_max: usize) -> u64 {
    let Ok(entries) = fs_err::read_dir(folder) else { return 0 };
    let bytes = |entry: fs_err::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() && depth_max > 0 => {
            folder_bytes(&entry.path(), depth_max - 1)
        }
        Ok(metadata) if metadata.is_file() => metadata.len(),
        _ => 0,
    };
    entries.flatten().map(bytes).sum()
}

/// The last lines of a tool's stderr, fit to be shown.
fn last_words(path: &Path) -> String {
    let mut bytes = Vec::new();
    // Whatever cannot be read is only missing from the message.
    if let Ok(mut file) = fs_err::File::open(path) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(STDERR_BYTES_MAX)));
        let _ = file.take(STDERR_BYTES_MAX).read_to_end(&mut bytes);
    }
    let words = presentable(&String::from_utf8_lossy(&bytes));
    if words.is_empty() { "it said nothing".to_owned() } else { words }
}

/// The last lines of a text, one after the other, without credentials.
fn presentable(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(STDERR_LINES_MAX)..];
    let shown = last.iter().map(|line| {
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        without_credentials(&line).chars().take(STDERR_LINE_CHARS_MAX).collect::<String>()
    });
    shown.collect::<Vec<_>>().join("; ")
}

/// URLs without user, password and query: private indexes carry tokens in each of them.
fn without_credentials(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let end = after.find([' ', '"', '\'', '`', ')', '>']).unwrap_or(after.len());
        let (url, tail) = after.split_at(end);
        let path = url.find('/').unwrap_or(url.len());
        let host = url[..path].rfind('@').map_or(0, |user| user + 1);
        let query = url[host..].find('?').map_or(url.len(), |query| host + query);
        shown.push_str(before);
        shown.push_str(if host > 0 { "***@" } else { "" });
        shown.push_str(&url[host..query]);
        shown.push_str(if query < url.len() { "?***" } else { "" });
        rest = tail;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out() {
        let cases = [
            ("no url here", "no url here"),
            ("see https://pypi.org/simple/x/", "see https://pypi.org/simple/x/"),
            ("at https://bob:s3cr@t@index.corp/simple: no", "at https://***@index.corp/simple: no"),
            ("'https://h/x?token=abc' and http://u@h", "'https://h/x?***' and http://***@h"),
            ("https://host?token=abc", "https://host?***"),
            ("://", "://"),
        ];
        for (line, shown) in cases {
            assert_eq!(without_credentials(line), shown);
        }
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        assert_eq!(presentable("1\n2\n\n3\n4\n  5 \x1b[0m\n"), "2; 3; 4; 5 [0m");
        assert_eq!(presentable(&"x".repeat(1000)).len(), STDERR_LINE_CHARS_MAX);
        assert_eq!(presentable(" \n\n"), "");
    }
}
