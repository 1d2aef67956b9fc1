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

/// A value that an owner withholds is no 0, and its row says so: the sum of a few, or a count without them, would not show it.
#[test]
fn a_value_that_an_owner_withholds_marks_its_row() {
    let world = crate::up::World::new();
    for city in ["hongkong", "macau"] {
        let file = world.path().join(city).join("visits.csv");
        let ears = (0..4).map(|n| format!("ears-{n},ears,1{n}\n")).collect::<Vec<_>>().concat();
        let mut visits = fs::read_to_string(&file).unwrap() + &ears;
        if city == "macau" {
            // One of eight has no cost: how many have one would tell.
            visits = visits.replace("surgery-0,surgery,100\n", "surgery-0,surgery,\n");
        }
        fs::write(&file, visits).unwrap();
    }
    let command = world.wanqu(&["up", "-f", world.path().to_str().unwrap()]);
    let up = Up::with(world, command);
    let marked = |select: &str, keys: &str| {
        let sql = format!("SELECT {keys}, {select} FROM gba.health.visits GROUP BY {keys} ORDER BY {keys}");
        let found = up.query(&[&CSV[..], &["--mark-incomplete", &sql]].concat());
        assert_eq!(found.code, Some(0), "{sql}: {}", found.err);
        (found.out, found.err)
    };
    let (out, err) = marked("count(*) AS n, count(cost) AS c, sum(cost) AS s", "ward");
    let expected = "ward,n,c,s,may_lack_a_part\nears,8,8,92,false\neyes,7,7,721,true\nsurgery,17,9,936,true\n";
    assert_eq!(out, expected, "{err}");
    assert!(err.contains("2 of 3 rows may lack a jurisdiction's part"), "{err}");
    // A sum does not tell how many have no cost.
    let (out, _) = marked("sum(cost) AS s", "ward");
    assert_eq!(out, "ward,s,may_lack_a_part\nears,92,false\neyes,721,true\nsurgery,1664,false\n");
    // The owners' rows as they released them: where each is one owner's, those that lack a value are marked, and no row stands
    // for a cell that is kept back.
    let (out, err) = marked("count(*) AS n, count(cost) AS c", "jurisdiction, ward");
    let expected =
        "HK,ears,4,4,false\nHK,eyes,7,7,false\nHK,surgery,9,9,false\nMO,ears,4,4,false\nMO,surgery,8,,true\n";
    assert_eq!(out, format!("jurisdiction,ward,n,c,may_lack_a_part\n{expected}"), "{err}");
    assert!(err.contains("1 of 5 rows may lack") && err.contains("rows may be absent"), "{err}");
    // A withheld count is NULL in every expression, as the documents say, and its row is marked.
    let made = "count(cost) IS NULL AS a, coalesce(count(cost), -1) AS b, greatest(count(cost), 0) AS c, \
                CASE WHEN count(cost) > 0 THEN 'some' ELSE 'none' END AS d, count(cost) + 1 AS e, \
                regr_count(cost, cost) IS NOT NULL AS f";
    let (out, _) = marked(made, "jurisdiction, ward");
    let macau: Vec<&str> = out.lines().filter(|line| line.starts_with("MO")).collect();
    assert_eq!(macau, ["MO,ears,false,4,4,some,5,true,false", "MO,surgery,true,-1,0,none,,false,true"], "{out}");
    let counts = "SELECT jurisdiction, ward, count(cost) AS c FROM gba.health.visits GROUP BY jurisdiction, ward";
    for (sql, expected) in [
        (format!("SELECT ward FROM ({counts}) q WHERE c IS NULL"), "surgery\n"),
        (format!("SELECT ward FROM ({counts}) q WHERE c IS NOT NULL AND jurisdiction = 'MO'"), "ears\n"),
        (format!("SELECT ward FROM ({counts}) q WHERE coalesce(c, 0) = 0"), "surgery\n"),
        (format!("SELECT 1 AS ward WHERE 5 NOT IN (SELECT c FROM ({counts}) q)"), ""),
        (format!("SELECT 1 AS ward WHERE 5 NOT IN (SELECT c FROM ({counts}) q WHERE jurisdiction = 'HK')"), "1\n"),
        (
            "SELECT ward FROM gba.health.visits GROUP BY jurisdiction, ward HAVING count(cost) IS NULL".to_owned(),
            "surgery\n",
        ),
        // Values of several rows, in which the withheld one is not, decide as well.
        (format!("SELECT ward FROM ({counts}) q GROUP BY ward HAVING sum(c) > 10"), ""),
        (format!("SELECT ward FROM ({counts}) q QUALIFY rank() OVER (ORDER BY c DESC NULLS LAST) = 1"), "surgery\n"),
        (format!("SELECT DISTINCT CASE WHEN c > 8 THEN ward END AS ward FROM ({counts}) q WHERE c > 8"), "surgery\n"),
    ] {
        let found = up.query(&[&CSV[..], &[&sql]].concat());
        assert_eq!(found.out, format!("ward\n{expected}"), "{sql}: {}", found.err);
        assert!(found.err.contains("may be absent"), "{sql}: {}", found.err);
    }
    let ranked =
        format!("SELECT ward, rank() OVER (ORDER BY c) AS r FROM ({counts}) q WHERE jurisdiction = 'MO' ORDER BY r");
    let found = up.query(&[&CSV[..], &["--mark-incomplete", &ranked]].concat());
    assert_eq!(found.out, "ward,r,may_lack_a_part\nears,1,true\nsurgery,2,true\n", "{}", found.err);
    assert!(found.err.contains("totals, ranks and other values over several rows can be others"), "{}", found.err);
    // A total is of all that it can be.
    let total = up.query(
        &[&CSV[..], &["--mark-incomplete", "SELECT count(*) AS n, count(cost) AS c FROM gba.health.visits"]].concat(),
    );
    assert_eq!(total.out, "n,c,may_lack_a_part\n33,20,true\n", "{}", total.err);
    // A row that is gone because of a value that is lacking is told of.
    let having = "SELECT ward FROM gba.health.visits GROUP BY ward HAVING count(cost) > 10";
    let gone = up.query(&[&CSV[..], &[having]].concat());
    assert_eq!(gone.out, "ward\n", "{}", gone.err);
    assert!(gone.err.contains("rows may be absent"), "{}", gone.err);
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
            (Some(5), "ward,n\neyes,7\nsurgery,9\n"),
            "{how}: {}",
            partial.err
        );
        assert!(partial.err.contains("missing: MO"), "{how}: {}", partial.err);
    }
    let marked = up.query(&[&CSV[..], &["--partial", "--mark-incomplete", VISITS]].concat());
    assert_eq!(marked.out, "ward,n,may_lack_a_part\neyes,7,true\nsurgery,9,true\n", "{}", marked.err);
}

