//! `wanqu demo`: the federation that ships with the project, its sample data, and a tour.
//!
//! The manifests are written to `STATE/gba` and the data to `STATE/gba/data`, where `wanqu up -f STATE/gba` finds both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wanqu_crds::Resources;
use wanqu_model::names::JurisdictionId;
use wanqu_samples::Options;

use super::args::{DemoArgs, GatewayArgs};
use super::check;
use super::connect::Connection;
use super::failure::{Failure, Outcome};
use super::render::cells::counted;
use super::render::table::Screen;
use super::running::{Roots, Running};
use super::samples;
use super::state::StateDir;
use super::steps::STEPS;
use super::{tour, up};

/// Starts the demo; with `--tour` it ends after the tour.
pub async fn run(state: &StateDir, args: &DemoArgs) -> Outcome {
    let lock = state.take()?;
    let folder = state.path().join("gba");
    let failed = |error: wanqu_samples::Error| Failure::failed(error.to_string());
    wanqu_samples::write_manifests(&folder).map_err(failed)?;
    let data = match &args.data {
        Some(data) => std::path::absolute(data).map_err(|e| Failure::file("find", data, &e))?,
        None => folder.join("data"),
    };
    let resources = check::read(&folder)?;
    let folder_of_data = data.clone();
    samples::made(move |progress| wanqu_samples::ensure(&folder_of_data, &Options::default(), progress)).await?;
    let roots = Roots { base: folder, of: data_roots(&resources, &data) };
    let running = Running::start(state, lock, &resources, roots, args.ports).await?;
    super::put(&up::welcome(&running.state))?;

    let node = running.state.node(None)?;
    let connection = Connection::local(node, &GatewayArgs::default())?;
    super::put(&format!("\nA tour, asked from {}:\n", node.display_name))?;
    let failed = tour::run(STEPS, &connection, Screen::stdout()).await;
    if args.tour || failed.is_err() {
        running.end().await;
        return verdict(failed?);
    }
    if let Err(failure) = verdict(failed?) {
        eprintln!("{failure}");
    }
    super::put(&format!("\n{}", up::hints()))?;
    running.stay().await
}

fn verdict(failed: usize) -> Outcome {
    if failed == 0 {
        let steps = counted(STEPS.len() as u64, "step");
        return super::put(&format!("\nThe tour came out as it should, all {steps} of it.\n"));
    }
    Err(Failure::failed(format!("{} of the tour's {} did not come out as they should", failed, STEPS.len())))
}

/// The members' data roots, `data/macau` in the manifests, below the folder that holds the data.
fn data_roots(resources: &Resources, data: &Path) -> BTreeMap<JurisdictionId, PathBuf> {
    let root = |root: &str| data.join(Path::new(root).strip_prefix("data").unwrap_or(Path::new(root)));
    let specs = resources.jurisdictions.iter().map(|jurisdiction| &jurisdiction.resource.spec);
    specs.filter_map(|spec| Some((spec.id.clone(), root(spec.data_root.as_deref()?)))).collect()
}
