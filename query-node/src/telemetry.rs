//! The log's filter. What an operator may turn up is this project's own events, which hold no value of any data. The
//! engine's are another matter: at `debug` it prints statistics and bounds of joins, which are people's identifiers.
//! They stay at `info`, whatever `RUST_LOG` says.

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::{EnvFilter, registry::LookupSpan};

/// `RUST_LOG`, or `default` where it says nothing, within the bound above.
pub fn log_filter<S>(default: &str) -> impl Filter<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    asked.and(filter_fn(may_be_logged))
}

fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let own = ["query_node", "wanqu"].iter().any(|name| metadata.target().starts_with(name));
    own || *metadata.level() <= Level::INFO
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Layer, fmt, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_engine_cannot_be_turned_up_below_info() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer().with_writer(move || writer.clone()).with_filter(log_filter("trace"));
        tracing::subscriber::with_default(registry().with(layer), || {
            tracing::debug!(target: "datafusion_physical_plan::joins", "bounds of a key");
            tracing::info!(target: "datafusion", "a plain fact");
            tracing::debug!(target: "query_node::owner", "an own event");
        });
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        assert!(!text.contains("bounds of a key"), "{text}");
        assert!(text.contains("a plain fact") && text.contains("an own event"), "{text}");
    }
}
