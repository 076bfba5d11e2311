//! ONNX Runtime alone: what a model gives and takes without gwtf, for `benches/run` to compare with.
//!
//! Usage: `bare_session LIBRARY MODEL THREADS SECONDS`. One session of `THREADS` threads runs the
//! model for `SECONDS` (with 0: a few times) on inputs that are made once: nothing is parsed,
//! copied or rendered. Then it prints one line of JSON and waits for the end of its input, so that
//! its memory can be read from outside. Inputs of type float32 only; every open dimension is 1.

mod halves;

use halves::inputs;
use ort::session::Session;
use std::error::Error;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Runs before the clock starts: the first ones allocate.
const WARM_UP_RUNS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, model, threads, seconds] = arguments.as_slice() else {
        // What `cargo bench` ends in.
        writeln!(std::io::stderr(), "run benches/run, which calls this")?;
        return Ok(());
    };
    let environment = ort::init_from(library)?.with_telemetry(false).build()?;
    let mut session = Session::builder(&environment)?
        .with_intra_threads(threads.parse()?)?
        .commit_from_file(model)?;
    let inputs = inputs(&session)?;
    for _ in 0..WARM_UP_RUNS {
        session.run(inputs.as_slice())?;
    }
    let (runs, elapsed) = run_for(Duration::from_secs_f64(seconds.parse()?), || {
        session.run(inputs.as_slice()).map(drop)
    })?;
    let runs_per_s = if runs == 0 { 0.0 } else { runs as f64 / elapsed.as_secs_f64() };
    writeln!(std::io::stdout(), "{{\"runs\": {runs}, \"runs_per_s\": {runs_per_s:.3}}}")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn run_for(
    span: Duration,
    mut run: impl FnMut() -> ort::Result<()>,
) -> ort::Result<(u64, Duration)> {
    let started = Instant::now();
    let mut runs = 0;
    while started.elapsed() < span {
        run()?;
        runs += 1;
    }
    Ok((runs, started.elapsed()))
}
