//! The bill, of what cargo says. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{PROGRAMS, SbomError};

/// Name and version of a crate.
pub type Crate = (String, String);

/// Reads the crates that `cargo tree --prefix none` lists: a line `name vVERSION` each, with more behind it.
pub(crate) fn listed(tree: &str) -> Result<BTreeSet<Crate>, SbomError> {
    let lines = tree.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.split(' ');
            let version = |word: &str| word.strip_prefix('v').map(str::to_owned);
            match (words.next(), words.next().and_then(version)) {
                (Some(name), Some(version)) => Ok((name.to_owned(), version)),
                _ => Err(SbomError::Form(format!("cargo tree: {line:?} is no crate and its version"))),
            }
        })
        .collect()
}

/// Reads the SHA-256 of the sources that `Cargo.lock` holds.
pub(crate) fn digests(lock: &str) -> BTreeMap<Crate, String> {
    let of = |package: &str, key: &str| {
        let value = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        value.and_then(|value| value.strip_suffix('"')).map(str::to_owned)
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| Some(((of(package, "name")?, of(package, "version")?), of(package, "checksum")?)))
        .collect()
}

/// Composes the bill of the crates that are shipped.
///
/// # Errors
/// If `cargo metadata` lacks one of them, or the lock lacks the digest of one that comes from a registry.
pub fn compose(
    shipped: &BTreeSet<Crate>,
    metadata: &Value,
    digests: &BTreeMap<Crate, String>,
) -> Result<Value, SbomError> {
    let mut packages: BTreeMap<Crate, &Value> = BTreeMap::new();
    let mut ids: BTreeMap<&str, Crate> = BTreeMap::new();
    for package in list(&metadata["packages"])? {
        let crate_ = (text(package, "name")?.to_owned(), text(package, "version")?.to_owned());
        if shipped.contains(&crate_) {
            ids.insert(text(package, "id")?, crate_.clone());
            packages.insert(crate_, package);
        }
    }
    if let Some((name, version)) = shipped.iter().find(|crate_| !packages.contains_key(*crate_)) {
        return Err(SbomError::Form(format!("cargo metadata does not know {name} {version}")));
    }
    let references: BTreeMap<&Crate, String> =
        packages.iter().map(|(crate_, package)| (crate_, reference(crate_, package))).collect();
    let components: Result<Vec<Value>, SbomError> =
        packages.iter().map(|(crate_, package)| component(crate_, package, digests)).collect();
    let programs: BTreeSet<&String> = references
        .iter()
        .filter(|((name, _), _)| PROGRAMS.contains(&name.as_str()))
        .map(|(_, reference)| reference)
        .collect();
    let mut dependencies = vec![json!({"ref": "wanqu", "dependsOn": programs})];
    for node in list(&metadata["resolve"]["nodes"])? {
        let Some(of) = ids.get(text(node, "id")?) else { continue };
        let mut on = BTreeSet::new();
        for dependency in list(&node["deps"])? {
            let ordinary = list(&dependency["dep_kinds"])?.iter().any(|kind| kind["kind"].is_null());
            if let Some(crate_) = ids.get(text(dependency, "pkg")?).filter(|_| ordinary) {
                on.insert(&references[crate_]);
            }
        }
        dependencies.push(json!({"ref": references[of], "dependsOn": on}));
    }
    let version = packages.iter().find(|((name, _), _)| name == "wanqu-cli").map(|((_, version), _)| version);
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application", "bom-ref": "wanqu", "name": "wanqu", "version": version,
            "licenses": [{"expression": "Apache-2.0"}],
        }},
        "components": components?,
        "dependencies": dependencies,
    }))
}

/// Returns the name of a crate in the bill: its package URL. A crate of this workspace has none, since a crate of the same
/// name in a registry would be another one.
fn reference((name, version): &Crate, package: &Value) -> String {
    if package["source"].is_null() {
        format!("workspace:{name}@{version}")
    } else {
        format!("pkg:cargo/{name}@{version}")
    }
}

