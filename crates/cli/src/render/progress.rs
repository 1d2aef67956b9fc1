//! Progress: on standard error, and only if that is a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use wanqu_model::answer::Progress;

use super::cells::counted;
use crate::escape;

/// Progress line of a query.
pub struct Waiting {
    bar: ProgressBar,
    fragments: u32,
    released: u32,
}

impl Waiting {
    /// Shows the line; hidden if `quiet` or if standard error is no terminal.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let bar = if visible(quiet) { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.enable_steady_tick(Duration::from_millis(100));
        bar.set_message("planning");
        Self { bar, fragments: 0, released: 0 }
    }

    /// Updates the line with an event.
    pub fn event(&mut self, event: &Progress) {
        match event {
            Progress::Planned { fragments, .. } => self.fragments = *fragments,
            Progress::Released { .. } => self.released += 1,
            Progress::Waiting { .. } => {}
        }
        self.bar.set_message(self.text(event));
    }

    /// Shows a text from elsewhere, in one line.
    pub fn says(&self, text: &str) {
        self.bar.set_message(escape::line(text));
    }

    fn text(&self, last: &Progress) -> String {
        match last {
            Progress::Waiting { ahead: 0 } => "waiting for a place: next".to_owned(),
            Progress::Waiting { ahead } => {
                format!("waiting for a place: {} first", counted(u64::from(*ahead), "other question"))
            }
            Progress::Planned { fragments, .. } => format!("asking: {}", counted(u64::from(*fragments), "fragment")),
            Progress::Released { jurisdiction, rows } => format!(
                "{} of {} released; last {jurisdiction} with {}",
                self.released,
                counted(u64::from(self.fragments), "fragment"),
                counted(*rows, "row"),
            ),
        }
    }

    /// Removes the line.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.done();
    }
}

/// Returns a bar for work whose size is known; hidden if standard error is no terminal.
#[must_use]
pub fn bar(total: u64, what: &'static str) -> ProgressBar {
    let bar = if visible(false) { ProgressBar::new(total) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {percent}% ({eta} left)") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar
}

fn visible(quiet: bool) -> bool {
    !quiet && std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_progress_says_how_many_fragments_were_released() {
        let mut waiting = Waiting::new(true);
        let third = Progress::Waiting { ahead: 2 };
        waiting.event(&third);
        assert_eq!(waiting.text(&third), "waiting for a place: 2 other questions first");
        waiting.event(&Progress::Planned { query_id: uuid::Uuid::nil(), fragments: 3 });
        let released = Progress::Released { jurisdiction: "HK".parse().unwrap(), rows: 1 };
        waiting.event(&released);
        assert_eq!(waiting.text(&released), "1 of 3 fragments released; last HK with 1 row");
    }

    #[test]
    fn a_text_from_elsewhere_keeps_to_the_line() {
        let waiting = Waiting::new(true);
        waiting.says("no key yet\n\u{1b}[2Jforged");
        assert_eq!(waiting.bar.message(), "no key yet\\n\\u{1b}[2Jforged");
    }
}
