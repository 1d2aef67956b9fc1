//! Releases: nobody and a few look alike, counts are rounded, limits hold, hidden columns stay behind.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use jiff::Timestamp;
use wanqu_fixtures::bundle::rule;
use wanqu_model::refusal::Code;
use wanqu_rules::admission::Shape;

use super::{BOUNDS, Bounds, Visit, desk, fixture, gated, judged, release, visit};

#[tokio::test]
async fn a_cell_of_nobody_and_a_cell_of_too_few_look_alike() {
    let few: Vec<Visit> = (0..4).map(|u| visit(u, 1, 10)).collect();
    let mut fixture = fixture(&few, &[], 5, 1);
    for sql in [
        "SELECT count(*), sum(paid) FROM shenzhen.d.visits",
        "SELECT count(*), sum(paid) FROM shenzhen.d.visits WHERE place = 'nowhere'",
        "SELECT place, count(*) FROM shenzhen.d.visits GROUP BY place",
        "SELECT place, count(*) FROM shenzhen.d.visits WHERE kind = 9 GROUP BY place",
    ] {
        let (rows, _) = release(&fixture, sql).await.unwrap();
        assert!(rows.is_empty(), "{sql}");
    }
    fixture.bundle.slices[0].policy.publish_zeros = true;
    let nobody = "SELECT count(*), sum(paid) FROM shenzhen.d.visits WHERE place = 'nowhere'";
    assert_eq!(release(&fixture, nobody).await.unwrap().0, [["0", "-"]]);
    let (rows, ..) = release(&fixture, "SELECT count(*) FROM shenzhen.d.visits").await.unwrap();
    assert!(rows.is_empty(), "a few are not nobody");
    // A policy of one unit releases everything.
    fixture.bundle.slices[0].policy = rule(1, 1);
    assert_eq!(release(&fixture, nobody).await.unwrap().0, [["0", "-"]]);
}

/// Four cells of a few that somebody knows, and perhaps one more.
#[tokio::test]
async fn a_report_tells_nothing_of_the_cells_that_were_kept_back() {
    let sql = "SELECT place, count(*) FROM shenzhen.d.visits GROUP BY place";
    let mut told = Vec::new();
    for places in [0, 4, 5, 12] {
        let few = (0..places).flat_map(|place| (0..3).map(move |unit| visit(100 + unit, place + 2, 1)));
        let visits: Vec<Visit> = (0..10).map(|unit| visit(unit, 1, 1)).chain(few).collect();
        let fixture = fixture(&visits, &[], 5, 1);
        let judged = judged(&fixture, sql);
        let Shape::Gated(shape) = judged.shape() else { panic!("public") };
        let engine = fixture.engine();
        let release = gated(judged.plan(), shape, desk(&engine), BOUNDS, Timestamp::MAX).await.unwrap();
        assert_eq!(release.account().suppressed, u64::from(places), "the owner's own log knows");
        let (batches, report) = release
            .audited("CN-SZ".parse().unwrap(), |_| {
                Box::pin(async { Ok(crate::AuditReference { sequence: 1, digest: String::new() }.into()) })
            })
            .into_parts();
        let _: Vec<_> = batches.try_collect().await.unwrap();
        told.push(report.await.unwrap());
    }
    assert!(told[0].may_hide_cells());
    assert!(told.iter().all(|report| *report == told[0]), "{told:?}");
}

#[tokio::test]
async fn counts_are_rounded_and_sums_scaled_behind_the_projection() {
    let visits: Vec<Visit> = (0..13).map(|u| visit(u, 1, 10)).chain((0..3).map(|u| visit(u, 2, 7))).collect();
    let fixture = fixture(&visits, &[], 5, 5);
    let sql = "SELECT sum(paid) AS s, count(paid) AS n, avg(paid) AS a, place AS p, count(DISTINCT unit) AS u FROM shenzhen.d.visits GROUP BY place";
    let (rows, suppressed) = release(&fixture, sql).await.unwrap();
    assert_eq!((rows, suppressed), (vec![["150", "15", "10.0", "p1", "15"].map(str::to_owned).to_vec()], 1));
}

#[tokio::test]
async fn rows_leave_in_the_order_of_their_keys() {
    let visits: Vec<Visit> = [9, 3, 7, 1].iter().flat_map(|p| (0..5).map(|u| visit(u, *p, 1))).collect();
    let fixture = fixture(&visits, &[], 5, 1);
    let (rows, ..) = release(&fixture, "SELECT count(*), place FROM shenzhen.d.visits GROUP BY place").await.unwrap();
    let places: Vec<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(places, ["p1", "p3", "p7", "p9"]);
    let distinct = release(&fixture, "SELECT DISTINCT place FROM shenzhen.d.visits").await.unwrap();
    assert_eq!(distinct.0.len(), 4);
}

#[tokio::test]
async fn a_release_has_a_limit_of_rows() {
    let visits: Vec<Visit> = (0..1001).flat_map(|p| [visit(1, p, 1), visit(2, p, 1)]).collect();
    let fixture = fixture(&visits, &[], 2, 1);
    let refusal = release(&fixture, "SELECT place, count(*) FROM shenzhen.d.visits GROUP BY place").await.unwrap_err();
    assert_eq!(refusal.code, Code::Limit);
}

#[tokio::test]
async fn a_hidden_column_is_never_released() {
    let visits: Vec<Visit> = (0..50).map(|u| visit(u, 1, 1)).collect();
    let fixture = fixture(&visits, &[], 5, 3);
    let judged = judged(&fixture, "SELECT place, sum(paid) FROM shenzhen.d.visits GROUP BY place");
    let Shape::Gated(shape) = judged.shape() else { panic!("public") };
    let (engine, bounds) = (fixture.engine(), Bounds { rows: 10, ..BOUNDS });
    let release = gated(judged.plan(), shape, desk(&engine), bounds, Timestamp::MAX).await.unwrap();
    let schema = release.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| !name.contains("__")), "{names:?}");
    let (mut batches, _) = release
        .audited("CN-SZ".parse().unwrap(), |_| Box::pin(async { unreachable!("the stream is not read to its end") }))
        .into_parts();
    let batch = batches.try_next().await.unwrap().unwrap();
    assert_eq!(batch.schema(), schema);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().value(0), 51);
}
