//! Three clusters with three operators that have no administrator in common: `docs/three-clusters.md`, as it is written, at
//! each of them. Their answers are those of one machine; terms that differ allow nothing, and both ends say so; a line that
//! is cut is said, and the answer is whole again when it is back.

mod bay;

use std::time::Instant;

use bay::Bay;

/// The question of the page.
const SPECIALTIES: &str = "SELECT jurisdiction, specialty, count(*) AS visits, avg(cost_cny) AS cost \
                           FROM gba.health.visits GROUP BY jurisdiction, specialty ORDER BY jurisdiction, specialty";
/// Agreement by which Hong Kong queries Macau.
const AGREEMENT: &str = "macau-to-hongkong-planning";

#[tokio::test(flavor = "multi_thread")]
async fn three_operators_federate_and_say_what_is_not_agreed_and_who_is_away() {
    let mut bay = Box::pin(Bay::start()).await;
    bay.passed("three clusters, joined");
    bay.each("1. Each for itself");
    bay.passed("an operator, records and an authority in each");
    bay.each("2. Introductions");
    bay.passed("introduced to each other, and ready");
    let rows = the_same_rows(&bay).await;
    bay.passed("a question from Hong Kong over all three: the rows of one machine");
    terms_that_differ(&bay, &rows).await;
    bay.passed("terms that differ allow nothing until they are the same again");
    a_node_that_another_vouches_for(&bay, &rows).await;
    bay.passed("a node whose authority is another's is not believed");
    a_line_that_is_cut(&bay, &rows).await;
    bay.passed("the line to Macau cut, and restored");
    bay.stop().await;
}

/// The answer of the page's question, which is the laptop's.
async fn the_same_rows(bay: &Bay) -> String {
    for (one, other, agreements) in [
        (&bay.hongkong, &bay.macau, &[AGREEMENT][..]),
        (&bay.hongkong, &bay.shenzhen, &["hongkong-to-shenzhen", "shenzhen-to-hongkong"][..]),
        (&bay.macau, &bay.shenzhen, &["macau-to-shenzhen", "shenzhen-to-macau"][..]),
    ] {
        for agreement in agreements {
            let (here, there) =
                tokio::join!(one.agreed(agreement, "True", "SameTerms"), other.agreed(agreement, "True", "SameTerms"));
            assert_eq!(digest(&here), digest(&there), "{agreement}");
        }
    }
    let said = bay.hongkong.follow("3. A question from Hong Kong");
    let rows = said.last().unwrap().clone();
    assert_eq!(rows, bay.laptop.answer(SPECIALTIES).await);
    for id in ["CN-SZ,", "HK,", "MO,"] {
        assert!(rows.lines().filter(|line| line.starts_with(id)).count() > 3, "{id} is in it: {rows}");
    }
    rows
}

/// Macau files the agreement anew, and Hong Kong has not agreed to that.
async fn terms_that_differ(bay: &Bay, rows: &str) {
    let began = Instant::now();
    bay.macau.follow("4. Terms that differ");
    let (here, there) = tokio::join!(
        bay.hongkong.agreed(AGREEMENT, "False", "DigestDiffers"),
        bay.macau.agreed(AGREEMENT, "False", "DigestDiffers")
    );
    println!("        both say so after {:.1} s: {here}", began.elapsed().as_secs_f64());
    assert_ne!(here, there, "each says which is its own");
    let refused = bay.hongkong.ask_until("Macau refusing", SPECIALTIES, |said| said.code == Some(3)).await;
    for word in ["MO", "no-agreement", "both ends hold the same text of it"] {
        assert!(refused.account.contains(word), "{word}: {}", refused.account);
    }
    assert!(refused.rows.is_empty(), "{}", refused.rows);

    bay.macau.follow("5. The same terms again");
    bay.hongkong.ask_until("an answer, now that terms are the same", SPECIALTIES, |said| said.rows == rows).await;
    tokio::join!(bay.hongkong.agreed(AGREEMENT, "True", "SameTerms"), bay.macau.agreed(AGREEMENT, "True", "SameTerms"));
}

/// Hong Kong takes Shenzhen's authority for Macau's: then whoever answers there is nobody that Hong Kong knows.
async fn a_node_that_another_vouches_for(bay: &Bay, rows: &str) {
    bay.hongkong.takes_for_authority("macau", "shenzhen");
    let unproven = bay.hongkong.agreed(AGREEMENT, "Unknown", "PeerUnreachable").await;
    assert!(unproven.contains("[identity]"), "{unproven}");
    let refused = bay.hongkong.ask(SPECIALTIES, "");
    assert!(refused.rows.is_empty() && refused.account.contains("did not prove to be MO's"), "{}", refused.account);
    bay.hongkong.follow("2. Introductions");
    bay.hongkong.agreed(AGREEMENT, "True", "SameTerms").await;
    bay.hongkong.ask_until("an answer, now that Macau is believed", SPECIALTIES, |said| said.rows == rows).await;
}

/// Hong Kong does not reach Macau: that is said, and nothing that is whole is made of what is not.
async fn a_line_that_is_cut(bay: &Bay, rows: &str) {
    bay.line.cut().unwrap();
    let cut = Instant::now();
    let failed = bay.hongkong.ask(SPECIALTIES, "");
    println!("        without Macau it fails after {:.1} s", cut.elapsed().as_secs_f64());
    assert_eq!((failed.code, failed.rows.as_str()), (Some(4), ""), "{}", failed.account);
    assert!(failed.account.contains("MO"), "{}", failed.account);

    let began = Instant::now();
    let partial = bay.hongkong.ask(SPECIALTIES, "--partial --name without-macau");
    println!("        in part it is answered after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(partial.code, Some(5), "{}", partial.account);
    let of_the_others: String = rows.split_inclusive('\n').filter(|row| !row.starts_with("MO,")).collect();
    assert_eq!(partial.rows, of_the_others);
    assert!(partial.account.contains("missing: MO"), "{}", partial.account);
    let missing = bay.hongkong.missing("without-macau");
    assert!(missing.as_str().is_some_and(|why| why.contains("MO")), "{missing}");
    let both = [&bay.hongkong, &bay.macau];
    for member in both {
        member.agreed(AGREEMENT, "Unknown", "PeerUnreachable").await;
    }
    println!("        both ends say so, at most {:.1} s after the cut", cut.elapsed().as_secs_f64());

    bay.line.restore().unwrap();
    let began = Instant::now();
    bay.hongkong.ask_until("a whole answer over the restored line", SPECIALTIES, |said| said.rows == rows).await;
    println!("        whole again {:.1} s after the line was", began.elapsed().as_secs_f64());
    for member in both {
        member.agreed(AGREEMENT, "True", "SameTerms").await;
    }
}

/// The digest that a message names.
fn digest(message: &str) -> &str {
    let (_, rest) = message.split_once("sha256:").unwrap_or_else(|| panic!("it names a digest: {message}"));
    &rest[..64]
}
