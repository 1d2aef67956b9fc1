//! What is in order compiles without what is at fault: what each fault takes with it, what it leaves alone, and that no fault
//! ever lets more out.

#![allow(
    clippy::assigning_clones,
    clippy::needless_for_each,
    clippy::redundant_closure_for_method_calls,
    reason = "plain is better in a test"
)]

mod direct;
mod edits;
mod grants;
mod oracle;
mod property;
mod random;

use std::path::Path;
use std::sync::LazyLock;

use wanqu_crds::{Partial, Placement, Placements, Resources, Sourced, manifests, partial};
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;

static EXAMPLES: LazyLock<Resources> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/gba");
    manifests::read_dir(&folder).unwrap_or_else(|findings| panic!("{findings:#?}"))
});

/// The resources of `examples/gba`.
fn examples() -> Resources {
    EXAMPLES.clone()
}

fn id(text: &str) -> JurisdictionId {
    text.parse().unwrap()
}

/// Every member of the examples has its place and its authority.
fn placements() -> Placements {
    let placed = |text: &str| {
        let placement = Placement {
            endpoint: Some(format!("{text}.example:7443")),
            ca: Some(format!("CA of {text}")),
            ..Placement::default()
        };
        (id(text), placement)
    };
    Placements { base: Some("/srv".to_owned()), members: ["CN-SZ", "HK", "MO"].map(placed).into() }
}

fn compiled(resources: &Resources) -> Partial {
    partial(resources, &placements())
}

/// The bundle of the node of a jurisdiction.
fn bundle(partial: &Partial, of: &str) -> NodeBundle {
    partial.compiled.as_ref().unwrap().bundle(&id(of)).unwrap_or_else(|| panic!("{of} has no bundle"))
}

/// The resource of a name, to change.
fn named<'a, T: kube::Resource>(all: &'a mut [Sourced<T>], name: &str) -> &'a mut T {
    &mut all.iter_mut().find(|one| one.name() == name).unwrap_or_else(|| panic!("{name}")).resource
}

/// Deletes a resource.
fn delete<T: kube::Resource>(all: &mut Vec<Sourced<T>>, name: &str) {
    let before = all.len();
    all.retain(|one| one.name() != name);
    assert_eq!(all.len() + 1, before, "{name}");
}
