//! Writing an image's layout: layers, configuration, manifest, index, then one rename.
//!
//! # Invariants
//! The output appears whole or not at all: everything is written into a private folder beside it.
//! One image manifest stands in the index and nothing else (no nested index, no attestations), every
//! layer is gzip, and each has its line of history: Lambda refuses others.

use super::base::{self, Base, Copied};
use super::document::{
    CONFIG_TYPE, Descriptor, Execution, History, INDEX_FILE, INDEX_TYPE, ImageConfig, Index,
    LAYER_TYPE, LAYOUT_FILE, LayoutMark, MANIFEST_TYPE, Manifest, REF_NAME, RootFs, platform_name,
    to_bytes,
};
use super::error::Error;
use super::layer::{Blob, BlobFolder, Cache};
use super::stored::StoredImage;
use super::tree::{Node, Tree};
use crate::package::{Entry, Packed, Part};
use crate::spec::Architecture;
use crate::spec::artefact::{BOOTSTRAP_FILE, LIBRARY_FOLDER, TASK_ROOT};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// When an image was made, as far as it says: the epoch, since the same input gives the same bytes.
pub(super) const CREATED: &str = "1970-01-01T00:00:00Z";
/// Marks a layout that gwtf wrote, in its index, so that `force` replaces nothing else.
const OWN_MARK: &str = "gwtf.layout";
/// Prefix of the private folders.
const PRIVATE_PREFIX: &str = ".gwtf-image-";
/// The port of the HTTP host in an image for ECS.
const HTTP_PORT: &str = "8080/tcp";
/// `PATH` in an image that has no base with one.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where an image is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// As a Lambda function.
    Lambda,
    /// As an ECS service: it answers HTTP on port 8080.
    Ecs,
}

/// The account that the image's program runs as, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// User number; never 0.
    pub uid: std::num::NonZeroU32,
    /// Group number; never 0.
    pub gid: std::num::NonZeroU32,
}

impl Default for User {
    /// 65532, which small base images call `nonroot`.
    fn default() -> Self {
        let number = std::num::NonZeroU32::new(65532).expect("it is not zero");
        Self { uid: number, gid: number }
    }
}

/// How an image is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it is run.
    pub host: Host,
    /// Its instruction set.
    pub architecture: Architecture,
    /// What it stands on.
    pub base: Base,
    /// Its tag in the layout (`org.opencontainers.image.ref.name`).
    pub reference_name: String,
    /// Labels, for example `org.opencontainers.image.version`.
    pub labels: BTreeMap<String, String>,
    /// gwtf's cache folder; none, and no compressed layer is kept.
    pub cache_folder: Option<PathBuf>,
    /// The account that its program runs as.
    pub user: User,
    /// Whether a layout that gwtf wrote earlier is replaced.
    pub force: bool,
}

impl Options {
    /// The defaults: this machine's libraries, no labels, no cache, nothing replaced.
    pub fn new(host: Host, architecture: Architecture, reference_name: impl Into<String>) -> Self {
        Self {
            host,
            architecture,
            base: Base::Machine,
            reference_name: reference_name.into(),
            labels: BTreeMap::new(),
            cache_folder: None,
            user: User::default(),
            force: false,
        }
    }
}

/// What a layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayerPart {
    /// What the image stands on.
    Base,
    /// ONNX Runtime.
    OnnxRuntime,
    /// `gwtf-runtime`.
    Runtime,
    /// The model and the manifest.
    Model,
}

/// A layer that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LayerReport {
    /// What it holds.
    pub part: LayerPart,
    /// Digest of the compressed layer, `sha256:` before it.
    pub digest: String,
    /// Its bytes, compressed.
    pub compressed_bytes: u64,
    /// Bytes of the archive inside.
    pub raw_bytes: u64,
    /// Whether its compressed bytes were at hand: from the cache or a base.
    pub reused: bool,
}

