//! Doubt about rows that are absent, where no mark can stand: a value that lacks an owner's part may have decided about them.

/// Circumstances under which rows may be absent from an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// None: no cell that may lack a part decides about a row.
    #[default]
    Never,
    /// An owner that may keep cells back released fewer cells than the others.
    CellsLack,
    /// Any: it cannot be told from the released cells.
    Always,
}

impl Doubt {
    /// Returns true if rows may be absent. `cells_lack` is true if an owner that may keep cells back released fewer than others.
    #[must_use]
    pub fn holds(self, cells_lack: bool) -> bool {
        match self {
            Self::Never => false,
            Self::CellsLack => cells_lack,
            Self::Always => true,
        }
    }
}
