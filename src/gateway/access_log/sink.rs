//! Where access-log lines go: a file with a thread of its own, or memory.
//!
//! # Invariants
//! - A request never waits for the disk: a line that finds no room is dropped and counted.
//! - Memory is bounded by [`QUEUE_BYTES_MAX`] twice, once being filled and once being written.

use fs_err::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lines waiting for the writer.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// At so much the writer stops gathering and writes.
const BATCH_BYTES: usize = QUEUE_BYTES_MAX / 4;
/// How long the writer waits for more lines after the first; saves a write and a wake-up a line.
const GATHER: Duration = Duration::from_millis(20);

/// Takes access-log lines.
pub trait Sink: Send + Sync {
    /// Takes a line without its line break; must not wait.
    fn write(&self, line: &[u8]);
}

/// No access log.
impl Sink for () {
    fn write(&self, _line: &[u8]) {}
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn write(&self, line: &[u8]) {
        (**self).write(line);
    }
}

/// Keeps lines in memory, for tests.
#[derive(Debug, Default)]
pub struct MemorySink {
    lines: Mutex<Vec<String>>,
}

impl MemorySink {
    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }
}

impl Sink for MemorySink {
    fn write(&self, line: &[u8]) {
        lock(&self.lines).push(String::from_utf8_lossy(line).into_owned());
    }
}

/// Appends lines to a file.
#[derive(Debug)]
pub struct FileSink {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// How a file sink is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileSinkStatus {
    /// Lines that were not written: no room in the queue, or the disk refused them.
    pub dropped: u64,
    /// The first thing that the disk said.
    pub error: Option<String>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Lines came, a flush is wanted, or the end.
    work: Condvar,
    /// Everything taken so far is on its way to the disk.
    idle: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    lines: u64,
    writing: bool,
    hurry: bool,
    ended: bool,
    status: FileSinkStatus,
}

impl FileSink {
    /// Opens the file for appending and starts the writer.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread can be started.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            work: Condvar::new(),
            idle: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || theirs.write_to(file))?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// Waits until every line taken so far has been handed to the disk.
    pub fn flush(&self) {
        let mut queue = lock(&self.shared.queue);
        while !queue.bytes.is_empty() || queue.writing {
            queue.hurry = true;
            self.shared.work.notify_one();
            queue = self.shared.idle.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What has been lost so far.
    pub fn status(&self) -> FileSinkStatus {
        lock(&self.shared.queue).status.clone()
    }
}

impl Sink for FileSink {
    fn write(&self, line: &[u8]) {
        let mut queue = lock(&self.shared.queue);
        if queue.bytes.len() + line.len() >= QUEUE_BYTES_MAX {
            queue.status.dropped += 1;
            return;
        }
        let first = queue.bytes.is_empty();
        queue.bytes.extend_from_slice(line);
        queue.bytes.push(b'\n');
        queue.lines += 1;
        let full = queue.bytes.len() > BATCH_BYTES && !queue.hurry;
        queue.hurry |= full;
        drop(queue);
        if first || full {
            self.shared.work.notify_one();
        }
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        lock(&self.shared.queue).ended = true;
        self.shared.work.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

impl Shared {
    /// The writer's life: gather, write, and again, until the end.
    fn write_to(&self, mut file: File) {
        let mut batch = Vec::new();
        while let Some(lines) = self.gather(&mut batch) {
            let written = file.write_all(&batch);
            batch.clear();
            let mut queue = lock(&self.queue);
            queue.writing = false;
            if let Err(error) = written {
                queue.status.dropped += lines;
                queue.status.error.get_or_insert_with(|| error.to_string());
            }
            drop(queue);
            self.idle.notify_all();
        }
    }

    /// Waits for lines and swaps them into `batch`; their number, or `None` at the end.
    fn gather(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let queue = lock(&self.queue);
        let queue = self
            .work
            .wait_while(queue, |queue| queue.bytes.is_empty() && !queue.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut queue, _) = self
            .work
            .wait_timeout_while(queue, GATHER, |queue| !queue.hurry && !queue.ended)
            .unwrap_or_else(PoisonError::into_inner);
        if queue.bytes.is_empty() {
            return None;
        }
        std::mem::swap(&mut queue.bytes, batch);
        queue.writing = true;
        queue.hurry = false;
        Some(std::mem::take(&mut queue.lines))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_whole_lines_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        fs_err::write(&path, "before\n").unwrap();
        let sink = FileSink::open(&path).unwrap();
        sink.write(b"one");
        sink.flush();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "before\none\n");
        sink.write(b"two");
        sink.write(b"three");
        drop(sink);
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "before\none\ntwo\nthree\n");
    }

    #[test]
    fn flush_with_nothing_to_write_returns() {
        let folder = tempfile::tempdir().unwrap();
        FileSink::open(&folder.path().join("access.log")).unwrap().flush();
    }

    #[test]
    fn drops_and_counts_what_finds_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let sink = FileSink::open(&folder.path().join("access.log")).unwrap();
        sink.write(&vec![b'x'; QUEUE_BYTES_MAX]);
        assert_eq!(sink.status(), FileSinkStatus { dropped: 1, error: None });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported_and_stops_nothing() {
        let sink = FileSink::open(Path::new("/dev/full")).unwrap();
        sink.write(b"one");
        sink.flush();
        sink.write(b"two");
        sink.flush();
        let status = sink.status();
        assert_eq!(status.dropped, 2);
        assert!(status.error.unwrap().contains("/dev/full"));
    }
}
