//! What packaging made: the document `gwtf.package/v1` and the same as a table.

use super::archive::Packed;
use super::entry::Part;
use super::image::registry::PushReport;
use super::image::{LayerPart, LayerReport};
use crate::console::table;
use crate::model::Digest;
use crate::spec::ArtefactManifest;
use crate::spec::artefact::MANIFEST_FILE;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The forms of an artefact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A zip file for Lambda.
    LambdaZip,
    /// A container image for Lambda.
    LambdaImage,
    /// A container image for ECS.
    EcsImage,
}

impl Form {
    /// All forms, in the order of the documents.
    pub const ALL: [Self; 3] = [Self::LambdaZip, Self::LambdaImage, Self::EcsImage];

    /// Its name on the command line and in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::LambdaZip => "lambda-zip",
            Self::LambdaImage => "lambda-image",
            Self::EcsImage => "ecs-image",
        }
    }

    /// The form of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
}

/// What became of the optimisation.
#[derive(Debug, Clone, PartialEq)]
pub enum Optimization {
    /// The optimised model is packed.
    Done {
        /// Largest absolute difference.
        abs_difference_max: f64,
        /// Largest relative difference.
        rel_difference_max: f64,
    },
    /// The plain model is packed.
    Refused {
        /// Why.
        reason: String,
    },
    /// It was not asked for.
    Off,
}

/// What packaging made.
#[derive(Debug, Clone)]
pub struct Report {
    /// The artefact.
    pub path: PathBuf,
    /// Its form.
    pub form: Form,
    /// SHA-256 of the zip file or of the image's manifest.
    pub digest: Digest,
    /// Size of the artefact, bytes.
    pub stored_bytes: u64,
    /// Its manifest.
    pub manifest: ArtefactManifest,
    /// Its files.
    pub files: Vec<Packed>,
    /// An image's layers; a zip has none.
    pub layers: Option<Vec<LayerReport>>,
    /// What was pushed, if that was asked for.
    pub pushed: Option<PushReport>,
    /// What became of the optimisation.
    pub optimization: Optimization,
    /// The bill of materials beside it.
    pub sbom: PathBuf,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Files of one kind together.
struct PartSize {
    name: &'static str,
    files: u64,
    raw_bytes: u64,
    stored_bytes: u64,
}

impl Report {
    /// Size of all files, bytes.
    pub fn raw_bytes(&self) -> u64 {
        match &self.layers {
            Some(layers) => layers.iter().map(|layer| layer.raw_bytes).sum(),
            None => self.files.iter().map(|file| file.raw_bytes).sum(),
        }
    }

    /// The document `gwtf.package/v1`.
    pub fn document(&self) -> Value {
        let parts: Vec<Value> = self
            .parts()
            .iter()
            .map(|part| {
                json!({
                    "part": part.name,
                    "files": part.files,
                    "raw_bytes": part.raw_bytes,
                    "stored_bytes": part.stored_bytes,
                })
            })
            .collect();
        json!({
            "schema": "gwtf.package/v1",
            "path": self.path.display().to_string(),
            "sha256": self.digest,
            "target": self.form.name(),
            "architecture": self.manifest.architecture,
            "endpoint": self.manifest.endpoint,
            "version": self.manifest.version,
            "stored_bytes": self.stored_bytes,
            "unzipped_bytes": self.raw_bytes(),
            "parts": parts,
            "layers": self.layers,
            "pushed": self.pushed,
            "onnxruntime_version": self.manifest.onnxruntime_version,
            "model_sha256": self.manifest.model_digest,
            "optimization": self.optimization.document(),
            "sbom": self.sbom.display().to_string(),
            "warnings": self.warnings,
        })
    }

