//! The image of a real artefact, run as Lambda and as ECS run it.

use super::*;
use crate::runtime_program::container::Container;
use crate::runtime_program::root::{Emulator, TaskRoot, emulator_path, event};

const ROW: &[u8] = b"{\"instances\":[[5.1,3.5,1.4,0.2]]}";

/// The entries of an unpacked artefact.
fn entries_of(root: &TaskRoot) -> Vec<Entry> {
    let file = |path: &str, part| entry(path, part, Source::File(root.path().join(path)));
    let library = fs_err::read_dir(root.path().join("lib")).unwrap().next().unwrap().unwrap();
    let library = format!("lib/{}", library.file_name().to_str().unwrap());
    vec![
        file("bootstrap", Part::Runtime),
        file("gwtf.json", Part::Model),
        file("model/model.onnx", Part::Model),
        file(&library, Part::OnnxRuntime),
    ]
}

/// Writes the image, its program without the symbols that a published one has not either.
fn image_of(root: &TaskRoot, host: Host) -> String {
    output(Command::new("strip").arg(root.path().join("bootstrap")));
    let options = Options { host, ..options() };
    write_layout(&entries_of(root), &options, &root.path().join("image")).unwrap();
    format!("oci:image:{TAG}")
}

#[test]
fn it_serves_http_as_another_user_on_a_read_only_root() {
    let root = TaskRoot::new("iris");
    let image = image_of(&root, Host::Ecs);
    let mut command = podman(root.path());
    command.args(SANDBOX).args(["-e", "PORT", &image]);
    let container = Container::start(command);
    let reply = container.post("/v1/models/iris:predict", ROW);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["predictions"].as_array().unwrap().len(), 1);
    // Told to stop, it drains and ends well.
    let (status, _) = container.end();
    assert!(status.success(), "{status}");
}

#[test]
fn it_answers_under_the_emulator_as_a_function() {
    let root = TaskRoot::new("iris");
    let image = image_of(&root, Host::Lambda);
    let mut command = podman(root.path());
    let emulator = format!("{}:/emulator:ro", emulator_path().display());
    command.args(SANDBOX).args(["--entrypoint", "/emulator", "--volume", &emulator]);
    for name in ["NAME", "TIMEOUT", "MEMORY_SIZE"] {
        command.args(["-e", &format!("AWS_LAMBDA_FUNCTION_{name}")]);
    }
    command.arg(&image);
    let emulator = Emulator::start_as(command, &root, 10, 512);
    let headers = [("Content-Type", "application/json")];
    let reply = emulator.invoke(&event("POST", "/v1/models/iris:predict", &headers, ROW));
    assert_eq!(reply.status(), 200, "{}", emulator.read_log());
    assert_eq!(reply.json()["predictions"].as_array().unwrap().len(), 1);
}
