//! The least program that starts where `gwtf-runtime` does: for `benches/run` to compare with.
//!
//! Usage, as the `bootstrap` that Lambda's runtime emulator starts: `bare_start LIBRARY MODEL`. It
//! loads the library and the model, optimised beforehand, runs it once, then answers every
//! invocation with a fixed reply. Nothing is parsed, checked or logged. Inputs of type float32 only;
//! every open dimension is 1.

mod halves;

use halves::inputs;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const API: &str = "/2018-06-01/runtime/invocation";
const REPLY: &str = r#"{"statusCode":200,"headers":{},"body":"{}"}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, model] = arguments.as_slice() else {
        // What `cargo bench` ends in.
        writeln!(std::io::stderr(), "run benches/run, which calls this")?;
        return Ok(());
    };
    let environment = ort::init_from(library)?.with_telemetry(false).build()?;
    let threads = std::thread::available_parallelism()?.get();
    let mut session = Session::builder(&environment)?
        .with_optimization_level(GraphOptimizationLevel::Disable)?
        .with_intra_threads(threads)?
        .commit_from_file(model)?;
    let inputs = inputs(&session)?;
    session.run(inputs.as_slice())?;
    answer(&api_address()?)
}

#[expect(clippy::disallowed_methods, reason = "this program is its own command line")]
fn api_address() -> Result<String, std::env::VarError> {
    std::env::var("AWS_LAMBDA_RUNTIME_API")
}

/// Takes invocations for as long as the emulator gives them.
fn answer(address: &str) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        write!(stream, "GET {API}/next HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let id = read_reply(&mut reader)?;
        write!(
            stream,
            "POST {API}/{id}/response HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{REPLY}",
            REPLY.len()
        )?;
        read_reply(&mut reader)?;
    }
}

/// Reads one reply to its end; the id of the request that it brings.
fn read_reply(reader: &mut BufReader<TcpStream>) -> Result<String, Box<dyn Error>> {
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err("the emulator ended".into());
        }
        let Some((name, value)) = line.trim().split_once(": ") else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "lambda-runtime-aws-request-id" => id = value.to_owned(),
            "content-length" => length = value.parse()?,
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    Ok(id)
}