    /// The same for a person, in this many columns.
    pub fn render_text(&self, columns: usize) -> String {
        let sizes =
            format!("{}, unpacked {}", size_text(self.stored_bytes), size_text(self.raw_bytes()));
        let what = format!("{} for {}", self.form.name(), self.manifest.architecture);
        let model = format!("{} {}", self.manifest.endpoint, self.manifest.version);
        let mut rows = vec![
            ("artefact", self.path.display().to_string()),
            ("target", what),
            ("version", model),
            ("sha256", self.digest.to_string()),
            ("size", sizes),
            ("optimised", self.optimization.text()),
            ("sbom", self.sbom.display().to_string()),
        ];
        if let Some(pushed) = &self.pushed {
            let (sent, there) = (size_text(pushed.uploaded_bytes), size_text(pushed.present_bytes));
            rows.push(("pushed", pushed.reference.clone()));
            rows.push(("", format!("{sent} sent, {there} were there")));
        }
        let mut parts = table(columns);
        parts.set_header(["part", "files", "raw", "stored"]);
        for part in self.parts() {
            let (raw, stored) = (size_text(part.raw_bytes), size_text(part.stored_bytes));
            let files = if part.files > 0 { part.files.to_string() } else { "?".to_owned() };
            parts.add_row([part.name.to_owned(), files, raw, stored]);
        }
        for column in parts.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{}\n{}", facts_text(&rows), table_text(&parts))
    }

    /// In the order of the artefact, those that have files. An image's are its layers.
    fn parts(&self) -> Vec<PartSize> {
        match &self.layers {
            Some(layers) => self.layer_sizes(layers),
            None => self.file_sizes(),
        }
    }

    fn layer_sizes(&self, layers: &[LayerReport]) -> Vec<PartSize> {
        let size = |layer: &LayerReport| {
            let (name, of) = match layer.part {
                LayerPart::Base => ("base", Part::SystemLibrary),
                LayerPart::OnnxRuntime => ("onnxruntime", Part::OnnxRuntime),
                LayerPart::Runtime => ("bootstrap", Part::Runtime),
                LayerPart::Model => ("model", Part::Model),
            };
            PartSize {
                name,
                files: self.files.iter().filter(|file| file.part == of).count() as u64,
                raw_bytes: layer.raw_bytes,
                stored_bytes: layer.compressed_bytes,
            }
        };
        layers.iter().map(size).collect()
    }

    fn file_sizes(&self) -> Vec<PartSize> {
        let name_of = |file: &Packed| match file.part {
            Part::Runtime => "bootstrap",
            Part::OnnxRuntime => "onnxruntime",
            Part::SystemLibrary => "system_libraries",
            Part::Model if file.path == MANIFEST_FILE => "manifest",
            Part::Model => "model",
        };
        let names = ["bootstrap", "manifest", "onnxruntime", "system_libraries", "model"];
        let sizes = names.into_iter().map(|name| {
            let of_it = self.files.iter().filter(|file| name_of(file) == name);
            let empty = PartSize { name, files: 0, raw_bytes: 0, stored_bytes: 0 };
            of_it.fold(empty, |size, file| PartSize {
                name,
                files: size.files + 1,
                raw_bytes: size.raw_bytes + file.raw_bytes,
                stored_bytes: size.stored_bytes + file.stored_bytes,
            })
        });
        sizes.filter(|size| size.files > 0).collect()
    }
}

impl Optimization {
    fn document(&self) -> Value {
        match self {
            Self::Done { abs_difference_max, rel_difference_max } => json!({
                "state": "done",
                "abs_difference_max": abs_difference_max,
                "rel_difference_max": rel_difference_max,
            }),
            Self::Refused { reason } => json!({ "state": "refused", "reason": reason }),
            Self::Off => json!({ "state": "off" }),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Done { abs_difference_max: 0.0, .. } => "yes, outputs are equal".to_owned(),
            Self::Done { abs_difference_max, rel_difference_max } => format!(
                "yes, outputs differ by {abs_difference_max:.1e} at most \
                 ({rel_difference_max:.1e} relative)"
            ),
            Self::Refused { .. } => "no, see the warning".to_owned(),
            Self::Off => "no, --no-optimize".to_owned(),
        }
    }
}

/// Facts by name, each on a line of its own however long: a path, a digest or a reference is copied
/// from it, which a break would spoil.
pub fn facts_text(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!(" {name:width$}  {value}\n")).collect()
}

/// A table's rows without the blanks that fill the last column.
pub fn table_text(table: &Table) -> String {
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// `812 B`, `2.1 MiB`.
pub fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}
