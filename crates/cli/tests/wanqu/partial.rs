//! An answer that lacks a part says so, on every way to ask for one.

use std::fs;

use crate::up::Up;

const VISITS: &str = "SELECT ward, count(*) AS n FROM gba.health.visits GROUP BY ward ORDER BY ward";
const CSV: [&str; 2] = ["--format", "csv"];

#[test]
fn rows_that_may_lack_a_part_are_marked_on_request() {
    let up = Up::start();
    let plain = up.query(&[&CSV[..], &[VISITS]].concat());
    assert_eq!((plain.code, plain.out.as_str()), (Some(0), "ward,n\neyes,7\nsurgery,17\n"), "{}", plain.err);
    assert!(plain.err.contains("1 of 2 rows may lack a jurisdiction's part"), "{}", plain.err);
    let marked = up.query(&[&CSV[..], &["--mark-incomplete", VISITS]].concat());
    let expected = "ward,n,may_lack_a_part\neyes,7,true\nsurgery,17,false\n";
    assert_eq!((marked.code, marked.out.as_str()), (Some(0), expected), "{}", marked.err);
}

#[test]
fn a_missing_jurisdiction_fails_the_query_unless_a_partial_answer_was_asked_for() {
    let up = Up::start();
    fs::remove_file(up.world.path().join("macau/visits.csv")).unwrap();
    let whole = up.query(&[&CSV[..], &[VISITS]].concat());
    assert_eq!((whole.code, whole.out.as_str()), (Some(1), ""), "{}", whole.err);
    assert!(whole.err.contains("MO") && whole.err.contains("[source]"), "{}", whole.err);

    let set = format!("SET wanqu.partial = true; {VISITS}");
    let mut session = up.world.wanqu(&["query", "--format", "csv", VISITS]);
    let session = crate::up::Ended::of(&session.env("WANQU_PARTIAL", "true").output().unwrap());
    let asked = [
        ("the flag", up.query(&[&CSV[..], &["--partial", VISITS]].concat())),
        ("quietly", up.query(&[&CSV[..], &["--partial", "--quiet", VISITS]].concat())),
        ("a setting in SQL", up.query(&[&CSV[..], &[&set]].concat())),
        ("the session", session),
    ];
    for (how, partial) in asked {
        assert_eq!(
            (partial.code, partial.out.as_str()),
            (Some(4), "ward,n\neyes,7\nsurgery,9\n"),
            "{how}: {}",
            partial.err
        );
        assert!(partial.err.contains("missing: MO"), "{how}: {}", partial.err);
    }
    let marked = up.query(&[&CSV[..], &["--partial", "--mark-incomplete", VISITS]].concat());
    assert_eq!(marked.out, "ward,n,may_lack_a_part\neyes,7,true\nsurgery,9,true\n", "{}", marked.err);
}