fn component(crate_: &Crate, package: &Value, digests: &BTreeMap<Crate, String>) -> Result<Value, SbomError> {
    let (name, version) = crate_;
    let kind = if PROGRAMS.contains(&name.as_str()) { "application" } else { "library" };
    let reference = reference(crate_, package);
    let mut component = json!({"type": kind, "bom-ref": reference, "name": name, "version": version});
    // Older crates write a slash for "or".
    if let Some(licence) = package["license"].as_str() {
        component["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
    }
    if package["source"].is_null() {
        return Ok(component);
    }
    component["purl"] = json!(reference);
    let digest = digests.get(crate_);
    let digest = digest.ok_or_else(|| SbomError::Form(format!("Cargo.lock has no digest of {name} {version}")))?;
    component["hashes"] = json!([{"alg": "SHA-256", "content": digest}]);
    if let Some(repository) = package["repository"].as_str() {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    Ok(component)
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, SbomError> {
    value[key].as_str().ok_or_else(|| SbomError::Form(format!("cargo metadata: no {key} in {value}")))
}

fn list(value: &Value) -> Result<&Vec<Value>, SbomError> {
    value.as_array().ok_or_else(|| SbomError::Form(format!("cargo metadata: no list: {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4

[[package]]
name = \"wanqu-cli\"
version = \"0.1.0\"

[[package]]
name = \"ring\"
version = \"1.2.3\"
source = \"registry+https://registry.example/index\"
checksum = \"abc\"
dependencies = [
 \"libc\",
]
";

    fn crate_(name: &str, version: &str) -> Crate {
        (name.to_owned(), version.to_owned())
    }

    fn metadata() -> Value {
        let ordinary = json!([{"kind": null, "target": null}]);
        json!({
            "packages": [
                {"id": "p cli", "name": "wanqu-cli", "version": "0.1.0", "source": null, "license": "Apache-2.0"},
                {"id": "r ring", "name": "ring", "version": "1.2.3", "source": "registry", "license": "MIT/ISC",
                 "repository": "https://example.org/ring"},
                {"id": "r insta", "name": "insta", "version": "2.0.0", "source": "registry", "license": "MIT"},
            ],
            "resolve": {"nodes": [
                {"id": "p cli", "deps": [
                    {"pkg": "r ring", "dep_kinds": ordinary},
                    {"pkg": "r insta", "dep_kinds": [{"kind": "dev", "target": null}]},
                ]},
                {"id": "r ring", "deps": []},
                {"id": "r insta", "deps": [{"pkg": "r ring", "dep_kinds": ordinary}]},
            ]},
        })
    }

    #[test]
    fn a_tree_is_read_by_name_and_version() {
        let tree = "wanqu-cli v0.1.0 (/home/wei/wanqu/crates/cli)\nring v1.2.3\n\nring v1.2.3 (*)\nserde v1.0.0+meta\n";
        let expected = [crate_("ring", "1.2.3"), crate_("serde", "1.0.0+meta"), crate_("wanqu-cli", "0.1.0")];
        assert_eq!(listed(tree).unwrap(), BTreeSet::from(expected));
        assert!(listed("└── ring v1.2.3").is_err());
    }

    #[test]
    fn what_is_shipped_is_listed_with_digest_licence_and_what_it_needs_and_nothing_else_is() {
        let shipped = BTreeSet::from([crate_("wanqu-cli", "0.1.0"), crate_("ring", "1.2.3")]);
        let bill = compose(&shipped, &metadata(), &digests(LOCK)).unwrap();
        assert_eq!(
            bill["components"],
            json!([
                {
                    "type": "library", "bom-ref": "pkg:cargo/ring@1.2.3", "name": "ring", "version": "1.2.3",
                    "purl": "pkg:cargo/ring@1.2.3", "hashes": [{"alg": "SHA-256", "content": "abc"}],
                    "licenses": [{"expression": "MIT OR ISC"}],
                    "externalReferences": [{"type": "vcs", "url": "https://example.org/ring"}],
                },
                {
                    "type": "application", "bom-ref": "workspace:wanqu-cli@0.1.0", "name": "wanqu-cli",
                    "version": "0.1.0", "licenses": [{"expression": "Apache-2.0"}],
                },
            ])
        );
        assert_eq!(
            bill["dependencies"],
            json!([
                {"ref": "wanqu", "dependsOn": ["workspace:wanqu-cli@0.1.0"]},
                {"ref": "workspace:wanqu-cli@0.1.0", "dependsOn": ["pkg:cargo/ring@1.2.3"]},
                {"ref": "pkg:cargo/ring@1.2.3", "dependsOn": []},
            ])
        );
        assert_eq!(bill["metadata"]["component"]["version"], "0.1.0");
    }

    #[test]
    fn a_crate_without_a_digest_or_without_metadata_is_no_bill() {
        let shipped = BTreeSet::from([crate_("insta", "2.0.0")]);
        let error = compose(&shipped, &metadata(), &digests(LOCK)).unwrap_err().to_string();
        assert_eq!(error, "Cargo.lock has no digest of insta 2.0.0");
        let shipped = BTreeSet::from([crate_("ring", "9.9.9")]);
        let error = compose(&shipped, &metadata(), &digests(LOCK)).unwrap_err().to_string();
        assert_eq!(error, "cargo metadata does not know ring 9.9.9");
    }
}
