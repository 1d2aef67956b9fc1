//! `query-node`: one jurisdiction's node, from one bundle file. It knows nothing of Kubernetes.

use std::process::ExitCode;

fn main() -> ExitCode {
    query_node::daemon::main()
}