/// A layout that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LayoutReport {
    /// Digest of the image's manifest, `sha256:` before it: what a deployment pins.
    pub digest: String,
    /// Its layers, from the base up.
    pub layers: Vec<LayerReport>,
    /// The libraries of a base that was made of this machine's; their stored size is not known.
    #[serde(skip)]
    pub base_files: Vec<Packed>,
    /// The foreign image that it stands on.
    #[serde(skip)]
    pub base: Option<BaseImage>,
}

/// A foreign base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// Its name, as far as it says one itself.
    pub title: Option<String>,
    /// Digest of its manifest.
    pub digest: crate::model::Digest,
}

/// Writes an image of the entries as an OCI layout at `out`.
///
/// # Errors
/// Something is at `out` (but for an empty folder or, with `force`, an earlier layout), an entry
/// cannot be read or is for another architecture, the base cannot be used, or the disk is full.
/// Nothing is left behind then.
pub fn write_layout(
    entries: &[Entry],
    options: &Options,
    out: &Path,
) -> Result<LayoutReport, Error> {
    let replaced = is_replaced(out, options.force)?;
    let write_error = |source| Error::Write { path: out.to_owned(), source };
    let parent = match out.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(Error::OutputExists { path: out.to_owned(), is_own: false }),
    };
    let private =
        tempfile::Builder::new().prefix(PRIVATE_PREFIX).tempdir_in(parent).map_err(write_error)?;
    let staged = private.path().join("layout");
    let blobs = BlobFolder(staged.join("blobs/sha256"));
    fs_err::create_dir_all(&blobs.0).map_err(write_error)?;
    let written = Image::build(entries, options, &blobs)
        .and_then(|image| image.write_documents(options, &staged, &blobs));
    let report = written.map_err(|error| error.at_output(private.path(), out))?;
    let aside = private.path().join("replaced");
    if replaced {
        fs_err::rename(out, &aside).map_err(write_error)?;
    }
    let renamed = fs_err::rename(&staged, out);
    if renamed.is_err() && replaced {
        // The earlier layout goes back; that this fails too leaves nothing else to try.
        let _ = fs_err::rename(&aside, out);
    }
    renamed.map_err(write_error)?;
    Ok(report)
}

/// Refuses an output at which something is that may not be replaced, before any work for it.
///
/// # Errors
/// Something is at `out`, but for an empty folder or, with `force`, an earlier layout.
pub fn check_output(out: &Path, force: bool) -> Result<(), Error> {
    is_replaced(out, force).map(drop)
}

/// Whether something is at the output path that is to be replaced.
fn is_replaced(out: &Path, force: bool) -> Result<bool, Error> {
    let metadata = match fs_err::symlink_metadata(out) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(Error::Write { path: out.to_owned(), source }),
    };
    let exists = |is_own| Error::OutputExists { path: out.to_owned(), is_own };
    if !metadata.is_dir() {
        return Err(exists(false));
    }
    let mut inside =
        fs_err::read_dir(out).map_err(|source| Error::Write { path: out.to_owned(), source })?;
    // A rename puts a folder over an empty one.
    if inside.next().is_none() {
        return Ok(false);
    }
    let is_own = is_own_layout(out);
    if is_own && force { Ok(true) } else { Err(exists(is_own)) }
}

fn is_own_layout(folder: &Path) -> bool {
    let index = super::stored::read_index(folder);
    index.is_ok_and(|index| index.annotations.contains_key(OWN_MARK))
}

/// An image's layers, in order, and what the base says of running it.
struct Image {
    base_files: Vec<Packed>,
    base: Option<BaseImage>,
    layers: Vec<(LayerPart, Descriptor, Blob, bool)>,
    history: Vec<History>,
    execution: Execution,
}

