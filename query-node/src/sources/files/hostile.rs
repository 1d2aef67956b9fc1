//! Folders whose owner is hostile: Datasets that name what is not theirs, and links that change while they are read.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wanqu_model::bundle::SourceFormat;
use wanqu_model::refusal::{Code, Refusal};

use super::beneath::{Problem, Root, SourceFile};
use crate::engine::fixture::{Fixture, rule};
use crate::engine::{Engine, Folders};
use crate::sources::{OwnFolders, SourceFault};

/// A folder of data beside a folder with a node's key, which every test tries to read.
struct House {
    dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let house = Self { dir: tempfile::tempdir().unwrap() };
        for folder in ["identity", "data/visits"] {
            fs::create_dir_all(house.at(folder)).unwrap();
        }
        fs::write(house.at("identity/tls.key"), "KEY\n").unwrap();
        fs::write(house.at("identity/visits.csv"), "KEY\n").unwrap();
        fs::write(house.at("data/visits/visits.csv"), "id\na\n").unwrap();
        house
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn root(&self) -> Arc<Root> {
        let own = OwnFolders::new([self.at("identity")]);
        Root::open(self.at("data").to_str().unwrap(), &own).unwrap()
    }

    fn list(&self, path: &str) -> Result<Vec<SourceFile>, Problem> {
        super::path::files(&self.root(), path, &["csv"])
    }
}

fn fault_of(opened: Result<File, Problem>) -> SourceFault {
    match opened {
        Err(problem) => problem.fault,
        Ok(mut file) => {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            panic!("it can be read: {text}")
        }
    }
}

#[test]
fn no_dataset_names_the_nodes_key() {
    let house = House::new();
    let key = house.at("identity/tls.key");
    symlink(&key, house.at("data/absolute.csv")).unwrap();
    symlink("../identity/tls.key", house.at("data/relative.csv")).unwrap();
    symlink("visits/../../identity/tls.key", house.at("data/winding.csv")).unwrap();
    symlink("../identity", house.at("data/keys")).unwrap();
    symlink("/proc/self/cwd", house.at("data/cwd")).unwrap();
    symlink("/proc/self/environ", house.at("data/environ.csv")).unwrap();
    symlink("/proc/self/root", house.at("data/all")).unwrap();
    symlink("/dev/zero", house.at("data/zero.csv")).unwrap();
    for path in [
        "../identity/tls.key",
        "visits/../../identity/tls.key",
        key.to_str().unwrap(),
        "/proc/self/environ",
        "/etc/passwd",
        "absolute.csv",
        "relative.csv",
        "winding.csv",
        "keys/tls.key",
        "keys",
        "cwd",
        "environ.csv",
        "all/etc/passwd",
        "zero.csv",
        ".",
    ] {
        assert_eq!(house.list(path).unwrap_err().fault, SourceFault::Path, "{path}");
    }
}

#[test]
fn a_link_that_takes_the_place_of_what_was_listed_is_not_followed() {
    type Swap = (&'static str, fn(&House));
    let swaps: [Swap; 5] = [
        ("a file by a link to the key", |house| {
            fs::remove_file(house.at("data/visits/visits.csv")).unwrap();
            symlink(house.at("identity/tls.key"), house.at("data/visits/visits.csv")).unwrap();
        }),
        ("a folder by a link to that of the key", |house| {
            fs::rename(house.at("data/visits"), house.at("data/before")).unwrap();
            symlink(house.at("identity"), house.at("data/visits")).unwrap();
        }),
        ("a file by one of the same text", |house| {
            fs::write(house.at("data/other"), "id\na\n").unwrap();
            fs::rename(house.at("data/other"), house.at("data/visits/visits.csv")).unwrap();
        }),
        ("its text by a longer one", |house| {
            let mut file = File::options().append(true).open(house.at("data/visits/visits.csv")).unwrap();
            file.write_all(b"b\n").unwrap();
        }),
        ("it is gone", |house| fs::remove_file(house.at("data/visits/visits.csv")).unwrap()),
    ];
    for (name, swap) in swaps {
        let house = House::new();
        let listed = house.list("visits").unwrap();
        assert_eq!(listed.len(), 1);
        swap(&house);
        assert_eq!(fault_of(listed[0].open()), SourceFault::Changed, "{name}");
    }
    let house = House::new();
    let listed = house.list("visits/visits.csv").unwrap();
    // The root itself is held open, so that another folder in its place is not read.
    fs::rename(house.at("data"), house.at("before")).unwrap();
    symlink(house.at("identity"), house.at("data")).unwrap();
    let mut text = String::new();
    listed[0].open().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "id\na\n");
}

