//! Names of all metrics, from the registries in the source.

use std::collections::BTreeSet;

/// Source files that declare metrics.
const REGISTRIES: [&str; 2] = ["query-node/src/observe/metrics.rs", "operator/src/framework/metrics.rs"];

/// Returns every metric by the name that a query uses, without the endings of counters and histograms.
///
/// # Panics
/// If a source file is missing or declares nothing.
#[must_use]
pub fn metrics() -> BTreeSet<String> {
    REGISTRIES.iter().flat_map(|path| declared(path)).collect()
}

fn declared(path: &str) -> Vec<String> {
    let source = std::fs::read_to_string(crate::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = |after: &str| -> Option<String> { Some(after.strip_prefix('"')?.split('"').next()?.to_owned()) };
    let prefix = source.split("Registry::with_prefix(").nth(1).and_then(text);
    let prefix = prefix.unwrap_or_else(|| panic!("{path} has no registry with a prefix"));
    let plain = source.split(".register(").skip(1).filter_map(text).map(|name| format!("{prefix}_{name}"));
    let units = source.split(".register_with_unit(").skip(1).filter_map(|after| {
        let unit = after.split("Unit::").nth(1)?.split(|c: char| !c.is_alphanumeric()).next()?.to_lowercase();
        Some(format!("{prefix}_{}_{unit}", text(after)?))
    });
    let found: Vec<String> = plain.chain(units).collect();
    assert!(found.len() >= 4, "{path} declares {found:?}");
    found
}

/// Returns the names of this project's metrics in a query, without the endings of counters and histograms.
#[must_use]
pub fn used(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let ours = words.filter(|word| word.starts_with("wanqu_"));
    ours.map(|word| {
        let endings = ["_total", "_bucket", "_sum", "_count"];
        let bare = endings.iter().find_map(|ending| word.strip_suffix(ending));
        bare.unwrap_or(word).to_owned()
    })
    .collect()
}