impl Image {
    fn build(entries: &[Entry], options: &Options, blobs: &BlobFolder) -> Result<Self, Error> {
        let cache = Cache::new(options.cache_folder.as_deref());
        let programs = base::programs(entries, options.architecture)?;
        let mut image = Self {
            base_files: Vec::new(),
            base: None,
            layers: Vec::new(),
            history: Vec::new(),
            execution: Execution::default(),
        };
        let mut library_path = Vec::new();
        // Lambda has this folder in `LD_LIBRARY_PATH` for a zip, and sets nothing for an image.
        if entries.iter().any(|entry| entry.part == Part::SystemLibrary) {
            library_path.push(format!("{TASK_ROOT}/{LIBRARY_FOLDER}"));
        }
        let mut trees = match &options.base {
            Base::Machine => {
                let (tree, folders) = base::of_machine(&programs, options)?;
                library_path.extend(folders);
                image.base_files = tree.packed_executables(Part::SystemLibrary)?;
                vec![(LayerPart::Base, tree)]
            }
            Base::Layout(folder) => {
                let stored = StoredImage::open(folder, Some(options.architecture))?;
                image.base = Some(base_image(&stored));
                image.take_base(base::copy(&stored, options.architecture, blobs)?);
                Vec::new()
            }
        };
        let has_own_base = options.base == Base::Machine;
        for part in [LayerPart::OnnxRuntime, LayerPart::Runtime, LayerPart::Model] {
            trees.push((part, Tree::default()));
        }
        for entry in entries {
            let part = layer_of(entry.part, has_own_base);
            let tree = trees.iter_mut().find(|(of, _)| *of == part);
            let (_, tree) = tree.expect("there is a tree for each part that layer_of names");
            let node = Node::File { source: entry.source.clone(), executable: entry.executable };
            tree.put(&format!("{TASK_ROOT}/{}", entry.path), node)?;
        }
        for (part, tree) in trees.iter().filter(|(_, tree)| !tree.is_empty()) {
            image.push(*part, tree, &cache, blobs)?;
        }
        image.execution = execution(image.execution, options, &library_path);
        Ok(image)
    }

    fn take_base(&mut self, copied: Copied) {
        let layers = copied.layers.into_iter();
        self.layers.extend(layers.map(|(of, blob)| (LayerPart::Base, of, blob, true)));
        self.history = copied.history;
        self.execution = copied.execution;
    }

    fn push(
        &mut self,
        part: LayerPart,
        tree: &Tree,
        cache: &Cache,
        blobs: &BlobFolder,
    ) -> Result<(), Error> {
        let (blob, reused) = match part {
            LayerPart::Model => (blobs.compress(tree)?, false),
            _ => cache.layer(tree, blobs)?,
        };
        let what = match part {
            LayerPart::Base => "shared libraries and accounts",
            LayerPart::OnnxRuntime => "ONNX Runtime",
            LayerPart::Runtime => "gwtf-runtime",
            LayerPart::Model => "model and manifest",
        };
        self.history.push(History {
            created: Some(CREATED.to_owned()),
            created_by: Some(format!("gwtf package: {what}")),
            ..History::default()
        });
        self.layers.push((part, descriptor(LAYER_TYPE, blob.digest, blob.bytes), blob, reused));
        Ok(())
    }

