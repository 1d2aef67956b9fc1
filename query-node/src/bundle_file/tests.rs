//! Bundle files as they are found.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use flate2::Compression;
use flate2::write::GzEncoder;
use wanqu_model::bundle::{BundleFormat, Limits};

use super::*;

fn bundle(jurisdiction: &str, deadline_seconds: u32) -> String {
    let bundle = NodeBundle {
        federation: "gba".parse().unwrap(),
        trust_domain: "gba.example".to_owned(),
        jurisdiction: jurisdiction.parse().unwrap(),
        members: Vec::new(),
        slices: Vec::new(),
        common_tables: Vec::new(),
        sources: Vec::new(),
        agreements: Vec::new(),
        projects: Vec::new(),
        limits: Limits { deadline_seconds, ..Limits::default() },
        format: BundleFormat::default(),
    };
    serde_json::to_string(&bundle).unwrap()
}

#[test]
fn a_change_is_seen_once_and_a_bad_file_is_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    fs::write(&path, bundle("HK", 1)).unwrap();
    let mut file = BundleFile::new(path.clone());
    assert_eq!(file.changed().unwrap().unwrap().bundle.limits.deadline_seconds, 1);
    assert!(file.changed().unwrap().is_none());

    fs::write(&path, "{\"federation\":").unwrap();
    assert!(matches!(file.changed(), Err(BundleError::Text { .. })));
    assert!(file.changed().unwrap().is_none());
    assert!(file.is_unread(), "at later looks too");

    fs::write(&path, bundle("MO", 22)).unwrap();
    let error = file.changed().unwrap_err().to_string();
    assert!(error.ends_with("is the bundle of MO, not of HK"), "{error}");

    fs::write(&path, bundle("HK", 333)).unwrap();
    assert!(file.is_unread());
    assert_eq!(file.changed().unwrap().unwrap().bundle.limits.deadline_seconds, 333);
    assert!(!file.is_unread());

    fs::remove_file(&path).unwrap();
    assert!(matches!(file.changed(), Err(BundleError::File { .. })));
    assert!(file.changed().unwrap().is_none(), "that it is away is said once");
    fs::write(&path, bundle("HK", 4444)).unwrap();
    assert!(file.changed().unwrap().is_some());
}

#[test]
fn a_bundle_path_that_leads_to_no_regular_file_is_reported_and_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    fs::write(&path, bundle("HK", 1)).unwrap();
    let mut file = BundleFile::new(path.clone());
    assert!(file.changed().unwrap().is_some());

    fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = file.changed().unwrap_err().to_string();
    assert!(error.ends_with("it is a pipe, where a regular file is expected"), "{error}");
    assert!(file.changed().unwrap().is_none(), "it is said once");

    fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    let error = file.changed().unwrap_err().to_string();
    assert!(error.ends_with("it is a device, where a regular file is expected"), "{error}");

    fs::remove_file(&path).unwrap();
    let long = fs::File::create(&path).unwrap();
    long.set_len(MAX_BYTES as u64 + 1).unwrap();
    assert!(matches!(file.changed(), Err(BundleError::Text { .. })), "nothing of it is read");
    assert!(file.changed().unwrap().is_none());
    fs::write(&path, bundle("HK", 2)).unwrap();
    assert_eq!(file.changed().unwrap().unwrap().bundle.limits.deadline_seconds, 2);
}

#[test]
fn a_newer_operators_bundle_is_taken_without_the_objects_that_are_not_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    fs::write(&path, bundle("HK", 1)).unwrap();
    let mut file = BundleFile::new(path.clone());
    assert!(file.changed().unwrap().unwrap().left_out.is_empty());

    let project = r#"{"name":"p","subjects":[],"purposes":[],"agreements":[],"queriesPerDay":null,"quorum":2}"#;
    fs::write(&path, bundle("HK", 2).replace("\"projects\":[]", &format!("\"projects\":[{project}]"))).unwrap();
    let taken = file.changed().unwrap().unwrap();
    assert_eq!(taken.bundle.limits.deadline_seconds, 2, "the rest is in force");
    let left_out = [LeftOut { object: "projects[0] p".to_owned(), reason: "unknown field `quorum`".to_owned() }];
    assert_eq!((taken.bundle.projects.len(), taken.left_out), (0, left_out.to_vec()));

    let newer = |whose| bundle(whose, 3).replacen('{', r#"{"format":{"version":1,"requires":["noise"]},"#, 1);
    fs::write(&path, newer("HK")).unwrap();
    let error = file.changed().unwrap_err();
    assert!(matches!(error, BundleError::NotUnderstood { .. }));
    assert!(!file.is_unread(), "it is known to be a bundle");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        error.to_string(),
        format!(
            "{} is a bundle that this node (version {version}) does not understand: it requires noise, which this node does not know; upgrade the node",
            path.display()
        )
    );
    fs::write(&path, newer("MO")).unwrap();
    assert!(matches!(file.changed().unwrap_err(), BundleError::OtherNode { .. }));
}

