//! Whether Lambda would take an image, before anybody pushes it there.
//!
//! Facts: Lambda's container images,
//! <https://docs.aws.amazon.com/lambda/latest/dg/images-create.html> (manifest formats, 10 GB
//! uncompressed), and what its users met: an index is refused (aws-lambda-roadmap issue 82), gaps in
//! the history are suspected of `UnsupportedImageLayerDetected` (rules_oci issues 645 and 777), so
//! those are warnings.

use super::document::{CONFIG_TYPE, DOCKER_LAYER_TYPE, Descriptor, LAYER_TYPE, shortened};
use super::error::Error;
use super::measure::Measured;
use super::stored::StoredImage;
use crate::package::elf;
use crate::spec::Architecture;
use crate::spec::limits::LAMBDA_IMAGE_BYTES_MAX;
use flate2::read::MultiGzDecoder;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Read};
use std::path::Path;

/// Docker's configuration type.
const DOCKER_CONFIG_TYPE: &str = "application/vnd.docker.container.image.v1+json";
/// Annotation by which an index marks an attestation.
const ATTESTATION_MARK: &str = "vnd.docker.reference.type";
/// Bytes of an ELF file's start that say what it is for.
const ELF_START_BYTES: u64 = 64;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Lambda refuses the image, or it cannot start.
    Error,
    /// It may be refused, or is not as safe as it should be.
    Warning,
}

/// Something about an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A fixed name, for programs.
    pub code: &'static str,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub hint: &'static str,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckReport {
    /// Digest of the image's manifest, `sha256:` before it.
    pub digest: String,
    /// The architecture that the image names, in OCI's words.
    pub architecture: String,
    /// Bytes of its layers, compressed.
    pub compressed_bytes: u64,
    /// Bytes of its layers, uncompressed; none when a layer cannot be read.
    pub raw_bytes: Option<u64>,
    /// What was found, errors first.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether nothing found is an error.
    pub fn passes(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

/// Checks the image of the OCI layout in `folder` for Lambda; of a multi-platform one that for the
/// architecture, or the first.
///
/// # Errors
/// There is no image that can be read.
pub fn check(folder: &Path, architecture: Option<Architecture>) -> Result<CheckReport, Error> {
    let image = StoredImage::open(folder, architecture)?;
    let mut findings = Findings(Vec::new());
    check_index(&image, &mut findings);
    check_layer_types(&image, &mut findings);
    check_history(&image, &mut findings);
    check_platform(&image, architecture, &mut findings);
    check_execution(&image, &mut findings);
    let raw_bytes = check_contents(&image, &mut findings)?;
    let mut findings = findings.0;
    let sizes = image.manifest.layers.iter().map(|layer| layer.bytes);
    findings.sort_by_key(|finding| finding.severity != Severity::Error);
    Ok(CheckReport {
        digest: image.descriptor.digest.to_string(),
        architecture: shortened(&image.config.architecture),
        compressed_bytes: sizes.fold(0, u64::saturating_add),
        raw_bytes,
        findings,
    })
}

struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, code: &'static str, text: impl Into<String>, hint: &'static str) {
        self.0.push(Finding { severity: Severity::Error, code, text: text.into(), hint });
    }

    fn warning(&mut self, code: &'static str, text: impl Into<String>, hint: &'static str) {
        self.0.push(Finding { severity: Severity::Warning, code, text: text.into(), hint });
    }
}

fn check_index(image: &StoredImage, findings: &mut Findings) {
    let is_attestation = |descriptor: &Descriptor| {
        let nowhere = descriptor.platform.as_ref().is_some_and(|p| p.architecture == "unknown");
        nowhere || descriptor.annotations.contains_key(ATTESTATION_MARK)
    };
    if let Some(index) = image.indexes.first() {
        findings.error(
            "index",
            format!("it is an index of {} manifests, not one image", index.manifests.len()),
            "Lambda takes one image manifest: build with `--provenance=false --sbom=false` for one \
             platform",
        );
    }
    if image.indexes.iter().flat_map(|index| &index.manifests).any(is_attestation) {
        findings.error(
            "attestations",
            "attestations stand beside the image",
            "build with `--provenance=false --sbom=false`",
        );
    }
    let kind = image.manifest.config.media_type.as_str();
    if ![CONFIG_TYPE, DOCKER_CONFIG_TYPE].contains(&kind) {
        findings.error(
            "not_an_image",
            format!("its configuration is `{}`", shortened(kind)),
            "name an image; this is another kind of artefact",
        );
    }
}