/// Somebody swaps a folder and a link as fast as they can: whatever is read is the folder's.
#[test]
fn nothing_outside_is_read_while_links_are_swapped_all_the_time() {
    let house = House::new();
    let (visits, aside) = (house.at("data/visits"), house.at("data/_aside"));
    symlink(house.at("identity"), house.at("data/_link")).unwrap();
    let link = house.at("data/_link");
    let until = Instant::now() + Duration::from_millis(500);
    let mut read = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < until {
                fs::rename(&visits, &aside).unwrap();
                fs::rename(&link, &visits).unwrap();
                fs::rename(&visits, &link).unwrap();
                fs::rename(&aside, &visits).unwrap();
            }
        });
        while Instant::now() < until {
            for path in ["visits", "visits/visits.csv", "."] {
                let Ok(files) = house.list(path) else { continue };
                for file in files {
                    let Ok(mut open) = file.open() else { continue };
                    let mut text = String::new();
                    open.read_to_string(&mut text).unwrap();
                    assert_eq!(text, "id\na\n");
                    read += 1;
                }
            }
        }
    });
    assert!(read > 0, "the folder is there half of the time");
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_devices_are_no_files_and_nothing_waits_for_them() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let house = House::new();
    let pipe = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    pipe(&house.at("data/visits/notes.txt"));
    assert_eq!(house.list("visits").unwrap().len(), 1, "its name is none of these");
    let listed = house.list("visits").unwrap();
    fs::remove_file(house.at("data/visits/visits.csv")).unwrap();
    pipe(&house.at("data/visits/visits.csv"));
    assert_eq!(fault_of(listed[0].open()), SourceFault::Changed);
    assert_eq!(house.list("visits").unwrap_err().fault, SourceFault::Path);
    assert_eq!(house.list("visits/visits.csv").unwrap_err().fault, SourceFault::Path);
    let devices = Root::open("/dev", &OwnFolders::default()).unwrap();
    assert_eq!(super::path::files(&devices, "zero", &["csv"]).unwrap_err().fault, SourceFault::Path);
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_kernel_makes_up_is_no_data() {
    for root in ["/proc", "/proc/self", "/sys"] {
        let problem = Root::open(root, &OwnFolders::default()).unwrap_err();
        assert_eq!(problem.fault, SourceFault::Path, "{root}: {}", problem.reason);
    }
}

async fn refused(fixture: &Fixture, folders: &Folders) -> Refusal {
    use crate::engine::fixture::Unreachable;

    let engine = Engine::open_in(&fixture.bundle, Arc::new(Unreachable), folders).unwrap();
    engine.look_at_sources().await;
    let unavailable = engine.unavailable();
    let run = wanqu_gate::Engine::start_public(&engine, jiff::Timestamp::MAX).unwrap();
    let plan = fixture.catalog().plan("SELECT id FROM shenzhen.d.v", 10_000).unwrap();
    let bound = run.bind(&plan).unwrap();
    let failed = match run.execute(&bound).await {
        Err(error) => error,
        Ok(rows) => futures::TryStreamExt::try_collect::<Vec<_>>(rows).await.unwrap_err(),
    };
    let refusal = wanqu_rules::refusal_over_public(&failed);
    assert_eq!(refusal.code, Code::Source, "{refusal}");
    for one in &unavailable {
        assert!(refusal.message.ends_with(&one.reason), "{} is unavailable for another reason", one.dataset);
    }
    refusal
}

#[tokio::test]
async fn without_a_root_no_file_is_read_and_the_remedy_says_where_to_set_one() {
    let mut fixture = Fixture::new();
    fixture.dataset("v", "etc/passwd", SourceFormat::Csv, "id: string public", rule(1, 1));
    let wanqu_model::bundle::SourceKind::Files(files) = &mut fixture.bundle.sources[0].kind;
    files.root = None;
    let refusal = refused(&fixture, &Folders::default()).await;
    assert!(refusal.message.contains("has no folder of data"), "{refusal}");
    assert!(refusal.to_string().contains("spec.dataClaim"), "{refusal}");
}

#[tokio::test]
async fn a_root_around_the_nodes_own_folders_is_not_read() {
    let mut fixture = Fixture::new();
    fixture.dataset("v", "data/v.csv", SourceFormat::Csv, "id: string public", rule(1, 1));
    fixture.write("data/v.csv", "id\na\n");
    fixture.write("identity/tls.key", "KEY\n");
    let own = OwnFolders::new([fixture.dir.path().join("identity")]);
    let refusal = refused(&fixture, &Folders { own, spill: None }).await;
    assert!(refusal.message.contains("a folder that the node keeps for itself"), "{refusal}");
    let shown = refusal.to_string();
    assert!(!shown.contains(fixture.dir.path().to_str().unwrap()), "the path is for the owner's log: {shown}");
}

#[tokio::test]
async fn a_huge_file_without_content_is_refused_at_once() {
    for (format, beginning) in [
        (SourceFormat::Csv, ""),
        (SourceFormat::Csv, "id\na\n"),
        (SourceFormat::Ndjson, "{\"id\": \"a\"}\n"),
        (SourceFormat::Parquet, "PAR1"),
    ] {
        let mut fixture = Fixture::new();
        fixture.dataset("v", "v", format, "id: string public", rule(1, 1));
        fixture.write("v", beginning);
        let file = File::options().write(true).open(fixture.dir.path().join("v")).unwrap();
        file.set_len(1 << 40).unwrap();
        let begun = Instant::now();
        refused(&fixture, &Folders::default()).await;
        assert!(begun.elapsed() < Duration::from_secs(30), "{format:?} {beginning:?}: {:?}", begun.elapsed());
    }
}
