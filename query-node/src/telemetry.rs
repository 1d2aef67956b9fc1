//! Bound on what may stand in the log. This project's own events hold no value of any data, and `RUST_LOG` may turn them up.
//! The engine prints statistics and bounds of joins at `debug`, which are people's identifiers: its events stay at
//! `info`, whatever `RUST_LOG` says.

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

/// Returns a filter by `RUST_LOG`, or by `default` where that is not set, within the bound above: a layer that stands before
/// the one that writes. It filters for all, and is not the writing layer's own, because such a filter says yes to whoever only asks
/// whether it may log. The engine asks (`log_enabled!`), and then prints rows of its own accord; and the next line that is
/// logged on that thread is lost (tokio-rs/tracing#2519).
pub fn log_filter<S>(default: &str) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let most = asked.max_level_hint().unwrap_or(LevelFilter::TRACE);
    asked.and_then(filter_fn(may_be_logged).with_max_level_hint(most))
}

/// Sets a hook that logs a panic by its place in the code alone. The message of a panic can quote a value, and more people
/// read a node's log than its data.
pub fn tell_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a task panicked; its message is kept out of the log, since it can quote data");
    }));
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
    use tracing::subscriber::Interest;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Layer, fmt, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(lines: &Lines, filter: &str) -> impl Subscriber + use<> {
        let writer = lines.clone();
        registry().with(log_filter(filter)).with(fmt::layer().with_writer(move || writer.clone()))
    }

    #[test]
    fn the_engine_cannot_be_turned_up_below_info() {
        let lines = Lines::default();
        tracing::subscriber::with_default(written(&lines, "trace"), || {
            tracing::debug!(target: "datafusion_physical_plan::joins", "bounds of a key");
            tracing::info!(target: "datafusion", "a plain fact");
            tracing::debug!(target: "query_node::owner", "an own event");
        });
        let text = lines.text();
        assert!(!text.contains("bounds of a key"), "{text}");
        assert!(text.contains("a plain fact") && text.contains("an own event"), "{text}");
    }

    #[test]
    fn a_panic_is_told_without_its_words() {
        let lines = Lines::default();
        let before = std::panic::take_hook();
        tracing::subscriber::with_default(written(&lines, "info"), || {
            tell_panics_by_place();
            std::panic::catch_unwind(|| panic!("cannot cast 'patient 4711' to a number")).unwrap_err();
        });
        std::panic::set_hook(before);
        let text = lines.text();
        assert!(text.contains("a task panicked") && text.contains("telemetry.rs"), "{text}");
        assert!(!text.contains("4711"), "{text}");
    }

    /// Keeps what places in the code there are, to ask about one later without being there.
    #[derive(Clone, Default)]
    struct Places(Arc<Mutex<Vec<&'static Metadata<'static>>>>);

    impl<S: Subscriber> Layer<S> for Places {
        fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
            self.0.lock().push(metadata);
            Interest::sometimes()
        }
    }

    #[test]
    fn a_line_is_not_lost_where_something_else_only_asked_whether_it_may_log() {
        let places = Places::default();
        tracing::subscriber::with_default(registry().with(places.clone()), || {
            tracing::debug!(target: "datafusion::asks", "kept out");
        });
        let places = places.0.lock().clone();
        let kept_out = places.into_iter().find(|place| place.target() == "datafusion::asks").unwrap();

        let lines = Lines::default();
        tracing::subscriber::with_default(written(&lines, "info"), || {
            for line in ["the first", "the second"] {
                assert!(!tracing::dispatcher::get_default(|log| log.enabled(kept_out)));
                tracing::info!("{line}");
            }
        });
        let text = lines.text();
        assert!(text.contains("the first") && text.contains("the second"), "{text}");
    }
}
