//! A federation's files, as an operator would lay them out for each node.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use tempfile::TempDir;
use wanqu_cli::local::placements;
use wanqu_client::Client;
use wanqu_crds::{Placement, compile, manifests};
use wanqu_identity::{Authority, TokenIssuer, Validity};
use wanqu_model::audience::gateway_audience;
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;
use wanqu_samples::Options;
use wanqu_testing::free_address;

const ISSUER: &str = "https://issuer.wanqu.local";
const DOMAIN: &str = "gba.example";
const MEMBERS: [&str; 3] = ["CN-SZ", "HK", "MO"];

/// Researcher whom Hong Kong's project names.
pub const RESEARCHER: &str = "researcher@hku.example";

/// Example manifests over a small set of data, with an authority and free ports for each member.
pub struct World {
    folder: TempDir,
    authorities: BTreeMap<JurisdictionId, Authority>,
    issuer: TokenIssuer,
    bundles: BTreeMap<JurisdictionId, NodeBundle>,
}

pub fn jid(id: &str) -> JurisdictionId {
    id.parse().unwrap()
}

pub fn days(days: u32) -> Validity {
    Validity::days(Timestamp::now(), days)
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        wanqu_samples::write_manifests(folder.path()).unwrap();
        wanqu_samples::ensure(&folder.path().join("data"), &Options::small().with_canaries(), &mut |_| ()).unwrap();
        let issuer = TokenIssuer::new(ISSUER).unwrap();
        let mut authorities = BTreeMap::new();
        let mut placed = placements(Some(folder.path()), &BTreeMap::new());
        for member in MEMBERS {
            let authority = Authority::new(jid(member), DOMAIN, days(1)).unwrap();
            let placement = Placement {
                ca: Some(authority.certificate_pem().to_owned()),
                endpoint: Some(free_address().to_string()),
                issuer_keys: BTreeMap::from([(ISSUER.to_owned(), vec![issuer.public_key_pem()])]),
                ..Placement::default()
            };
            placed.members.insert(jid(member), placement);
            authorities.insert(jid(member), authority);
        }
        let bundles = compile(&manifests::read_dir(folder.path()).unwrap(), &placed).unwrap();
        let world = Self { folder, authorities, issuer, bundles };
        for member in MEMBERS {
            fs::create_dir_all(world.bundle_volume(member)).unwrap();
            fs::create_dir_all(world.identity_volume(member)).unwrap();
            world.mount_bundle(member, &world.bundle(member));
            world.mount_identity(member, days(1));
        }
        world
    }

    pub fn node(&self, member: &str) -> PathBuf {
        self.folder.path().join("nodes").join(member)
    }

    pub fn bundle_volume(&self, member: &str) -> PathBuf {
        self.node(member).join("bundle")
    }

    pub fn identity_volume(&self, member: &str) -> PathBuf {
        self.node(member).join("identity")
    }

    pub fn bundle(&self, member: &str) -> NodeBundle {
        self.bundles[&jid(member)].clone()
    }

    pub fn authority(&self, member: &str) -> &Authority {
        &self.authorities[&jid(member)]
    }

    /// Returns the address at which a member's exchange must listen, because the others' bundles say so.
    pub fn exchange(&self, member: &str) -> SocketAddr {
        let bundle = self.bundle(member);
        let own = bundle.members.iter().find(|other| other.jurisdiction == jid(member)).unwrap();
        own.endpoint.clone().unwrap().parse().unwrap()
    }

    /// Mounts a new version of the bundle's volume, and returns its JSON.
    pub fn mount_bundle(&self, member: &str, bundle: &NodeBundle) -> String {
        let text = serde_json::to_string(bundle).unwrap();
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        mount(&self.bundle_volume(member), &[("bundle.json.gz", packed.finish().unwrap())]);
        text
    }

    /// Mounts a new version of the identity's volume, with fresh certificates and keys.
    pub fn mount_identity(&self, member: &str, validity: Validity) {
        let (scratch, authority) = (tempfile::tempdir().unwrap(), self.authority(member));
        authority.issue_node(validity).unwrap().save(scratch.path()).unwrap();
        authority.issue_gateway(validity).unwrap().save(scratch.path()).unwrap();
        let files = ["node.pem", "node.key", "gateway.pem", "gateway.key"];
        let files: Vec<_> = files.iter().map(|name| (*name, fs::read(scratch.path().join(name)).unwrap())).collect();
        mount(&self.identity_volume(member), &files);
    }

    /// Returns a researcher's client of a gateway. Must be called within a runtime.
    pub fn client(&self, member: &str, gateway: SocketAddr) -> Client {
        let audience = gateway_audience(DOMAIN, &jid(member));
        let token = self.issuer.issue(RESEARCHER, &audience, Timestamp::now(), Duration::from_mins(10)).unwrap();
        Client::connect(&gateway.to_string(), self.authority(member).certificate_pem(), &token, None).unwrap()
    }
}

/// Makes a new version of a mounted volume as the kubelet does: each file is a link into `..data`, which is a link to a
/// folder of its own for each version and is swapped by a rename.
pub fn mount(volume: &Path, files: &[(&str, Vec<u8>)]) {
    let version = tempfile::Builder::new().prefix("..version").tempdir_in(volume).unwrap().keep();
    for (name, bytes) in files {
        fs::write(version.join(name), bytes).unwrap();
    }
    let old = fs::read_link(volume.join("..data")).ok();
    symlink(version.file_name().unwrap(), volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    for (name, _) in files {
        if fs::symlink_metadata(volume.join(name)).is_err() {
            symlink(Path::new("..data").join(name), volume.join(name)).unwrap();
        }
    }
    if let Some(old) = old {
        fs::remove_dir_all(volume.join(old)).unwrap();
    }
}