    fn write_documents(
        self,
        options: &Options,
        folder: &Path,
        blobs: &BlobFolder,
    ) -> Result<LayoutReport, Error> {
        let config = to_bytes(&ImageConfig {
            created: Some(CREATED.to_owned()),
            architecture: platform_name(options.architecture).to_owned(),
            os: "linux".to_owned(),
            config: self.execution,
            rootfs: RootFs {
                kind: "layers".to_owned(),
                diff_ids: self.layers.iter().map(|(_, _, blob, _)| blob.diff_id).collect(),
            },
            history: self.history.into(),
        });
        let manifest = to_bytes(&Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST_TYPE.to_owned()),
            config: descriptor(CONFIG_TYPE, blobs.put(&config)?, config.len() as u64),
            layers: self.layers.iter().map(|(_, of, _, _)| of.clone()).collect(),
        });
        let digest = blobs.put(&manifest)?;
        let mut manifest = descriptor(MANIFEST_TYPE, digest, manifest.len() as u64);
        manifest.annotations.insert(REF_NAME.to_owned(), options.reference_name.clone());
        let index = Index {
            schema_version: 2,
            media_type: Some(INDEX_TYPE.to_owned()),
            manifests: vec![manifest],
            annotations: BTreeMap::from([(OWN_MARK.to_owned(), "v1".to_owned())]),
        };
        let mark = LayoutMark { image_layout_version: "1.0.0".to_owned() };
        let files = [(INDEX_FILE, to_bytes(&index)), (LAYOUT_FILE, to_bytes(&mark))];
        for (name, bytes) in files {
            fs_err::write(folder.join(name), bytes)
                .map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        }
        let layers = self.layers.iter().map(|(part, of, blob, reused)| LayerReport {
            part: *part,
            digest: of.digest.to_string(),
            compressed_bytes: blob.bytes,
            raw_bytes: blob.raw_bytes,
            reused: *reused,
        });
        let (layers, base_files, base) = (layers.collect(), self.base_files, self.base);
        Ok(LayoutReport { digest: digest.to_string(), layers, base_files, base })
    }
}

fn base_image(stored: &StoredImage) -> BaseImage {
    let labels = stored.config.config.labels.0.as_ref();
    let title = labels.and_then(|labels| labels.get("org.opencontainers.image.title"));
    let title = title.map(|title| super::document::shortened(title));
    BaseImage { title, digest: stored.descriptor.digest.0 }
}

/// The layer of a part; bundled system libraries go with ONNX Runtime when the base is foreign.
fn layer_of(part: Part, has_own_base: bool) -> LayerPart {
    match part {
        Part::SystemLibrary if has_own_base => LayerPart::Base,
        Part::SystemLibrary | Part::OnnxRuntime => LayerPart::OnnxRuntime,
        Part::Runtime => LayerPart::Runtime,
        Part::Model => LayerPart::Model,
    }
}

/// How the image is run: the base's environment and labels with gwtf's above them.
fn execution(base: Execution, options: &Options, library_path: &[String]) -> Execution {
    let mut env = base.env.into_inner();
    let mut library_path = library_path.to_vec();
    let of_base = env.iter().find_map(|entry| entry.strip_prefix("LD_LIBRARY_PATH="));
    library_path.extend(of_base.filter(|path| !path.is_empty()).map(str::to_owned));
    let mut set = |name: &str, value: &str, replaces: bool| {
        let prefix = format!("{name}=");
        let has = env.iter().any(|entry| entry.starts_with(&prefix));
        if replaces || !has {
            env.retain(|entry| !entry.starts_with(&prefix));
            env.push(format!("{prefix}{value}"));
        }
    };
    set("PATH", SEARCH_PATH, false);
    set("LAMBDA_TASK_ROOT", TASK_ROOT, true);
    // ONNX Runtime reads it as it is loaded (`runtime::TELEMETRY_VARIABLE`).
    set("ORT_DISABLE_TELEMETRY", "1", true);
    if !library_path.is_empty() {
        set("LD_LIBRARY_PATH", &library_path.join(":"), true);
    }
    let mut labels = base.labels.into_inner();
    labels.extend(options.labels.clone());
    let mut exposed_ports = BTreeMap::new();
    if options.host == Host::Ecs {
        exposed_ports.insert(HTTP_PORT.to_owned(), serde_json::json!({}));
    }
    Execution {
        user: format!("{}:{}", options.user.uid, options.user.gid),
        exposed_ports: exposed_ports.into(),
        env: env.into(),
        entrypoint: vec![format!("{TASK_ROOT}/{BOOTSTRAP_FILE}")].into(),
        cmd: Vec::new().into(),
        working_dir: TASK_ROOT.to_owned(),
        labels: labels.into(),
    }
}

fn descriptor(media_type: &str, digest: super::document::BlobDigest, bytes: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        bytes,
        annotations: BTreeMap::new(),
        platform: None,
    }
}