fn check_layer_types(image: &StoredImage, findings: &mut Findings) {
    for layer in &image.manifest.layers {
        let kind = layer.media_type.as_str();
        let (code, what) = match kind {
            LAYER_TYPE | DOCKER_LAYER_TYPE => continue,
            _ if kind.contains("nondistributable") || kind.contains("foreign") => {
                ("layer_foreign", "lies outside the registry")
            }
            _ if kind.ends_with("zstd") => ("layer_zstd", "is compressed by zstd"),
            _ if kind.ends_with(".tar") => ("layer_uncompressed", "is not compressed"),
            _ => ("layer_type", "is of a kind that Lambda does not know"),
        };
        findings.error(
            code,
            format!("layer {} {what} (`{}`)", layer.digest, shortened(kind)),
            "`skopeo copy --dest-compress-format gzip` writes gzip layers",
        );
    }
}

fn check_history(image: &StoredImage, findings: &mut Findings) {
    let layers = image.manifest.layers.len();
    if image.config.rootfs.diff_ids.len() != layers {
        findings.error(
            "layer_count",
            format!(
                "its manifest has {layers} layers, its configuration {}",
                image.config.rootfs.diff_ids.len()
            ),
            "build the image again: manifest and configuration do not belong together",
        );
    }
    let lines = image.config.history.as_slice().iter().filter(|entry| !entry.empty_layer).count();
    if lines != layers {
        findings.warning(
            "history",
            format!("its history has {lines} lines for {layers} layers"),
            "Lambda is reported to refuse such images (UnsupportedImageLayerDetected): let the \
             build tool write a line of history for each layer",
        );
    }
}

fn check_platform(image: &StoredImage, wanted: Option<Architecture>, findings: &mut Findings) {
    let config = &image.config;
    let what = format!("it is for {}/{}", shortened(&config.os), shortened(&config.architecture));
    let found = architecture(image).filter(|_| config.os == "linux");
    match (found, wanted) {
        (None, _) => {
            findings.error("platform", what, "Lambda runs linux/amd64 and linux/arm64");
        }
        (Some(found), Some(wanted)) if found != wanted => findings.error(
            "platform",
            format!("{what}, the function for {wanted}"),
            "build the image for the function's architecture, or name the other one with --arch",
        ),
        _ => {}
    }
}

fn check_execution(image: &StoredImage, findings: &mut Findings) {
    let execution = &image.config.config;
    if execution.entrypoint.as_slice().is_empty() && execution.cmd.as_slice().is_empty() {
        findings.error(
            "entrypoint",
            "it has neither an entrypoint nor a command",
            "set ENTRYPOINT to the runtime, or the function's configuration has to",
        );
    }
    let user = execution.user.split(':').next().unwrap_or_default();
    if matches!(user, "" | "0" | "root") {
        findings.warning(
            "user_root",
            "its program runs as root",
            "set USER to another account: Lambda uses its own, ECS does as the image says",
        );
    }
}

fn architecture(image: &StoredImage) -> Option<Architecture> {
    [Architecture::X86_64, Architecture::Arm64].into_iter().find(|architecture| {
        super::document::platform_name(*architecture) == image.config.architecture
    })
}

/// What a layer has at the entrypoint's path.
#[derive(Debug, Default, Clone, Copy)]
struct Program {
    mode: u32,
    machine: Option<u16>,
}

