//! The layout of an image.

use super::*;

#[test]
fn skopeo_umoci_and_podman_read_and_run_it() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    let report = write("a model", &layout);
    let place = format!("oci:{}:{TAG}", layout.display());

    let seen: Value = serde_json::from_str(&skopeo(&["inspect", &place])).unwrap();
    assert_eq!(seen["Digest"], report.digest.as_str());
    assert_eq!(seen["Architecture"], "amd64");
    let copy = format!("oci:{}:{TAG}", folder.path().join("copy").display());
    skopeo(&["copy", "--preserve-digests", &place, &copy]);

    let bundle = folder.path().join("bundle");
    let image = format!("{}:{TAG}", layout.display());
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--rootless", "--image", &image]).arg(&bundle);
    output(&mut umoci);
    let root = bundle.join("rootfs");
    assert_eq!(fs_err::read_to_string(root.join("var/task/model/model.onnx")).unwrap(), "a model");

    let said = run(folder.path(), &[], &format!("oci:image:{TAG}"));
    assert!(said.starts_with("uid=65532(gwtf) gid=65532(gwtf)"), "{said}");
}

/// What an image's program prints under podman with a read-only root. The image's path is relative:
/// podman makes a name of it, and names have no capital letters.
fn run(folder: &Path, arguments: &[&str], place: &str) -> String {
    let mut podman = Command::new("podman");
    podman
        .current_dir(folder)
        .args([
            "--runtime",
            "runc",
            "--storage-driver",
            "vfs",
            "--root",
            "engine/root",
            "--runroot",
            "engine/run",
        ])
        .args(["run", "--rm", "--network", "host", "--read-only", "--tmpfs", "/tmp"])
        .args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"])
        .args(arguments)
        .arg(place);
    output(&mut podman)
}
