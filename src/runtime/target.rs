//! The platforms that a library is fetched for, and what exactly is fetched.
//!
//! # Invariants
//! Nothing is taken from a download whose SHA-256 does not stand here. The figures were read from
//! the `onnxruntime` 1.32.0 wheels for CPython 3.11 on 2026-11-24; the library inside is the same
//! for every Python version.

use std::fmt;

/// A platform that the library is published for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// 64-bit x86, glibc 2.28 or newer.
    LinuxX86_64,
    /// 64-bit Arm, glibc 2.28 or newer (AWS Graviton).
    LinuxAarch64,
    /// Apple silicon, macOS 14 or newer.
    MacosArm64,
}

/// A wheel of the pinned version and the library inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// The platform tag that `pip download --platform` takes.
    pub pip_platform: String,
    /// The platform that `uv pip install --python-platform` takes.
    pub uv_platform: String,
    /// SHA-256 of the wheel, lower-case hex.
    pub sha256: String,
    /// Size of the wheel in bytes, for progress.
    pub bytes: u64,
    /// The library's path inside the wheel.
    pub member: String,
    /// SHA-256 of the library, lower-case hex.
    pub library_sha256: String,
    /// Size of the library in bytes.
    pub library_bytes: u64,
}

impl Target {
    /// Every platform.
    pub const ALL: [Self; 3] = [Self::LinuxX86_64, Self::LinuxAarch64, Self::MacosArm64];

    /// The platform that this program was built for, if a library is published for it.
    pub fn host() -> Option<Self> {
        if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
            Some(Self::LinuxX86_64)
        } else if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "aarch64")) {
            Some(Self::LinuxAarch64)
        } else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
            Some(Self::MacosArm64)
        } else {
            None
        }
    }

    /// The platform with this triple.
    pub fn from_triple(triple: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.triple() == triple)
    }

    /// Its name, as Rust writes it.
    pub fn triple(self) -> &'static str {
        match self {
            Self::LinuxX86_64 => "x86_64-unknown-linux-gnu",
            Self::LinuxAarch64 => "aarch64-unknown-linux-gnu",
            Self::MacosArm64 => "aarch64-apple-darwin",
        }
    }

    /// The wheel to fetch.
    pub fn wheel(self) -> Wheel {
        let member = |name: &str| format!("onnxruntime/capi/{name}");
        match self {
            Self::LinuxX86_64 => Wheel {
                pip_platform: "manylinux_2_28_x86_64".to_owned(),
                uv_platform: "x86_64-manylinux_2_28".to_owned(),
                sha256: "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d"
                    .to_owned(),
                bytes: 27_773_237,
                member: member("libonnxruntime.so.1.32.0"),
                library_sha256: "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f"
                    .to_owned(),
                library_bytes: 34_824_680,
            },
            Self::LinuxAarch64 => Wheel {
                pip_platform: "manylinux_2_28_aarch64".to_owned(),
                uv_platform: "aarch64-manylinux_2_28".to_owned(),
                sha256: "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c"
                    .to_owned(),
                bytes: 23_195_070,
                member: member("libonnxruntime.so.1.32.0"),
                library_sha256: "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a"
                    .to_owned(),
                library_bytes: 27_165_936,
            },
            Self::MacosArm64 => Wheel {
                pip_platform: "macosx_14_0_arm64".to_owned(),
                uv_platform: "aarch64-apple-darwin".to_owned(),
                sha256: "366b9e53d07812cc5c92822cecf7563b76a8a0f32ba3bb8dd232a206ac3bcb6c"
                    .to_owned(),
                bytes: 22_506_162,
                member: member("libonnxruntime.1.32.0.dylib"),
                library_sha256: "fa585fabbea65b823b9a8f7e27d46aee3989d1be7e36b528203d3a1fd613aae7"
                    .to_owned(),
                library_bytes: 35_272_344,
            },
        }
    }
}

impl Wheel {
    /// The library's file name.
    pub fn library_name(&self) -> &str {
        self.member.rsplit('/').next().unwrap_or(&self.member)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.triple())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_a_whole_row() {
        for target in Target::ALL {
            let wheel = target.wheel();
            assert_eq!(Target::from_triple(target.triple()), Some(target));
            for hash in [&wheel.sha256, &wheel.library_sha256] {
                assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
            }
            assert!(wheel.member.contains(crate::runtime::VERSION), "{}", wheel.member);
        }
        assert_eq!(Target::from_triple("riscv64gc-unknown-linux-gnu"), None);
    }
}
