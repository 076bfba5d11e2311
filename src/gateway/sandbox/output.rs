//! What a process writes, as lines of bounded length and rate.
//!
//! The process never waits for its lines: what is too much is read and dropped, and said.

use super::fleet::Shared;
use crate::gateway::Clock as _;
use crate::gateway::bucket::TokenBucket;
use crate::spec::Throttle;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest line, bytes; a longer one comes in pieces.
pub(super) const LINE_BYTES_MAX: usize = 16 << 10;
/// Lines a second that one stream of a sandbox may write.
const LINES: Throttle = Throttle { rate_rps: 2_000.0, burst: 4_000 };

/// Hands the lines of a stream on until it ends.
pub(super) async fn lines(mut stream: impl AsyncRead + Unpin, shared: Arc<Shared>) {
    let mut lines = Lines::new(TokenBucket::new(LINES, shared.clock.monotonic_ns()));
    let mut buffer = vec![0; LINE_BYTES_MAX];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let now_ns = shared.clock.monotonic_ns();
        lines.take(&buffer[..read], now_ns, &mut |line| shared.say(line));
    }
    lines.end(&mut |line| shared.say(line));
    shared.lost_lines(lines.dropped);
}

/// Bytes on their way to be lines.
struct Lines {
    line: Vec<u8>,
    bucket: TokenBucket,
    dropped: u64,
}

impl Lines {
    fn new(bucket: TokenBucket) -> Self {
        Self { line: Vec::new(), bucket, dropped: 0 }
    }

    fn take(&mut self, bytes: &[u8], now_ns: u64, say: &mut dyn FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let mut text = text;
            while self.line.len() + text.len() > LINE_BYTES_MAX {
                let (now, later) = text.split_at(LINE_BYTES_MAX - self.line.len());
                self.line.extend_from_slice(now);
                self.emit(now_ns, say);
                text = later;
            }
            self.line.extend_from_slice(text);
            if is_ended {
                self.emit(now_ns, say);
            }
        }
    }

    fn emit(&mut self, now_ns: u64, say: &mut dyn FnMut(&[u8])) {
        if self.bucket.try_take(now_ns) {
            say(&self.line);
        } else {
            self.dropped += 1;
        }
        self.line.clear();
    }

    /// The last line may lack its end.
    fn end(&mut self, say: &mut dyn FnMut(&[u8])) {
        if !self.line.is_empty() {
            say(&self.line);
            self.line.clear();
        }
    }
}
