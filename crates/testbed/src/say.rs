//! Words to the person who waits.

use std::io::Write;

/// Says what takes long. It goes to the terminal past the capture of the test harness, which would hold it back until a
/// test has failed.
pub(crate) fn say(text: &str) {
    // A terminal that is gone is no reason for a test to fail.
    let _ = writeln!(std::io::stderr(), "testbed: {text}");
}