/// Reads the layers: sizes, digests, the program. The bytes of all, unless one cannot be read.
fn check_contents(image: &StoredImage, findings: &mut Findings) -> Result<Option<u64>, Error> {
    let program_path = image.config.config.entrypoint.as_slice().first().map(String::as_str);
    let mut program = None;
    let mut total_bytes = Some(0u64);
    for (at, layer) in image.manifest.layers.iter().enumerate() {
        if ![LAYER_TYPE, DOCKER_LAYER_TYPE].contains(&layer.media_type.as_str()) {
            total_bytes = None;
            continue;
        }
        let left = LAMBDA_IMAGE_BYTES_MAX - total_bytes.unwrap_or(0).min(LAMBDA_IMAGE_BYTES_MAX);
        let wanted = program_path.unwrap_or_default().trim_start_matches('/');
        let file = image.open_blob(layer)?;
        let Ok(seen) = read_layer(file, left, wanted) else {
            total_bytes = None;
            findings.error(
                "layer_damaged",
                format!("layer {} is no gzip archive", layer.digest),
                "build the image again",
            );
            continue;
        };
        if seen.raw_bytes > left {
            findings.error(
                "size",
                format!("its layers unpack to more than {LAMBDA_IMAGE_BYTES_MAX} bytes"),
                "Lambda takes 10 GB uncompressed: leave out what the function does not need",
            );
            return Ok(None);
        }
        total_bytes = total_bytes.map(|sum| sum + seen.raw_bytes);
        let diff_id = image.config.rootfs.diff_ids.get(at);
        if seen.digest != layer.digest || diff_id.is_some_and(|id| *id != seen.diff_id) {
            findings.error(
                "layer_damaged",
                format!("layer {} does not hold what its digests say", layer.digest),
                "build the image again, or copy it again",
            );
        }
        program = seen.program.or(program);
    }
    if let Some(program) = program {
        check_program(image, program_path.unwrap_or_default(), program, findings);
    }
    Ok(total_bytes)
}

fn check_program(image: &StoredImage, path: &str, program: Program, findings: &mut Findings) {
    let path = shortened(path);
    if program.mode & 0o111 == 0 {
        findings.error(
            "entrypoint_mode",
            format!("`{path}` may not be executed (mode {:o})", program.mode & 0o7777),
            "give it mode 755",
        );
    }
    if let (Some(wanted), Some(found)) = (architecture(image), program.machine)
        && elf::machine(wanted) != found
    {
        findings.error(
            "entrypoint_architecture",
            format!("`{path}` is for {}, the image for {wanted}", elf::machine_name(found)),
            "build the program for the image's architecture",
        );
    }
}

struct Seen {
    digest: super::document::BlobDigest,
    diff_id: super::document::BlobDigest,
    raw_bytes: u64,
    program: Option<Program>,
}

/// Reads a layer once: its digests and, if it has it, the program.
fn read_layer(file: impl Read, raw_bytes_max: u64, program_path: &str) -> io::Result<Seen> {
    let mut compressed = Measured::new(file);
    let decoder = MultiGzDecoder::new(io::BufReader::new(&mut compressed));
    let mut raw = Measured::new(decoder.take(raw_bytes_max.saturating_add(1)));
    let program = match find_program(&mut raw, program_path) {
        // The archive was cut off at the limit, which is another finding.
        Err(_) if raw.count() > raw_bytes_max => None,
        found => found?,
    };
    io::copy(&mut raw, &mut io::sink())?;
    let (_, diff_id, raw_bytes) = raw.finish();
    let (_, digest, _) = compressed.finish();
    Ok(Seen { digest, diff_id, raw_bytes, program })
}

/// The file at this path. Entries are taken as they lie in the archive: longer names in entries of
/// their own are not put together, since a foreign archive could make them gigabytes long.
fn find_program(raw: &mut impl Read, path: &str) -> io::Result<Option<Program>> {
    let mut archive = tar::Archive::new(raw);
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let is_it = entry.header().entry_type().is_file()
            && entry.path_bytes().strip_prefix(b"./").unwrap_or(&entry.path_bytes())
                == path.as_bytes();
        if is_it {
            let mode = entry.header().mode().unwrap_or(0);
            let mut start = Vec::new();
            (&mut entry).take(ELF_START_BYTES).read_to_end(&mut start)?;
            return Ok(Some(Program { mode, machine: elf::machine_of_header(&start) }));
        }
    }
    Ok(None)
}
