//! Where `gwtf-runtime` finds its libraries: beside itself.
//!
//! An artefact bundles what its target lacks (`libgcc_s.so.1`) in `lib/`, where the loader looks
//! first; ONNX Runtime's own library has the same for its folder. Without it Lambda's
//! `LD_LIBRARY_PATH` would do, and a container has none.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if target_is_linux() {
        println!("cargo:rustc-link-arg-bin=gwtf-runtime=-Wl,-rpath,$ORIGIN/lib");
    }
}

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script through variables")]
fn target_is_linux() -> bool {
    std::env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|system| system == "linux")
}
