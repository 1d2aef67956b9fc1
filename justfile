# The handful of things one does daily. `just --list` shows them.

# Three nodes on loopback, sample data, a tour; stays up for `wanqu query`.
demo:
    cargo run

# All tests.
test:
    cargo test --workspace

# Random queries against DuckDB for long: `just nightly 20000 7` asks 20,000 of each kind from seed 7.
nightly QUERIES="10000" SEED=`date +%Y%m%d`:
    WANQU_RANDOM_QUERIES={{QUERIES}} WANQU_SEED={{SEED}} cargo test -p wanqu-cli -p wanqu-tests --test second_engine random -- --nocapture

# What strangers send, changed by a fuzzer for so many seconds: `just fuzz rows 3600`. The targets are the programs of fuzz/.
fuzz TARGET SECONDS="3600":
    WANQU_FUZZ_SEEDS={{justfile_directory()}}/fuzz/corpus cargo test -p wanqu-cli -p wanqu-tests --test villains what_strangers_send
    cp Cargo.lock fuzz/Cargo.lock
    cd fuzz && cargo +nightly fuzz run --fuzz-dir . {{TARGET}} -- -max_total_time={{SECONDS}} -max_len=65536 -timeout=10 -rss_limit_mb=2048

# The package for Python: formatted, linted, typed, its tests at a federation, its pages and its notebook.
python:
    cargo test -p wanqu-cli -p wanqu-tests --test python_package

# The page of what SQL is answered, by asking it.
sql-page:
    UPDATE_SQL_PAGE=1 cargo test -p wanqu-cli -p wanqu-tests --test second_engine documented_constructs

# The tests that start whole Kubernetes clusters, alone.
clusters:
    cargo test --workspace --test flows --test life --test three --test tutorial --test cluster --test policies

# What is checked before a change lands.
ci:
    .ci/run

# Format, then lint as strictly as CI does.
tidy:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings

# What follows from the types of the custom resources: YAML, the chart's copy of it, the reference.
crds:
    cargo run -p wanqu-crds --bin crdgen

# The chart's page, from its values.
chart-docs:
    cargo run -p wanqu-chart-tests --bin chartdocs

# A Kubernetes cluster to try things on: control-plane, cluster or policies. It runs until Ctrl-C.
testbed KIND="cluster":
    cargo run -p wanqu-testbed -- {{KIND}}

# Ratios against one DataFusion process over the same files.
bench *ARGS:
    cargo run --release -p wanqu-tests --bin bench -- {{ARGS}}

# The programs' bill of materials, CycloneDX.
sbom:
    cargo run --locked -p wanqu-sbom > target/sbom.cdx.json

# Writes down the digests of the images that the Dockerfile builds on. Needs docker and its registry.
pin-images:
    sed -n 's/^ARG \([A-Z]*_IMAGE\)=\(.*\)/\1 \2/p' Dockerfile | while read -r name image; do \
        docker pull --quiet "$image" >&2 && echo "$name=$(docker image inspect --format '{{{{index .RepoDigests 0}}' "$image")" || exit 1; \
    done > images.lock.new
    mv images.lock.new images.lock

# The image, on the bases of images.lock.
image TAG="wanqu:0.1.0":
    docker build --tag {{TAG}} $(sed 's/^/--build-arg /' images.lock) --build-arg REVISION=$(git rev-parse HEAD) .

# Known vulnerabilities of dependencies. Needs the network, for the RustSec database.
advisories:
    cargo deny check advisories
