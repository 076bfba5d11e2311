//! A scripted HTTP/1.1 server on a free port: a thread per connection, each running the script.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// One accepted connection, as a script sees it.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    /// To write replies to.
    pub(crate) writer: TcpStream,
}

/// A request as received.
pub(crate) struct Received {
    /// Request line and headers, lower case.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default()
    }
}

impl Connection {
    /// The next request; `None` when the client has ended the connection.
    pub(crate) fn request(&mut self) -> Option<Received> {
        let mut head = String::new();
        loop {
            let before = head.len();
            match self.reader.read_line(&mut head) {
                Ok(0) | Err(_) => return None,
                Ok(_) if head[before..].trim().is_empty() => break,
                Ok(_) => {}
            }
        }
        let mut received = Received { head: head.to_lowercase(), body: Vec::new() };
        let length = received.header("content-length").parse().unwrap_or(0);
        received.body.resize(length, 0);
        self.reader.read_exact(&mut received.body).ok()?;
        Some(received)
    }

    /// Writes bytes; a client that has gone is not the server's trouble.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.writer.write_all(bytes);
    }

    /// A whole reply with a length.
    pub(crate) fn reply(&mut self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        self.write(
            format!("HTTP/1.1 {status} Text\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
                .as_bytes(),
        );
    }
}

/// HTTP/2 frame types and flags (RFC 9113, sections 6 and 4.1).
pub(crate) mod http2 {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    /// Of settings.
    pub(crate) const ACK: u8 = 1;
    pub(crate) const END_STREAM: u8 = 1;
    pub(crate) const END_HEADERS: u8 = 4;
    /// `:status: 200` in HPACK's static table.
    pub(crate) const STATUS_200: &[u8] = &[0x88];
    /// Payload of a reset that says the stream was never looked at.
    pub(crate) const REFUSED_STREAM: &[u8] = &[0, 0, 0, 7];
    /// Payload of settings that allow no more streams.
    pub(crate) const NO_MORE_STREAMS: &[u8] = &[0, 3, 0, 0, 0, 0];
}

/// HTTP/2 by hand.
impl Connection {
    /// Begins the conversation.
    pub(crate) fn http2_begin(&mut self) -> Option<()> {
        self.reader.read_exact(&mut [0; 24]).ok()?;
        self.http2_frame(http2::SETTINGS, 0, 0, &[]);
        Some(())
    }

    /// The stream of the next whole request; `None` when the client has ended the connection.
    pub(crate) fn http2_request(&mut self) -> Option<u32> {
        loop {
            let mut head = [0; 9];
            self.reader.read_exact(&mut head).ok()?;
            let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, l1, l2, l3]) as usize];
            self.reader.read_exact(&mut payload).ok()?;
            if kind == http2::SETTINGS && flags & http2::ACK == 0 {
                self.http2_frame(http2::SETTINGS, http2::ACK, 0, &[]);
            }
            if [http2::HEADERS, http2::DATA].contains(&kind) && flags & http2::END_STREAM != 0 {
                return Some(u32::from_be_bytes([s1, s2, s3, s4]));
            }
        }
    }

    /// Writes a frame.
    pub(crate) fn http2_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.write(&frame);
    }

    /// Answers a stream with an empty 200.
    pub(crate) fn http2_reply(&mut self, stream: u32) {
        let flags = http2::END_HEADERS | http2::END_STREAM;
        self.http2_frame(http2::HEADERS, flags, stream, http2::STATUS_200);
    }
}

/// A running server. It runs until the test's process ends.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    open_max: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server whose every connection runs `script`.
    pub(crate) fn start(script: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (open, open_max) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let server = Self { address, open_max: Arc::clone(&open_max) };
        let script = Arc::new(script);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                socket.set_nodelay(true).unwrap();
                let reader = BufReader::new(socket.try_clone().unwrap());
                let connection = Connection { reader, writer: socket };
                let (script, open) = (Arc::clone(&script), Arc::clone(&open));
                let count = open.fetch_add(1, Ordering::SeqCst) + 1;
                open_max.fetch_max(count, Ordering::SeqCst);
                thread::spawn(move || {
                    script(connection);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// Starts a server that answers every request by `answer`, on kept-alive connections.
    pub(crate) fn answering(
        answer: impl Fn(&mut Connection, &Received) + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |mut connection| {
            while let Some(received) = connection.request() {
                answer(&mut connection, &received);
            }
        })
    }

    /// The most connections that were open at once.
    pub(crate) fn open_max(&self) -> usize {
        self.open_max.load(Ordering::SeqCst)
    }
}
