//! The example manifests, as they lie in `examples/gba`.

use std::path::Path;

use crate::error::Error;

macro_rules! manifests {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../examples/gba/", $name)))),*]
    };
}

/// The manifests of the example federation: file names and texts. Their sources lie below `data/`, where
/// [`ensure`](crate::ensure) is to make them.
#[must_use]
pub fn manifests() -> &'static [(&'static str, &'static str)] {
    manifests![
        "agreements.yaml",
        "common-tables.yaml",
        "datasets-hongkong.yaml",
        "datasets-macau.yaml",
        "datasets-shenzhen.yaml",
        "federation.yaml",
        "jurisdictions.yaml",
        "policies.yaml",
        "projects.yaml",
    ]
}

/// Writes the manifests into a folder, in place of files of the same names.
pub fn write_manifests(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(|error| Error::io(dir, error))?;
    for (name, text) in manifests() {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|error| Error::io(&path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_manifest_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gba");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "yaml"))
            .collect();
        files.sort();
        assert_eq!(files, manifests().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn manifests_are_written_as_they_are() {
        let temp = tempfile::tempdir().unwrap();
        write_manifests(&temp.path().join("gba")).unwrap();
        for (name, text) in manifests() {
            assert_eq!(std::fs::read_to_string(temp.path().join("gba").join(name)).unwrap(), *text);
        }
    }
}
