//! A world: raw files and manifests in a folder of their own, as they would lie on somebody's laptop.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wanqu_crds::{Placements, compile, manifests};
use wanqu_model::bundle::NodeBundle;

use crate::files::RawTable;
use crate::health::{self, HealthOptions};

/// The manifests of the health world.
const HEALTH: &str = include_str!("../worlds/health.yaml");

/// Why a world could not be made.
#[derive(Debug)]
pub struct WorldError(String);

impl Display for WorldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WorldError {}

impl WorldError {
    /// In words.
    pub fn new(problem: impl Display) -> Self {
        Self(problem.to_string())
    }
}

fn error(problem: impl Display) -> WorldError {
    WorldError(problem.to_string())
}

/// Raw files and manifests. The folder is removed with it.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
}

impl World {
    /// Writes raw tables below `data/` and the manifests beside them.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn new(manifests: &str, tables: &[RawTable]) -> Result<Self, WorldError> {
        let folder = tempfile::tempdir().map_err(error)?;
        for table in tables {
            table.write(&folder.path().join("data")).map_err(error)?;
        }
        fs::write(folder.path().join("federation.yaml"), manifests).map_err(error)?;
        Ok(Self { folder })
    }

    /// The health world under a rule of `min_units`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn health(min_units: u32, options: HealthOptions) -> Result<Self, WorldError> {
        Self::health_with(min_units, options, |manifests| manifests)
    }

    /// The health world with its manifests changed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn health_with(
        min_units: u32,
        options: HealthOptions,
        change: impl FnOnce(String) -> String,
    ) -> Result<Self, WorldError> {
        let manifests = change(HEALTH.replace("MIN_UNITS", &min_units.to_string()));
        Self::new(&manifests, &health::raw_tables(options).map_err(error)?)
    }

    /// The folder of the manifests.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A raw file.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// What the manifests compile to, with no node placed anywhere.
    ///
    /// # Errors
    /// Every finding of the compiler.
    pub fn bundles(&self) -> Result<Vec<NodeBundle>, WorldError> {
        let findings = |all: Vec<wanqu_crds::Finding>| error(all.iter().map(|f| format!("{f}\n")).collect::<String>());
        let resources = manifests::read_dir(self.path()).map_err(findings)?;
        let base = Some(self.path().display().to_string());
        let placements = Placements { base, ..Placements::default() };
        Ok(compile(&resources, &placements).map_err(findings)?.into_values().collect())
    }
}
