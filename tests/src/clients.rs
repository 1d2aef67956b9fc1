//! Clients of others', as researchers have them, against gateways of a federation.
//!
//! Each is a program in a language of its client (`clients/`), which the harness runs with the address of a gateway, a token
//! and the authority of its certificate in the environment. What it reads it writes, so that the rows can be compared with those
//! that our own client gets.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use arrow::ipc::reader::StreamReader;

use crate::compare::{Cell, Rows};
use crate::federation::Federation;
use crate::go::built;
use crate::java::{archive, program};
use crate::python::python;

/// The driver of ADBC for Flight SQL, and the Arrow that it gives rows as.
const ADBC: [&str; 2] = ["adbc-driver-flightsql==1.13.0", "pyarrow==26.0.1"];

/// What reads frames and tables by it.
const FRAMES: [&str; 6] = [
    "adbc-driver-flightsql==1.13.0",
    "pyarrow==26.0.1",
    "pandas==3.1.1",
    "polars==2.1.0",
    "sqlalchemy==2.1.9",
    "sqlalchemy-adbc==0.3.0",
];

/// The driver of JDBC for Flight SQL.
const JDBC: [&str; 3] = ["org.apache.arrow", "flight-sql-jdbc-driver", "18.3.0"];

/// Checks with ADBC in Python.
pub const ADBC_SCRIPT: &str = include_str!("clients/adbc.py");

/// Checks with pandas, polars and SQLAlchemy.
pub const FRAMES_SCRIPT: &str = include_str!("clients/frames.py");

/// Checks with JDBC.
pub const JDBC_PROGRAM: &str = include_str!("clients/Jdbc.java");

/// Checks with the driver of ADBC in Go.
pub const GO_PROGRAM: &str = include_str!("clients/go/main.go");

/// The modules that they need, pinned.
const GO_MODULES: [(&str, &str); 2] =
    [("go.mod", include_str!("clients/go/go.mod")), ("go.sum", include_str!("clients/go/go.sum"))];

/// What a program printed, or what it printed that failed.
pub type Said = Result<String, Box<dyn std::error::Error>>;

/// Runs a script with the driver of ADBC, as a researcher with a token for one gateway. It writes below `folder`.
///
/// # Errors
/// What a script printed that failed; what an environment lacks.
pub fn adbc(federation: &Federation, home: &str, token: &str, script: &str, folder: &Path) -> Said {
    let mut command = Command::new(python(&ADBC)?);
    command.args(["-c", script]);
    // The package of this repository, which needs nothing else.
    command.env("PYTHONPATH", crate::package::folder().join("src")).env("PYTHONDONTWRITEBYTECODE", "1");
    said(command, federation, home, token, folder)
}

/// Runs the checks with pandas, polars and SQLAlchemy.
///
/// # Errors
/// As for [`adbc`].
pub fn frames(federation: &Federation, home: &str, token: &str, folder: &Path) -> Said {
    let mut command = Command::new(python(&FRAMES)?);
    command.args(["-c", FRAMES_SCRIPT]);
    said(command, federation, home, token, folder)
}

/// Runs the checks with the driver of JDBC.
///
/// # Errors
/// As for [`adbc`].
pub fn jdbc(federation: &Federation, home: &str, token: &str, folder: &Path) -> Said {
    let [group, name, version] = JDBC;
    let command = program(&archive(group, name, version)?, "Jdbc.java", JDBC_PROGRAM, folder)?;
    said(command, federation, home, token, folder)
}

/// Runs the checks with the driver of ADBC in Go.
///
/// # Errors
/// As for [`adbc`].
pub fn adbc_in_go(federation: &Federation, home: &str, token: &str, folder: &Path) -> Said {
    let [module, sums] = GO_MODULES;
    let program = built([("main.go", GO_PROGRAM), module, sums], folder)?;
    said(Command::new(program), federation, home, token, folder)
}

/// Runs a program in a folder, with the address of a gateway, a token and the authority of its certificate.
fn said(mut command: Command, federation: &Federation, home: &str, token: &str, folder: &Path) -> Said {
    let home = home.parse()?;
    let gateway = federation.local.gateway(&home)?;
    let port = gateway.rsplit(':').next().unwrap_or_default();
    let (ca, ca_file) = (federation.local.ca(&home)?, folder.join("ca.pem"));
    std::fs::write(&ca_file, ca)?;
    let output = command
        .current_dir(folder)
        .env("WANQU_GATEWAY", format!("grpc+tls://localhost:{port}"))
        .env("WANQU_PORT", port)
        .env("WANQU_TOKEN", token)
        .env("WANQU_CA", ca)
        .env("WANQU_CA_FILE", ca_file)
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

/// Reads the rows that a program wrote as text: rows end with U+001E, and U+001F is between cells.
///
/// # Errors
/// If there is no such file.
pub fn spelt(file: &Path) -> std::io::Result<Vec<Vec<Cell>>> {
    let cell = |text: &str| match (text, text.strip_prefix("float ").map(str::parse)) {
        ("NULL", _) => Cell::Null,
        (_, Some(Ok(number))) => Cell::Float(number),
        _ => Cell::Exact(text.to_owned()),
    };
    let text = std::fs::read_to_string(file)?;
    Ok(text.split_terminator('\u{1e}').map(|row| row.split('\u{1f}').map(cell).collect()).collect())
}
