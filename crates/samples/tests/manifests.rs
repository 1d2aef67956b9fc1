//! The example manifests are in order, and describe the files that the generator writes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use wanqu_crds::{Placements, Resources};
use wanqu_model::bundle::{FilesSpec, NodeBundle, SourceFormat, SourceKind};
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::JurisdictionId;
use wanqu_samples::{Options, generate, manifests};

/// The bundles of the example federation, its data below `base`.
fn bundles(base: &Path) -> BTreeMap<JurisdictionId, NodeBundle> {
    let mut resources = Resources::default();
    for (name, text) in manifests() {
        resources.extend(wanqu_crds::manifests::parse(text, name).unwrap_or_else(|found| panic!("{found:#?}")));
    }
    let placements = Placements { base: Some(base.display().to_string()), ..Placements::default() };
    wanqu_crds::compile(&resources, &placements).unwrap_or_else(|found| panic!("{found:#?}"))
}

#[test]
fn the_manifests_compile_without_a_finding() {
    let bundles = bundles(Path::new("/srv/gba"));
    assert_eq!(bundles.keys().map(JurisdictionId::as_str).collect::<Vec<_>>(), ["CN-SZ", "HK", "MO"]);
    for bundle in bundles.values() {
        // Visits and patients are gated by ten people in all three; everything else is public.
        for slice in &bundle.slices {
            let protected = ["visits", "patients"].contains(&slice.table.table.as_str());
            assert_eq!(!slice.is_public(), protected, "{}", slice.table);
            assert!(!protected || slice.policy.min_units == 10, "{}", slice.table);
        }
        assert_eq!(bundle.common_tables.len(), 7);
    }
    let common =
        |table: &str| bundles.values().next().map(|b| b.slices.iter().filter(|s| s.table.to_string() == table).count());
    assert_eq!(common("gba.health.visits"), Some(3));
    assert_eq!(common("gba.finance.rates"), Some(1));
}

#[test]
fn notes_and_names_are_sealed_and_telephones_are_not_declared() {
    for bundle in bundles(Path::new("/srv/gba")).values() {
        for slice in bundle.slices.iter().filter(|slice| slice.table.table.as_str() == "visits") {
            let sealed = slice.columns.iter().filter(|column| column.class == ColumnClass::Sealed).count();
            assert_eq!(sealed, if slice.table.is_common() { 0 } else { 2 }, "{}", slice.table);
        }
        let telephone = ["联系电话", "Telephone", "telefone"];
        let declared = bundle.sources.iter().flat_map(|source| &source.columns);
        assert!(declared.clone().count() > 20);
        assert!(declared.into_iter().all(|column| !telephone.contains(&column.source_name.as_str())));
    }
}

/// The files of a source: itself, or those in its folder.
fn files(spec: &FilesSpec) -> Vec<PathBuf> {
    let path = Path::new(spec.root.as_deref().unwrap()).join(&spec.path);
    if path.is_file() {
        return vec![path];
    }
    fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The names of a file's columns.
fn columns(file: &Path, format: SourceFormat) -> Vec<String> {
    let first_line = || fs::read_to_string(file).unwrap().lines().next().unwrap().to_owned();
    match format {
        SourceFormat::Parquet => {
            let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
            let schema = reader.metadata().file_metadata().schema_descr();
            schema.columns().iter().map(|column| column.name().to_owned()).collect()
        }
        SourceFormat::Csv => first_line().split(',').map(str::to_owned).collect(),
        SourceFormat::Ndjson => first_line().split('"').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
    }
}

#[test]
fn every_declared_column_is_in_its_files() {
    let temp = tempfile::tempdir().unwrap();
    generate(&temp.path().join("data"), &Options::small(), &mut |_| ()).unwrap();
    let mut seen = 0;
    for source in bundles(temp.path()).values().flat_map(|bundle| &bundle.sources) {
        let SourceKind::Files(spec) = &source.kind;
        for file in files(spec) {
            let found = columns(&file, spec.format);
            for column in &source.columns {
                assert!(found.contains(&column.source_name), "{}: {} in {found:?}", source.table, column.source_name);
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 7 + 7 + 6);
}
