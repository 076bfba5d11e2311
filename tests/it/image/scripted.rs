//! A plain HTTP server whose replies a test makes, one connection a request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request whose body is still on the wire.
pub(super) struct Request<'a> {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: &'a mut dyn Read,
}

impl Request<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body, up to so many bytes.
    pub(super) fn read_body(&mut self, bytes_max: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.body.take(bytes_max as u64).read_to_end(&mut bytes).unwrap();
        bytes
    }
}

/// What is answered; `None` cuts the connection.
pub(super) type Reply = Option<(u16, Vec<(&'static str, String)>, String)>;

/// The server: its address and the requests that it got, each as `METHOD path`.
pub(super) struct Scripted {
    pub(super) host: String,
    pub(super) seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Answers until the process ends.
    pub(super) fn start(
        mut answer: impl FnMut(&mut Request<'_>) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &mut answer, &log);
            }
        });
        Self { host, seen }
    }

    pub(super) fn count(&self, start: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|line| line.starts_with(start)).count()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &mut impl FnMut(&mut Request<'_>) -> Reply,
    log: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    log.lock().unwrap().push(format!("{method} {path}"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: u64 = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = reader.take(length);
    let mut request = Request { method, path, headers, body: &mut body };
    let Some((status, headers, text)) = answer(&mut request) else { return };
    // What is not read is thrown away, so that closing does not reset the connection.
    std::io::copy(&mut body, &mut std::io::sink()).unwrap();
    let mut head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n", text.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{text}").as_bytes());
}

/// A proxy before `upstream`; the first connection that brings `cut_after_bytes` is cut there.
pub(super) fn cutting_proxy(upstream: &str, cut_after_bytes: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let upstream = upstream.to_owned();
    let has_cut = Arc::new(std::sync::atomic::AtomicBool::new(false));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (client, has_cut) = (stream.unwrap(), Arc::clone(&has_cut));
            let server = TcpStream::connect(&upstream).unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || {
                let passed = std::io::copy(&mut (&client).take(cut_after_bytes), &mut &server);
                let is_at_limit = passed.is_ok_and(|bytes| bytes == cut_after_bytes);
                if is_at_limit && has_cut.swap(true, std::sync::atomic::Ordering::SeqCst) {
                    let _ = std::io::copy(&mut &client, &mut &server);
                }
                let _ = client.shutdown(std::net::Shutdown::Both);
                let _ = server.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    host
}
