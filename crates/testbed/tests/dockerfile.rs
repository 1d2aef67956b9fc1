//! The project's Dockerfile, built for real.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wanqu_testbed::image::build;

fn dockerfile() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Dockerfile")
}

fn tar(arguments: &[&str], archive: &Path) -> String {
    let output = Command::new("tar").args(arguments).arg("--file").arg(archive).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_image_holds_three_programs_what_they_need_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    // Any program with shared libraries stands for ours here: what is looked at is what lies around it.
    let programs = ["query-node", "wanqu", "wanqu-operator"].map(|name| folder.path().join(name));
    for program in &programs {
        std::fs::copy("/bin/true", program).unwrap();
    }
    let archive = build(&dockerfile(), &programs, "localhost/wanqu-testbed/project:1").unwrap();

    let unpacked = folder.path().join("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    tar(&["--extract", "--directory", unpacked.to_str().unwrap()], &archive);
    let read =
        |file: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(unpacked.join(file)).unwrap()).unwrap() };
    let manifest = read("manifest.json");
    let config = &read(manifest[0]["Config"].as_str().unwrap())["config"];
    assert_eq!(config["User"], "65532:65532", "a number, which a kubelet can tell from root");
    assert_eq!(config["Labels"]["org.opencontainers.image.licenses"], "Apache-2.0");

    let layers = manifest[0]["Layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    let listing = tar(&["--list"], &unpacked.join(layers[0].as_str().unwrap()));
    let files: BTreeSet<&str> = listing.lines().filter(|path| !path.ends_with('/')).collect();
    let (libraries, rest): (BTreeSet<&str>, BTreeSet<&str>) = files.iter().partition(|path| path.starts_with("lib"));
    let expected = [
        "etc/group",
        "etc/passwd",
        "etc/ssl/certs/ca-certificates.crt",
        "usr/local/bin/kubectl-wanqu",
        "usr/local/bin/query-node",
        "usr/local/bin/wanqu",
        "usr/local/bin/wanqu-operator",
        "usr/local/share/wanqu/sbom.cdx.json",
    ];
    assert_eq!(rest, BTreeSet::from(expected), "no shell, no package manager");
    assert!(libraries.iter().any(|path| path.ends_with("/libc.so.6")), "{libraries:?}");
    assert!(libraries.iter().all(|path| path.contains(".so")), "{libraries:?}");
    assert!(listing.lines().any(|path| path == "tmp/"), "{listing}");
    let layer = unpacked.join(layers[0].as_str().unwrap());
    let bill = tar(&["--extract", "--to-stdout", "usr/local/share/wanqu/sbom.cdx.json"], &layer);
    let bill: Value = serde_json::from_str(&bill).unwrap();
    let shipped = wanqu_sbom::bill(dockerfile().parent().unwrap(), None).unwrap();
    assert_eq!(bill, shipped, "what the image was built of");
    let link =
        tar(&["--list", "--verbose", "usr/local/bin/kubectl-wanqu"], &unpacked.join(layers[0].as_str().unwrap()));
    assert!(link.trim_end().ends_with("kubectl-wanqu -> wanqu"), "{link}");
}

#[test]
fn a_program_that_is_not_there_ends_the_build() {
    let folder = tempfile::tempdir().unwrap();
    let only = folder.path().join("wanqu");
    std::fs::copy("/bin/true", &only).unwrap();
    let error = build(&dockerfile(), &[only], "localhost/wanqu-testbed/project:2").unwrap_err().to_string();
    // buildah does not always get to say what the step said.
    assert!(error.contains("building at STEP \"RUN"), "{error}");
}

/// Runs the check of the Dockerfile's first step in a shell, as a build with these arguments does.
fn check(build_image: &str, base_image: &str, unpinned: &str) -> (bool, String) {
    let text = std::fs::read_to_string(dockerfile()).unwrap();
    let step = text.split("\nRUN ").nth(1).expect("the first step");
    let (step, _) = step.split_once("\n# ").expect("its end");
    assert!(step.contains("sha256") && !step.contains("cargo"), "the first step is the check: {step}");
    let output = Command::new("sh")
        .arg("-c")
        .arg(step)
        .envs([("BUILD_IMAGE", build_image), ("BASE_IMAGE", base_image), ("UNPINNED", unpinned)])
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn bases_are_given_by_digest_unless_somebody_says_otherwise() {
    let text = std::fs::read_to_string(dockerfile()).unwrap();
    let from: Vec<&str> = text.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(from, ["FROM ${BUILD_IMAGE} AS programs", "FROM ${BASE_IMAGE} AS gathered", "FROM scratch"]);

    let (pinned, tag) = (format!("debian@sha256:{}", "a".repeat(64)), "debian:bookworm-slim");
    assert_eq!(check(&pinned, &pinned, ""), (true, String::new()));
    assert_eq!(check(tag, tag, "yes"), (true, String::new()));
    for (build_image, base_image) in [(tag, tag), (tag, pinned.as_str()), (pinned.as_str(), tag)] {
        let (passed, said) = check(build_image, base_image, "");
        assert!(
            !passed && said.contains("debian:bookworm-slim is a tag") && said.contains("just pin-images"),
            "{said}"
        );
    }
}
