//! What an image stands on: this machine's libraries, or a foreign image's layers.

use super::closure;
use super::document::{
    DOCKER_LAYER_TYPE, Descriptor, Execution, History, LAYER_TYPE, LAYERS_MAX, platform_name,
};
use super::error::Error;
use super::layer::{Blob, BlobFolder};
use super::stored::StoredImage;
use super::tree::{Node, Tree};
use super::write::{Options, User};
use crate::package::elf::{self, Binary};
use crate::package::{Entry, Part, Source};
use crate::spec::Architecture;
use crate::spec::artefact::TASK_ROOT;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the loader's cache is on this machine.
const LOADER_CACHE: &str = "/etc/ld.so.cache";
/// Most raw bytes taken from a base: all that an image may have.
const LAYER_RAW_BYTES_MAX: u64 = crate::spec::limits::LAMBDA_IMAGE_BYTES_MAX;

/// What an image stands on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Base {
    /// The shared libraries of this machine that the programs need, and nothing else.
    #[default]
    Machine,
    /// An OCI layout on the disk; its layers are taken byte for byte.
    Layout(PathBuf),
}

impl Base {
    /// Refuses, before any work, what an image for this architecture cannot stand on.
    ///
    /// # Errors
    /// This machine is another one, or the layout is none, damaged or for another platform.
    pub fn check(&self, architecture: Architecture) -> Result<(), Error> {
        match self {
            Self::Machine => check_host(architecture),
            Self::Layout(folder) => {
                check_platform(&StoredImage::open(folder, Some(architecture))?, architecture)
            }
        }
    }
}

fn check_host(wanted: Architecture) -> Result<(), Error> {
    if Architecture::host() != Some(wanted) || !cfg!(target_os = "linux") {
        return Err(Error::NeedsBase { wanted, host: std::env::consts::ARCH });
    }
    Ok(())
}

fn check_platform(image: &StoredImage, wanted: Architecture) -> Result<(), Error> {
    let config = &image.config;
    if config.os == "linux" && config.architecture == platform_name(wanted) {
        return Ok(());
    }
    let reason = format!(
        "it is for {}/{}, not for linux/{}",
        super::document::shortened(&config.os),
        super::document::shortened(&config.architecture),
        platform_name(wanted)
    );
    Err(Error::bad_image(&image.place, reason))
}

/// The programs and libraries among the entries, read and held to the architecture.
///
/// # Errors
/// One is no ELF file or for another architecture.
pub(super) fn programs(
    entries: &[Entry],
    architecture: Architecture,
) -> Result<BTreeMap<String, Binary>, Error> {
    let mut programs = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.part != Part::Model) {
        let found = match &entry.source {
            Source::File(path) => closure::read(path)?,
            Source::Bytes(bytes) => elf::read(&bytes[..])
                .map_err(|error| closure::bad_elf(Path::new(&entry.path), &error))?,
        };
        let found = closure::check(Path::new(&entry.path), found, architecture)?;
        programs.insert(format!("{TASK_ROOT}/{}", entry.path), found);
    }
    Ok(programs)
}

/// This machine's base: the tree of its files, and the folders that the loader must be told of.
pub(super) fn of_machine(
    programs: &BTreeMap<String, Binary>,
    options: &Options,
) -> Result<(Tree, Vec<String>), Error> {
    check_host(options.architecture)?;
    let needed = closure::closure(programs, options.architecture, Path::new(LOADER_CACHE))?;
    let mut tree = Tree::default();
    for (path, file) in needed.files {
        // The interpreter has to be executable, and libraries are on most systems.
        tree.put(&path, Node::File { source: Source::File(file), executable: true })?;
    }
    tree.put("tmp", Node::Folder(0o1777))?;
    put_accounts(&mut tree, options.user)?;
    Ok((tree, needed.library_path))
}

/// The accounts, so that a lookup of the user by its number finds one.
fn put_accounts(tree: &mut Tree, user: User) -> Result<(), Error> {
    let (uid, gid) = (user.uid, user.gid);
    tree.put_text(
        "etc/passwd",
        format!(
            "root:x:0:0:root:/root:/sbin/nologin\n\
             gwtf:x:{uid}:{gid}:gwtf:{TASK_ROOT}:/sbin/nologin\n"
        ),
    )?;
    tree.put_text("etc/group", format!("root:x:0:\ngwtf:x:{gid}:\n"))?;
    tree.put_text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned())
}

/// A foreign base, copied: its layers' descriptors, measures and histories, and how it is run.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) layers: Vec<(Descriptor, Blob)>,
    pub(super) history: Vec<History>,
    pub(super) execution: Execution,
}

/// Copies a foreign image's layers into `blobs`, holding each to its digests.
///
/// # Errors
/// The image is for another platform, damaged, or has layers that Lambda does not take.
pub(super) fn copy(
    image: &StoredImage,
    architecture: Architecture,
    blobs: &BlobFolder,
) -> Result<Copied, Error> {
    let refuse = |reason: String| Error::bad_image(&image.place, reason);
    check_platform(image, architecture)?;
    let config = &image.config;
    let layers = &image.manifest.layers;
    if layers.len() > LAYERS_MAX || layers.len() != config.rootfs.diff_ids.len() {
        return Err(refuse(format!(
            "its manifest has {} layers, its configuration {}; at most {LAYERS_MAX} are taken",
            layers.len(),
            config.rootfs.diff_ids.len()
        )));
    }
    let mut copied =
        Copied { execution: config.config.clone(), history: history(image), ..Copied::default() };
    let mut raw_left = LAYER_RAW_BYTES_MAX;
    for (descriptor, diff_id) in layers.iter().zip(&config.rootfs.diff_ids) {
        if ![LAYER_TYPE, DOCKER_LAYER_TYPE].contains(&descriptor.media_type.as_str()) {
            return Err(Error::BadImage {
                place: image.place.clone(),
                reason: format!(
                    "a layer is `{}`; Lambda takes gzip layers alone",
                    super::document::shortened(&descriptor.media_type)
                ),
                hint: Some(
                    "`skopeo copy --dest-compress-format gzip` makes one with gzip layers"
                        .to_owned(),
                ),
            });
        }
        let is_it = |blob: &Blob| blob.digest == descriptor.digest && blob.diff_id == *diff_id;
        let file = image.open_blob(descriptor)?;
        let blob = blobs.copy_layer(file, raw_left, is_it)?.ok_or_else(|| {
            refuse(format!("layer {} does not hold what its digests say", descriptor.digest))
        })?;
        raw_left -= blob.raw_bytes;
        let descriptor = Descriptor {
            media_type: LAYER_TYPE.to_owned(),
            annotations: BTreeMap::new(),
            platform: None,
            ..descriptor.clone()
        };
        copied.layers.push((descriptor, blob));
    }
    Ok(copied)
}

/// The base's history if it has an entry for each layer, else one line a layer: images with gaps in
/// their history have been refused by Lambda.
fn history(image: &StoredImage) -> Vec<History> {
    let layers = image.manifest.layers.len();
    let own = image.config.history.as_slice();
    let full = own.iter().filter(|entry| !entry.empty_layer).count() == layers;
    if full && own.len() <= 4 * LAYERS_MAX {
        return own.to_vec();
    }
    let entry = History {
        created: Some(super::write::CREATED.to_owned()),
        created_by: Some("base".to_owned()),
        ..History::default()
    };
    vec![entry; layers]
}
