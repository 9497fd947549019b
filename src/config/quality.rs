//! What was measured of models, from the file that the operator names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hone_strategies::quality::Quality;

use super::error::wrong;
use super::file::Section;
use super::secret::Sources;

/// Bytes of the largest file. It has a few hundred for each model.
const LARGEST: u64 = 4 << 20;

/// Measurements, and the file that they are from.
#[derive(Debug, Clone)]
pub(crate) struct Measurements {
    /// The file.
    pub(crate) file: PathBuf,
    /// What it says.
    pub(crate) quality: Arc<Quality>,
}

/// Reads the table `[quality]`.
pub(super) fn quality(section: Option<Section<'_>>, sources: &Sources<'_>) -> Option<Measurements> {
    let mut section = section?;
    let right = "name a file that `hone eval --learn` has written";
    let measured = section.required("file", right, |path| {
        let file = sources.readable(path)?;
        let quality = read(&file).map_err(|problem| {
            wrong(
                format!("names {}, which is {problem}", file.display()),
                right,
            )
        })?;
        Ok(Measurements {
            file,
            quality: Arc::new(quality),
        })
    });
    section.finish();
    measured
}

fn read(file: &Path) -> Result<Quality, String> {
    let size = std::fs::metadata(file).map(|metadata| metadata.len());
    if size.is_ok_and(|size| size > LARGEST) {
        return Err(format!("larger than {LARGEST} bytes"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("no text ({error})"))?;
    Quality::parse(&text).map_err(|error| error.to_string())
}

impl Measurements {
    /// What of it is not used, and why.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.quality.ignored().map(|(model, kind, questions)| {
            format!(
                "quality.file: `{model}`, {kind:?}: {questions} questions are too few to go by; \
                 what was measured on them is not used"
            )
        })
    }
}
