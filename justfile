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

# The page of what SQL is answered, by asking it.
sql-page:
    UPDATE_SQL_PAGE=1 cargo test -p wanqu-cli -p wanqu-tests --test second_engine documented_constructs

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