/// Makes a version of a mounted volume as the kubelet does: `NAME` is a link to `..data/NAME`, and `..data` one to a folder of its own
/// for each version, which is swapped by a rename.
fn mount(volume: &Path, version: &str, name: &str, bytes: &[u8]) {
    fs::create_dir(volume.join(version)).unwrap();
    fs::write(volume.join(version).join(name), bytes).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    if !volume.join(name).exists() {
        symlink(Path::new("..data").join(name), volume.join(name)).unwrap();
    }
}

#[test]
fn a_bundle_mounted_as_a_config_map_is_read_again_when_its_link_is_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path();
    mount(volume, "..2026_01_01", "bundle.json.gz", &packed(&bundle("HK", 1)));
    let mut file = BundleFile::new(volume.join("bundle.json.gz"));
    assert_eq!(file.changed().unwrap().unwrap().bundle.limits.deadline_seconds, 1);
    assert!(file.changed().unwrap().is_none());
    mount(volume, "..2026_01_02", "bundle.json.gz", &packed(&bundle("HK", 2)));
    fs::remove_dir_all(volume.join("..2026_01_01")).unwrap();
    assert_eq!(file.changed().unwrap().unwrap().bundle.limits.deadline_seconds, 2);
    // The same text again in a new folder is no news.
    mount(volume, "..2026_01_03", "bundle.json.gz", bundle("HK", 2).as_bytes());
    assert!(file.changed().unwrap().is_none());
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_digest_is_that_of_the_text_however_it_is_packed() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, zipped) = (folder.path().join("bundle.json"), folder.path().join("bundle.json.gz"));
    let text = bundle("HK", 1);
    fs::write(&plain, &text).unwrap();
    fs::write(&zipped, packed(&text)).unwrap();
    let (a, b) = (read(&plain).unwrap(), read(&zipped).unwrap());
    assert_eq!((a.digest.len(), &a.digest), (64, &b.digest));
    assert_eq!(a.bundle, b.bundle);
    assert_eq!(a.digest, format!("{:x}", Sha256::digest(&text)));
}

#[test]
fn a_bundle_file_that_was_away_is_taken_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    fs::write(&path, bundle("HK", 1)).unwrap();
    let mut file = BundleFile::new(path.clone());
    assert!(file.changed().unwrap().is_some());
    fs::rename(&path, folder.path().join("elsewhere")).unwrap();
    assert!(file.changed().is_err());
    fs::rename(folder.path().join("elsewhere"), &path).unwrap();
    assert!(file.changed().unwrap().is_some(), "the same file, so that what was reported is over");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(file.changed().unwrap().is_none(), "another mode, the same text");
}

#[test]
fn a_bundle_file_that_cannot_be_read_for_a_moment_is_read_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    fs::write(&path, bundle("HK", 1)).unwrap();
    let mut file = BundleFile::new(path.clone());
    assert!(file.changed().unwrap().is_some());
    fs::write(&path, bundle("HK", 22)).unwrap();
    let fails = |_: &Path| Err(io::Error::from(io::ErrorKind::PermissionDenied));
    assert!(matches!(file.changed_with(fails), Err(BundleError::File { .. })));
    assert!(file.changed_with(fails).unwrap().is_none(), "the same failure is said once");
    let otherwise = |_: &Path| Err(io::Error::from(io::ErrorKind::TimedOut));
    assert!(file.changed_with(otherwise).is_err(), "another failure is news");
    // The file itself has not changed since.
    assert_eq!(file.changed().unwrap().unwrap().bundle.limits.deadline_seconds, 22);
    assert!(file.changed().unwrap().is_none());
    let mut anew = file.unread();
    assert!(anew.changed().unwrap().is_some(), "what nobody has read yet is read again");
    fs::write(&path, bundle("MO", 22)).unwrap();
    assert!(matches!(anew.changed(), Err(BundleError::OtherNode { .. })), "and whose node it is is known still");
}
