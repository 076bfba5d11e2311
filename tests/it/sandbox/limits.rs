//! What of the function's size is enforced.

use super::function::Function;
use serde_json::json;
use std::path::Path;

/// Whether this machine lets cgroups be made; the fleet says so and is believed: with them the tests
/// look at what they do, without them at what is said instead.
fn is_bounded(function: &Function) -> bool {
    let said = function.fleet.limits();
    let is_bounded = said.ends_with("are bounded by cgroups");
    assert!(is_bounded || said.contains("not"), "{said}");
    is_bounded
}

#[tokio::test]
async fn memory_beyond_the_functions_ends_it_as_on_lambda() {
    let function = Function::start_with(|options, _| options.memory_mib = 128);
    let fits = function.ask(json!({ "do": "memory", "mib": 64 })).await;
    assert_eq!(fits, 64 << 20);
    if !is_bounded(&function) {
        return;
    }
    let fault = function.fault(json!({ "do": "memory", "mib": 256 })).await;
    assert_eq!(fault.error_type, "Runtime.ExitError");
    assert!(fault.message.ends_with("Runtime exited with error: signal: killed"), "{fault}");
    assert_eq!(function.ask(json!({ "do": "echo" })).await, json!({ "do": "echo" }));
    let lines = function.end().await.join("\n");
    let line = "Max Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory";
    assert!(lines.contains(line), "{lines}");
}

#[tokio::test]
async fn cpu_is_the_memorys_share_of_a_core() {
    let function = Function::start_with(|options, _| options.memory_mib = 442);
    let share = function.ask(json!({ "do": "spin", "seconds": 1.0 })).await;
    if is_bounded(&function) {
        // A quarter; a machine that is busy gives less and never more.
        assert!(share.as_f64().unwrap() < 0.3, "{share}");
    }
}

/// The groups of this process, wherever they are made.
fn groups() -> Vec<String> {
    let prefix = format!("gwtf-{}-", std::process::id());
    let mut found = Vec::new();
    let mut folders = vec![Path::new("/sys/fs/cgroup").to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs_err::read_dir(&folder) else { continue };
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                found.push(entry.path().display().to_string());
            }
            folders.push(entry.path());
        }
    }
    found
}

#[tokio::test]
async fn no_cgroup_is_left() {
    let function = Function::start();
    let fork = function.ask(json!({ "do": "fork" })).await;
    assert_eq!(groups().is_empty(), !is_bounded(&function));
    function.end().await;
    assert_eq!(groups(), Vec::<String>::new());
    super::function::has_ended(&fork);
    let function = Function::start();
    function.ask(json!({ "do": "pid" })).await;
    drop(function);
    assert_eq!(groups(), Vec::<String>::new());
}

#[tokio::test]
async fn without_cgroups_the_function_runs_and_the_fleet_says_so() {
    let function = Function::start_with(|_, knobs| knobs.cgroups = false);
    assert_eq!(function.ask(json!({ "do": "echo" })).await, json!({ "do": "echo" }));
    let said = function.fleet.limits();
    assert_eq!(
        said,
        "sandboxes: CPU (1.00 of a core) and memory (1769 MiB) are not bounded: it was not asked for"
    );
    assert_eq!(groups(), Vec::<String>::new());
}

#[tokio::test]
async fn a_flood_of_lines_is_cut_and_counted() {
    let function = Function::start();
    assert_eq!(function.ask(json!({ "do": "flood", "lines": 100_000 })).await, "said");
    let lines = function.ask(json!({
        "do": "say", "lines": [["stdout", "out"], ["stderr", "é"], ["stderr", "x".repeat(40_000)]],
    }));
    assert_eq!(lines.await, "said");
    function.fleet.drain().await;
    let lost = function.fleet.stats().lost_lines;
    assert!(lost > 0, "nothing was lost");
    let lines = function.end().await;
    let kept = lines.iter().filter(|line| *line == "line").count() as u64;
    assert!(kept + lost >= 100_000, "{kept} kept, {lost} lost");
    assert!(lines.iter().any(|line| line == "é"), "{:?}", &lines[lines.len() - 9..]);
    let pieces = lines.iter().filter(|line| line.starts_with("xxx"));
    assert_eq!(pieces.map(String::len).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
}
