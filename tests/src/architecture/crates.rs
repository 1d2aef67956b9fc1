//! The dependencies of crates, and what no crate may depend on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

/// A crate of this workspace and what it must not depend on. Dependencies of tests and of build scripts do not count.
#[derive(Debug)]
pub struct Wall {
    /// The crate.
    pub of: &'static str,
    /// Crates that it must not depend on, be it by way of others.
    pub never: &'static [&'static str],
    /// Crates that it must not name itself, though others that it needs bring them.
    pub not_itself: &'static [&'static str],
}

/// The crates of a build, and on which others each depends.
#[derive(Debug)]
pub struct Graph {
    /// By the id that cargo gives to a crate of one version.
    crates: BTreeMap<String, Crate>,
}

#[derive(Debug)]
struct Crate {
    name: String,
    dependencies: Vec<String>,
    features: BTreeSet<String>,
}

impl Graph {
    /// Reads what `cargo metadata --format-version 1` prints.
    ///
    /// # Errors
    /// If it does not have the form that is expected.
    pub fn read(metadata: &Value) -> Result<Self, String> {
        let text = |value: &Value, key: &str| {
            value[key].as_str().map(str::to_owned).ok_or_else(|| format!("cargo metadata: no {key} in {value}"))
        };
        let list = |value: &Value| value.as_array().cloned().ok_or_else(|| format!("cargo metadata: no list: {value}"));
        let mut names = BTreeMap::new();
        for package in list(&metadata["packages"])? {
            names.insert(text(&package, "id")?, text(&package, "name")?);
        }
        let mut crates = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"])? {
            let id = text(&node, "id")?;
            let name = names.get(&id).cloned().ok_or_else(|| format!("cargo metadata: no package {id}"))?;
            let mut dependencies = Vec::new();
            for dependency in list(&node["deps"])? {
                // The kind of an ordinary dependency is null; others are "dev" and "build".
                if list(&dependency["dep_kinds"])?.iter().any(|kind| kind["kind"].is_null()) {
                    dependencies.push(text(&dependency, "pkg")?);
                }
            }
            let features = list(&node["features"])?;
            let features = features.iter().filter_map(|feature| Some(feature.as_str()?.to_owned())).collect();
            crates.insert(id, Crate { name, dependencies, features });
        }
        Ok(Self { crates })
    }

    /// Returns the features with which a crate is built, of all its versions; none if it is not built at all.
    #[must_use]
    pub fn features(&self, of: &str) -> Option<BTreeSet<&str>> {
        let mut versions = self.crates.values().filter(|crate_| crate_.name == of).peekable();
        versions.peek()?;
        Some(versions.flat_map(|crate_| crate_.features.iter().map(String::as_str)).collect())
    }

    /// Returns what stands against a wall: a sentence for each forbidden crate, with the way that leads there.
    #[must_use]
    pub fn breaches(&self, wall: &Wall) -> Vec<String> {
        let Some((from, crate_)) = self.crates.iter().find(|(_, crate_)| crate_.name == wall.of) else {
            return vec![format!("there is no crate {}; write its new name into the table of walls", wall.of)];
        };
        let direct: BTreeSet<&str> =
            crate_.dependencies.iter().filter_map(|id| Some(self.crates.get(id)?.name.as_str())).collect();
        let itself = wall.not_itself.iter().filter(|name| direct.contains(**name));
        let itself = itself.map(|name| format!("{} must not name {name} among its dependencies", wall.of));
        let never = wall.never.iter().filter_map(|name| {
            let path = self.path(from, name)?.join(" → ");
            Some(format!("{} must not depend on {name}, and does: {path}", wall.of))
        });
        itself.chain(never).collect()
    }

    /// The shortest way from one crate to another of this name, by names.
    fn path(&self, from: &str, to: &str) -> Option<Vec<&str>> {
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(id) = queue.pop_front() {
            let crate_ = self.crates.get(id)?;
            if crate_.name == to && id != from {
                let ids = std::iter::successors(Some(id), |id| before.get(id).copied());
                let mut path: Vec<&str> = ids.filter_map(|id| Some(self.crates.get(id)?.name.as_str())).collect();
                path.reverse();
                return Some(path);
            }
            for next in &crate_.dependencies {
                if next != from && !before.contains_key(next.as_str()) {
                    before.insert(next, id);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Made-up crates: `(name, [(dependency, kind)])`.
    fn graph(crates: &[(&str, &[(&str, Option<&str>)])]) -> Graph {
        let packages: Vec<Value> =
            crates.iter().map(|(name, _)| json!({"id": format!("{name} 1"), "name": name})).collect();
        let dependency = |(name, kind): &(&str, Option<&str>)| json!({"name": name, "pkg": format!("{name} 1"), "dep_kinds": [{"kind": kind, "target": null}]});
        let nodes: Vec<Value> = crates
            .iter()
            .map(|(name, on)| json!({"id": format!("{name} 1"), "features": ["std"], "deps": on.iter().map(dependency).collect::<Vec<_>>()}))
            .collect();
        Graph::read(&json!({"packages": packages, "resolve": {"nodes": nodes}})).unwrap()
    }

    const WALL: Wall = Wall { of: "rules", never: &["tonic"], not_itself: &["tokio"] };

    #[test]
    fn a_crate_that_keeps_to_its_wall_has_no_breach() {
        let kept = graph(&[
            ("rules", &[("engine", None), ("tonic", Some("dev")), ("tokio", Some("build"))]),
            ("engine", &[("tokio", None), ("rules", None)]),
            ("tonic", &[]),
            ("tokio", &[]),
        ]);
        assert_eq!(kept.breaches(&WALL), [""; 0]);
    }

    #[test]
    fn a_forbidden_edge_is_found_with_the_way_that_leads_there() {
        let broken = graph(&[
            ("rules", &[("model", None), ("client", None), ("tokio", None)]),
            ("model", &[("client", None)]),
            ("client", &[("tonic", None)]),
            ("tonic", &[]),
            ("tokio", &[]),
        ]);
        assert_eq!(
            broken.breaches(&WALL),
            [
                "rules must not name tokio among its dependencies",
                "rules must not depend on tonic, and does: rules → client → tonic",
            ]
        );
    }

    #[test]
    fn features_are_those_of_a_crate_that_is_built() {
        let graph = graph(&[("rules", &[])]);
        assert_eq!(graph.features("rules"), Some(BTreeSet::from(["std"])));
        assert_eq!(graph.features("laws"), None);
    }

    #[test]
    fn a_crate_that_was_renamed_does_not_slip_through() {
        assert_eq!(
            graph(&[("laws", &[])]).breaches(&WALL),
            ["there is no crate rules; write its new name into the table of walls"]
        );
    }
}
