//! Rows that a node never prints, however verbose its log is.

use futures::TryStreamExt;
use wanqu_model::answer::Event;

use crate::observed::question;
use crate::process::Process;
use crate::world::World;

/// The engine answers it by an aggregate of its own that prints its rows to standard output wherever it is told that it may
/// log at `trace`.
const TOP: &str = "SELECT currency, min(rate_date) AS first FROM hongkong.finance.rates
                   GROUP BY currency ORDER BY first LIMIT 2";

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_printed_nowhere_whatever_the_log_is_asked_for() {
    for asked in ["info", "trace", "datafusion_physical_plan=trace"] {
        let world = World::new();
        let hk = Process::start(&world, "HK", &[("RUST_LOG", asked)]);
        let answer = world.client("HK", hk.gateway).ask(&question(TOP)).await.unwrap();
        let events: Vec<Event> = answer.try_collect().await.unwrap();
        assert!(matches!(events.last(), Some(Event::Summary(summary)) if summary.rows == 2));
        assert_eq!(hk.output(), "", "RUST_LOG={asked}");
        assert!(!hk.log().contains("currency"), "RUST_LOG={asked}: {}", hk.log());
    }
}
