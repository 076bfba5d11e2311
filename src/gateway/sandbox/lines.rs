//! A sandbox's lines: what its processes write, and Lambda's own lines, in their order.
//!
//! # Invariants
//! A line has at most [`LINE_BYTES_MAX`] bytes, and a sandbox writes at most [`SECOND_BYTES_MAX`] a
//! second; what is beyond is dropped and counted in a line of its own. A process that writes faster
//! is not slowed down.

use super::options::FunctionOptions;
use super::process::Process;
use super::report::{self, Ending, Report};
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Longest line, bytes; a longer one is cut (CloudWatch Logs takes 256 KiB an event).
const LINE_BYTES_MAX: usize = 256 << 10;
/// Most that a sandbox's processes write a second, bytes.
const SECOND_BYTES_MAX: usize = 4 << 20;
const CHUNK_BYTES: usize = 16 << 10;

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Line {
    /// A process has been started; its output is here.
    Process(Arc<Process>, PipeReader),
    Text(String),
    /// `END` and `REPORT`.
    Report {
        request_id: Arc<str>,
        duration: Duration,
        init: Option<Duration>,
        ending: Ending,
    },
}

/// Writes lines until the sandbox is gone.
pub(super) async fn write(options: &FunctionOptions, mut told: mpsc::UnboundedReceiver<Line>) {
    let mut output = Output { pipe: None, process: None, writer: Writer::new(options) };
    loop {
        let line = tokio::select! {
            biased;
            line = told.recv() => line,
            () = output.read() => continue,
        };
        // What was written before comes before.
        output.drain();
        match line {
            None => return output.writer.finish(),
            Some(Line::Text(text)) => output.writer.own(&text),
            Some(Line::Process(process, pipe)) => output.follow(process, pipe),
            Some(Line::Report { request_id, duration, init, ending }) => {
                let used = output.process.as_ref().map_or(0, |process| process.peak_bytes());
                let report = Report {
                    request_id: &request_id,
                    duration,
                    init,
                    memory_mib: options.memory_mib,
                    used_mib: used.div_ceil(1 << 20),
                    ending,
                };
                output.writer.own(&report::end(&request_id));
                output.writer.own(&report.line());
            }
        }
    }
}

struct Output<'a> {
    pipe: Option<pipe::Receiver>,
    process: Option<Arc<Process>>,
    writer: Writer<'a>,
}

impl Output<'_> {
    fn follow(&mut self, process: Arc<Process>, pipe: PipeReader) {
        self.writer.finish();
        self.process = Some(process);
        self.pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(pipe)).ok();
    }

    /// Takes what comes; never resolves while there is no pipe.
    async fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        let mut chunk = [0; CHUNK_BYTES];
        match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => self.pipe = None,
            Ok(bytes) => self.writer.take(&chunk[..bytes]),
        }
    }

    /// Takes what is there.
    fn drain(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let mut chunk = [0; CHUNK_BYTES];
        // A process that writes without end must not hold up the rest.
        for _ in 0..SECOND_BYTES_MAX / CHUNK_BYTES {
            match pipe.try_read(&mut chunk) {
                Ok(0) => {
                    self.pipe = None;
                    return;
                }
                Ok(bytes) => self.writer.take(&chunk[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }
}

/// Makes lines of pieces, within the limits.
struct Writer<'a> {
    options: &'a FunctionOptions,
    line: Vec<u8>,
    /// The line is longer than is kept.
    is_cut: bool,
    second: Instant,
    second_bytes: usize,
    dropped: u64,
}

impl<'a> Writer<'a> {
    fn new(options: &'a FunctionOptions) -> Self {
        let (line, second) = (Vec::new(), Instant::now());
        Self { options, line, is_cut: false, second, second_bytes: 0, dropped: 0 }
    }

    /// A line of Lambda's.
    fn own(&mut self, text: &str) {
        self.finish();
        (self.options.log)(text.as_bytes());
    }

    /// A piece of what the process writes.
    fn take(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.append(&rest[..end]);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.append(rest);
    }

    fn append(&mut self, piece: &[u8]) {
        let room = LINE_BYTES_MAX - self.line.len();
        self.is_cut |= piece.len() > room;
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn end_line(&mut self) {
        let now = Instant::now();
        if now - self.second >= Duration::from_secs(1) {
            self.say_dropped();
            (self.second, self.second_bytes) = (now, 0);
        }
        self.second_bytes += self.line.len() + 1;
        if self.second_bytes > SECOND_BYTES_MAX {
            self.dropped += 1;
        } else {
            (self.options.log)(self.line.strip_suffix(b"\r").unwrap_or(&self.line));
        }
        self.line.clear();
        self.is_cut = false;
    }

    /// The process writes no more for now: what has no line feed is a line.
    fn finish(&mut self) {
        if !self.line.is_empty() || self.is_cut {
            self.end_line();
        }
        self.say_dropped();
    }

    fn say_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            (self.options.log)(
                format!("{dropped} lines came too fast and were dropped").as_bytes(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::Mutex;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<Vec<u8>> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lines);
        let log = Arc::new(move |line: &[u8]| into.lock().unwrap().push(line.to_owned()));
        let options = FunctionOptions::new(PathBuf::new(), PathBuf::new(), "f", "1", log);
        write(&mut Writer::new(&options));
        let lines = lines.lock().unwrap();
        lines.clone()
    }

    #[test]
    fn pieces_become_lines() {
        let lines = written(|writer| {
            for piece in ["a", "b\nc\r\n\nd", "e"] {
                writer.take(piece.as_bytes());
            }
            writer.own("END");
            writer.finish();
        });
        assert_eq!(lines, [&b"ab"[..], b"c", b"", b"de", b"END"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let lines = written(|writer| {
            for _ in 0..20 {
                writer.take(&[b'x'; LINE_BYTES_MAX / 8]);
            }
            writer.take(b"\nnext\n");
        });
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), LINE_BYTES_MAX);
        assert_eq!(lines[1], b"next");
    }

    #[tokio::test(start_paused = true)]
    async fn too_much_in_a_second_is_dropped_and_counted() {
        let lines = written(|writer| {
            let line = [b'x'; 1 << 20];
            for _ in 0..(2 * SECOND_BYTES_MAX) / LINE_BYTES_MAX {
                writer.take(&line[..LINE_BYTES_MAX - 1]);
                writer.take(b"\n");
            }
            writer.finish();
        });
        let kept = SECOND_BYTES_MAX / LINE_BYTES_MAX;
        assert_eq!(lines.len(), kept + 1);
        assert_eq!(
            String::from_utf8_lossy(&lines[kept]),
            format!("{kept} lines came too fast and were dropped")
        );
    }
}
