//! Scenario files: YAML, one or several scenarios a file, read strictly.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::model::Scenario;

/// Why a scenario file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what a scenario file is.
    #[error("{path}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scenarios: Vec<Scenario>,
}

/// Reads one file; bundles are read from beside it.
pub fn load_file(path: &Path) -> Result<Vec<Scenario>, LoadError> {
    let text = fs::read_to_string(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    load_text(path, &text, |bundle| fs::read_to_string(folder.join(bundle)))
}

/// Reads a file's text; `bundle` gives the text of a bundle that a scenario names.
pub(super) fn load_text(
    path: &Path,
    text: &str,
    bundle: impl Fn(&Path) -> std::io::Result<String>,
) -> Result<Vec<Scenario>, LoadError> {
    let malformed = |message: String| LoadError::Malformed { path: path.to_owned(), message };
    let mut file: File = serde_saphyr::from_str(text).map_err(|error| malformed(error.to_string()))?;
    for scenario in &mut file.scenarios {
        scenario.path = path.to_owned();
        if let Some(named) = scenario.bundle.take() {
            let read = bundle(&named);
            scenario.bundle_text = Some(read.map_err(|source| LoadError::Unreadable { path: named, source })?);
        }
        if scenario.bundle_text.is_none() {
            return Err(malformed(format!("`{}` needs `bundle` or `bundle_text`", scenario.name)));
        }
        for (number, step) in scenario.steps.iter().enumerate() {
            step.action().map_err(|what| malformed(format!("`{}`, step {}: {what}", scenario.name, number + 1)))?;
        }
    }
    Ok(file.scenarios)
}

/// Reads every `.yaml` file of a folder, in order of names.
pub fn load_folder(folder: &Path) -> Result<Vec<Scenario>, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: folder.to_owned(), source };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    let mut scenarios = Vec::new();
    for file in files {
        scenarios.extend(load_file(&file)?);
    }
    Ok(scenarios)
}
