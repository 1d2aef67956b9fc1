//! Clients of others', as researchers have them, against gateways of a federation.
//!
//! Each is a script in a language of its client (`clients/`), which the harness runs with the address of a gateway, a token
//! and the authority of its certificate in the environment. What it reads it writes as Arrow streams, so that the rows can be
//! compared with those that our own client gets.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use arrow::ipc::reader::StreamReader;

use crate::compare::Rows;
use crate::federation::Federation;
use crate::python::python;

/// The driver of ADBC for Flight SQL, and the Arrow that it gives rows as.
const ADBC: [&str; 2] = ["adbc-driver-flightsql==1.13.0", "pyarrow==26.0.1"];

/// Checks with ADBC in Python.
pub const ADBC_SCRIPT: &str = include_str!("clients/adbc.py");

/// Runs a script with the driver of ADBC, as a researcher with a token for one gateway. It writes below `folder`. Returns what
/// it printed.
///
/// # Errors
/// What a script printed that failed; what an environment lacks.
pub fn adbc(
    federation: &Federation,
    home: &str,
    token: &str,
    script: &str,
    folder: &Path,
) -> Result<String, Box<dyn std::error::Error>> {
    let home = home.parse()?;
    let gateway = federation.local.gateway(&home)?;
    let port = gateway.rsplit(':').next().unwrap_or_default();
    let output = Command::new(python(&ADBC)?)
        .args(["-c", script])
        .current_dir(folder)
        // The package of this repository, which needs nothing else.
        .env("PYTHONPATH", crate::package::folder().join("src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WANQU_GATEWAY", format!("grpc+tls://localhost:{port}"))
        .env("WANQU_TOKEN", token)
        .env("WANQU_CA", federation.local.ca(&home)?)
        .output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said.into()) }
}

/// Reads the rows that a script wrote as an Arrow stream.
///
/// # Errors
/// If there is no such file, or it is none.
pub fn written(file: &Path) -> Result<Rows, Box<dyn std::error::Error>> {
    let reader = StreamReader::try_new(File::open(file)?, None)?;
    let schema = reader.schema();
    Ok(Rows::read(&schema, &reader.collect::<Result<Vec<_>, _>>()?)?)
}
