//! Endings of the names of a folder's files. Files that are compressed are read where that is declared, and then alone: beside a
//! file, its compressed copy would count every record twice.

use std::sync::Arc;

use wanqu_model::bundle::Compression;
use wanqu_records::TextFormat;

use super::beneath::Root;
use super::path;
use crate::sources::SourceFault;

const CSV: [&[&str]; 3] = [&["csv"], &["csv.gz"], &["csv.zst"]];
const NDJSON: [&[&str]; 3] =
    [&["ndjson", "jsonl", "json"], &["ndjson.gz", "jsonl.gz", "json.gz"], &["ndjson.zst", "jsonl.zst", "json.zst"]];

/// Returns the endings of the names of a folder's files.
pub fn endings(format: TextFormat, compression: Option<Compression>) -> &'static [&'static str] {
    let of_format = match format {
        TextFormat::Csv => CSV,
        TextFormat::Ndjson => NDJSON,
    };
    match compression {
        None | Some(Compression::None) => of_format[0],
        Some(Compression::Gzip) => of_format[1],
        Some(Compression::Zstd) => of_format[2],
    }
}

/// Returns the fault of a folder in which no name has these endings, if some have those of another compression.
pub fn otherwise(root: &Arc<Root>, path: &str, looked_for: &[&str]) -> Option<SourceFault> {
    let words = [Compression::None, Compression::Gzip, Compression::Zstd].map(Compression::word);
    let of_format = [CSV, NDJSON].into_iter().find(|all| all.contains(&looked_for))?;
    let others = of_format.into_iter().zip(words).filter(|(endings, _)| *endings != looked_for);
    others.into_iter().find(|(endings, _)| path::files(root, path, endings).is_ok()).map(|(endings, word)| {
        let problem = format!(
            "no file of the folder ends in .{}, but some end in .{}",
            looked_for.join(", ."),
            endings.join(", .")
        );
        SourceFault::Setting { problem, setting: format!("compression: {word}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::own::OwnFolders;

    #[test]
    fn compressed_files_are_read_where_that_is_declared() {
        let dir = tempfile::tempdir().unwrap();
        let root = &Root::open(dir.path().to_str().unwrap(), &OwnFolders::default()).unwrap();
        std::fs::create_dir(dir.path().join("both")).unwrap();
        std::fs::create_dir(dir.path().join("packed")).unwrap();
        for name in ["both/a.csv", "both/a.CSV.GZ", "both/b.json.gz", "both/csv.gz", "packed/a.csv.zst"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let names = |compression| {
            let found = path::files(root, "both", endings(TextFormat::Csv, compression)).unwrap();
            found.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["a.csv"]);
        assert_eq!(names(Some(Compression::Gzip)), ["a.CSV.GZ"]);
        let fault = otherwise(root, "packed", endings(TextFormat::Csv, None)).unwrap();
        assert!(matches!(&fault, SourceFault::Setting { setting, .. } if setting == "compression: zstd"), "{fault}");
        assert_eq!(otherwise(root, "packed", endings(TextFormat::Ndjson, None)), None);
    }
}
