//! Recorder of every line that the nodes log at the finest level that they allow.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use query_node::telemetry::log_filter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The log of this process.
#[derive(Debug, Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Begins to keep what is logged from here on, by anybody, as far as a node's own log lets it
    /// through: it keeps what it is asked for, but of foreign crates nothing finer than INFO.
    pub fn keep() -> &'static Self {
        static LOGS: OnceLock<Logs> = OnceLock::new();
        LOGS.get_or_init(|| {
            let logs = Self::default();
            let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(logs.clone());
            tracing_subscriber::registry().with(log_filter("trace")).with(lines).init();
            logs
        })
    }

    /// Returns the lines that were logged since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        self.0.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default()
    }
}

/// Appends to the log.
#[derive(Debug)]
pub struct Line(Logs);

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Ok(mut all) = self.0.0.lock() {
            all.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.clone())
    }
}
