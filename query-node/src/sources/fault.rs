//! Faults of sources. Their texts name the dataset and the column; where the custodian needs more, the owner's own log
//! has it. Neither ever holds a value.

use std::borrow::Cow;

use datafusion::common::DataFusionError;
use wanqu_model::names::TableRef;
use wanqu_model::refusal::{Code, Refusal};

/// Fault of a source, without values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// The path does not lie below the root, or cannot be reached.
    #[error("its path cannot be used")]
    Path,
    /// The jurisdiction has no folder of data.
    #[error("its jurisdiction has no folder of data: neither spec.dataClaim nor, on a laptop, spec.dataRoot is set")]
    NoRoot,
    /// The folder of data is not apart from what the node keeps for itself.
    #[error("the folder of its jurisdiction's data is, holds or lies in a folder that the node keeps for itself")]
    NodesOwn,
    /// No file is there.
    #[error("no file is there")]
    NoFile,
    /// A file has a name that cannot be read.
    #[error("the name of a file is not UTF-8 or has characters that cannot be in one")]
    FileName,
    /// A file cannot be read or is not in its declared format.
    #[error("a file cannot be read as declared")]
    Unreadable,
    /// What lies behind the beginning of a file cannot be decoded.
    #[error("a file is damaged")]
    Damaged,
    /// A file would be read with a setting that the manifest does not have. Neither text holds a value.
    #[error("{problem}")]
    Setting {
        /// Evidence in the file.
        problem: String,
        /// YAML below `spec.source.files`.
        setting: String,
    },
    /// A file ends inside a quoted field of CSV.
    #[error("a file ends inside a quoted field")]
    OpenQuote,
    /// A declared column is not in the source.
    #[error("column {0:?} is not in the source")]
    MissingColumn(String),
    /// A declared column is in the source under a name of other letters.
    #[error("column {0:?} is in the source in letters of another case, or with spaces")]
    ColumnLetters(String),
    /// A declared column occurs more than once.
    #[error("column {0:?} is more than once in the source")]
    AmbiguousColumn(String),
    /// A column has a type that its declared type cannot hold.
    #[error("column {0:?} does not have its declared type")]
    ColumnType(String),
    /// At least one record cannot be read, and the manifest says to reject such a file.
    #[error("at least one record cannot be read as declared")]
    BadRecord,
    /// The source changed while it was read.
    #[error("the source changed while it was read")]
    Changed,
}

impl SourceFault {
    /// Returns the refusal of every query over the dataset.
    #[must_use]
    pub fn refusal(&self, dataset: &TableRef) -> Refusal {
        let remedy: Cow<'_, str> = match self {
            Self::BadRecord => {
                "the custodian mends the source, or declares how its values are written, or badRecords: skip; the owner's log \
                 names file, record, column and reason"
                    .into()
            }
            Self::Setting { setting, .. } => {
                format!("the custodian declares in the Dataset, below spec.source.files: {setting}").into()
            }
            Self::MissingColumn(_) => {
                "the custodian adds the column to the file that the owner's log names, mends its sourceName, or, if it is to be \
                 NULL in files without it, declares it with optional: true under spec.columns of the Dataset"
                    .into()
            }
            Self::Damaged => {
                "the custodian replaces the file; the owner's log names it, and its row group and column if they are known".into()
            }
            Self::ColumnLetters(_) => "the custodian writes its sourceName in the Dataset as the file has it".into(),
            Self::NoRoot => {
                "the jurisdiction's operator sets spec.dataClaim of the Jurisdiction to a claim with the files, or on a laptop \
                 spec.dataRoot to their folder"
                    .into()
            }
            Self::NodesOwn => {
                "the jurisdiction's operator sets dataClaim or dataRoot to a folder apart from the node's identity, bundle, audit \
                 log, results and spilled data; the owner's log names both"
                    .into()
            }
            Self::Changed => "ask again".into(),
            _ => "the custodian mends the source or its manifest; the owner's log says more".into(),
        };
        Refusal::new(Code::Source, format!("{dataset} cannot be read: {self}"))
            .with_subject(dataset.to_string())
            .with_remedy(remedy)
    }

    /// Returns the same refusal as an error that passes through DataFusion.
    #[must_use]
    pub fn in_engine(&self, dataset: &TableRef) -> DataFusionError {
        DataFusionError::External(Box::new(self.refusal(dataset)))
    }
}
