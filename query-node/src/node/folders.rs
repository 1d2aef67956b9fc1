//! Folders of the node's own, and the one among them for data that memory does not hold.

use std::path::PathBuf;

use super::spill::{Spill, temporary};
use crate::engine::Folders;
use crate::sources::OwnFolders;

/// Folders of the node's own. That for spilled data is removed with it.
#[derive(Debug)]
pub(super) struct NodeFolders {
    engine: Folders,
    _spill: Option<Spill>,
}

impl NodeFolders {
    /// Adds a folder for spilled data, among the system's temporary files, to these folders of the node's own.
    pub(super) fn new(own: impl Iterator<Item = PathBuf>) -> Self {
        let spill = Spill::below(&temporary()).inspect_err(|error| {
            tracing::warn!(%error, "no folder for spilled data can be made: queries that memory does not hold will fail");
        });
        let spill = spill.ok();
        let path = spill.as_ref().map(|spill| spill.path().to_owned());
        let own = OwnFolders::new(own.chain(path.clone()));
        Self { engine: Folders { own, spill: path }, _spill: spill }
    }

    pub(super) fn engine(&self) -> &Folders {
        &self.engine
    }
}
