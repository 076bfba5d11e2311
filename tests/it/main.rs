//! The one integration binary: the program and its modules against real parts.

#![allow(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

/// Plans performed on a rehearsed account with failures at every call; the lock.
mod apply;
/// The port to AWS: every question and change on moto, requests and failures.
mod aws_port;
/// The command line: bad input, one document on stdout, interrupts.
mod cli;
/// Endpoints on AWS through the program, with moto in AWS's place.
mod cloud;
/// Releases on LocalEmu, by calling the endpoint.
mod cloud_localemu;
/// What `--json` prints against the schemas in `docs/schemas`.
mod documents;
/// The twin's stack: AWS's conformance assertions.
mod gateway;
/// The HTTP host: idle connections, room for bodies; the twin's 504 for a real model.
mod host;
/// IAM documents: sufficient, minimal, as agreed, and what `iam` prints.
mod iam;
mod iam_wire;
/// OCI images: layouts read by skopeo, umoci and podman, pushes to a real registry.
mod image;
/// `gwtf init`: gwtf.toml, sample requests, the workflow.
mod init;
/// `invoke`: one request through the program.
mod invoke;
/// Artefacts in sandboxes behind the twin, through the program.
mod lambda_target;
/// The load tester against servers that behave badly on purpose.
mod load;
/// `loadtest` through the program: what it refuses.
mod loadtest_flags;
/// The ONNX reader and `inspect` on fixture models and on damaged files.
mod model;
/// The OpenAPI document: golden files, every route and back, models judged alike; `export`.
mod openapi;
/// `gwtf package`: the artefact, the same each time, run by AWS's emulator.
mod package;
/// Request and reply formats against recorded and generated cases.
mod payload;
/// Plans of a deploy to AWS: golden files, order, drift, refusals.
mod plan;
/// Configuration and local releases through the program.
mod release;
/// Reports: golden files and the HTML page.
mod report;
/// ONNX Runtime: sessions, the pool, every element type.
mod runtime;
/// `gwtf-runtime` in Lambda's emulator, over HTTP, and in poor sandboxes.
mod runtime_program;
/// Lambda's model: fleets of sandboxes over a bootstrap that does what it is told.
mod sandbox;
/// `serve` through the program: routes, real clients, releases under load.
mod serve;
/// Signed requests, verified by botocore.
mod sigv4;
/// What plays AWS in tests: moto, LocalEmu, faults, a recorder.
mod stand_ins;
/// Fixture paths, a clean folder, the program.
#[allow(dead_code, reason = "each test takes what it needs")]
mod support;
/// The tree itself: who imports whom, sizes, documents in step.
mod tidy;
