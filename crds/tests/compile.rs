//! A whole small federation, from its manifests to its bundles.

use std::path::Path;

use wanqu_crds::{Placement, Placements, compile, manifests};

fn good() -> wanqu_crds::Resources {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    manifests::read_dir(&folder).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

#[test]
fn a_federation_in_order_compiles_to_one_bundle_per_member() {
    let placement = Placement {
        endpoint: Some("127.0.0.1:4001".to_owned()),
        ca: Some("PEM".to_owned()),
        issuer_keys: [("https://id.sz.example".to_owned(), vec!["KEY".to_owned()])].into(),
        data_root: None,
    };
    let placements =
        Placements { base: Some("/srv/gba".to_owned()), members: [("CN-SZ".parse().unwrap(), placement)].into() };
    let bundles = compile(&good(), &placements).unwrap_or_else(|findings| panic!("{findings:#?}"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&bundles).unwrap());
}