/// Its rows stream, so that the record is met after they have begun to come.
#[test]
fn a_bad_record_of_a_public_table_makes_its_owner_missing() {
    let up = Up::start();
    let hours = up.world.path().join("macau/hours.csv");
    let rows: Vec<String> = (0..50_000).map(|hour| format!("{hour}\n")).collect();
    let rows = rows.concat();
    fs::write(&hours, format!("hour\n{rows}noon\n")).unwrap();
    let sql = "SELECT ward FROM (SELECT ward, count(*) AS n FROM hongkong.health.visits GROUP BY ward) v \
               UNION ALL SELECT CAST(hour AS VARCHAR) AS ward FROM macau.air.hours ORDER BY ward";
    let whole = up.query(&[&CSV[..], &[sql]].concat());
    assert_eq!((whole.code, whole.out.contains("eyes")), (Some(1), false), "{}", whole.err);
    assert!(whole.err.contains("macau.air.hours cannot be read") && whole.err.contains("MO"), "{}", whole.err);
    let partial = up.query(&[&CSV[..], &["--partial", "--quiet", sql]].concat());
    assert_eq!((partial.code, partial.out.as_str()), (Some(5), "ward\neyes\nsurgery\n"), "{}", partial.err);
    assert!(partial.err.contains("missing: MO: macau.air.hours cannot be read"), "{}", partial.err);
}

/// Over protected data the note repeats the manifest and tells nothing of the records.
#[test]
fn an_answer_says_that_records_are_left_out() {
    let world = crate::up::World::new();
    let manifests = world.path().join("federation.yaml");
    let text = fs::read_to_string(&manifests).unwrap();
    let skipping = text.replace("format: csv }", "format: csv, badRecords: skip }");
    assert_ne!(text, skipping);
    fs::write(&manifests, skipping).unwrap();
    fs::write(world.path().join("macau/hours.csv"), "hour\n1\nnoon\n2\nmidnight\n").unwrap();
    let command = world.wanqu(&["up", "-f", world.path().to_str().unwrap()]);
    let up = Up::with(world, command);
    let public = up.query(&[&CSV[..], &["--quiet", "SELECT count(*) AS n FROM macau.air.hours"]].concat());
    assert_eq!((public.code, public.out.as_str()), (Some(0), "n\n2\n"), "{}", public.err);
    assert!(
        public.err.contains("note: MO: 2 records of macau.air.hours could not be read and are left out"),
        "{}",
        public.err
    );
    let note = "note: HK: records of hongkong.health.visits that cannot be read, if there are any, are left out";
    let sound = up.query(&[&CSV[..], &["--quiet", VISITS]].concat());
    assert!(sound.err.contains(note), "{}", sound.err);
    let visits = up.world.path().join("hongkong/visits.csv");
    fs::write(&visits, format!("{}x,y\n", fs::read_to_string(&visits).unwrap())).unwrap();
    let bad = up.query(&[&CSV[..], &["--quiet", VISITS]].concat());
    assert_eq!((bad.code, &bad.out, &bad.err), (Some(0), &sound.out, &sound.err));
}
