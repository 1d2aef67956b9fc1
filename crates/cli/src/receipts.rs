//! Receipts of an answer: written by `wanqu query --receipts`, checked by `wanqu receipts`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wanqu_identity::verify_statement_with_ca;
use wanqu_model::answer::Summary;
use wanqu_model::names::{JurisdictionId, ResourceName};
use wanqu_model::receipt::{DeliveredRelease, Delivery, Receipt, Signed, Statement};

use super::args::{Format, ReceiptsArgs};
use super::catalog::text_batch;
use super::escape;
use super::failure::{Failure, Outcome};
use super::render::sink::sink;
use super::state::StateDir;

/// Longest file of receipts that is read, in bytes.
const LONGEST: u64 = 1 << 28;

/// Line of a file of receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// Statement of an owner about a release.
    Receipt(Box<Signed<Receipt>>),
    /// Statement of the home node about the answer.
    Delivery(Box<Signed<Delivery>>),
}

/// Writes what was signed of an answer, one JSON object a line.
///
/// # Errors
/// The file cannot be written.
pub fn write(file: &Path, summary: &Summary) -> Outcome {
    let releases = summary.outcomes.iter().flat_map(|outcome| &outcome.releases);
    let receipts = releases.filter_map(|release| release.receipt.clone()).map(Line::Receipt);
    let lines = receipts.chain(summary.delivery.clone().map(Line::Delivery));
    let mut text = String::new();
    for line in lines {
        let line =
            serde_json::to_string(&line).map_err(|_| Failure::failed("a receipt cannot be written".to_owned()))?;
        text.push_str(&line);
        text.push('\n');
    }
    if text.is_empty() {
        eprintln!("note: nobody signed anything of this answer: it read no data, or its nodes are older than receipts");
    }
    std::fs::write(file, text).map_err(|error| Failure::file("write", file, &error))
}

/// Returns what a line of a file of receipts says; `None` if it is no such line.
pub fn read_line(line: &str) -> Option<Line> {
    serde_json::from_str(line).ok()
}

/// Checks a file of receipts and prints what each says.
pub fn run(state: &StateDir, args: &ReceiptsArgs) -> Outcome {
    let lines = read(&args.file)?;
    let cas = Authorities::read(state, &args.ca)?;
    for line in &lines {
        match line {
            Line::Receipt(signed) => cas.check(signed)?,
            Line::Delivery(signed) => cas.check(signed)?,
        }
    }
    let mut rows = sink(Format::Table, &text_batch(&columns(&[]))?.schema(), None, 0)?;
    rows.write(&text_batch(&columns(&lines))?)?;
    rows.finish()?;
    super::put(&verdict(&lines)?)
}

fn read(file: &Path) -> Outcome<Vec<Line>> {
    let text = wanqu_file::read_text(file, LONGEST).map_err(|error| Failure::file("read", file, &error))?;
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let lines = lines.map(|(number, line)| {
        read_line(line).ok_or_else(|| {
            Failure::failed(format!(
                "{}: line {} is no receipt; such a file is written by `wanqu query --receipts FILE`",
                file.display(),
                number + 1
            ))
        })
    });
    let lines: Vec<Line> = lines.collect::<Outcome<_>>()?;
    if lines.is_empty() {
        return Err(Failure::failed(format!("{} holds no receipt", file.display())));
    }
    Ok(lines)
}

/// Certificates of CAs to check signatures with.
struct Authorities {
    /// Of members that are known: those of the local federation.
    of: BTreeMap<JurisdictionId, String>,
    /// Given without a name. Whose each is shows when a signature holds by it.
    given: Vec<String>,
}

impl Authorities {
    fn read(state: &StateDir, files: &[std::path::PathBuf]) -> Outcome<Self> {
        let text =
            |file: &Path| wanqu_file::read_text(file, LONGEST).map_err(|error| Failure::file("read", file, &error));
        if !files.is_empty() {
            return Ok(Self { of: BTreeMap::new(), given: files.iter().map(|f| text(f)).collect::<Outcome<_>>()? });
        }
        let Some(last) = state.last() else {
            return Err(Failure::Usage(
                "--ca FILE is needed for each jurisdiction that signed: there is no local federation whose CAs could be taken"
                    .to_owned(),
            ));
        };
        let of = last.nodes.iter().map(|node| Ok((node.jurisdiction.clone(), text(&node.ca)?)));
        Ok(Self { of: of.collect::<Outcome<_>>()?, given: Vec::new() })
    }

    /// Checks one statement.
    fn check<T: Statement>(&self, signed: &Signed<T>) -> Outcome {
        let member = signed.statement.member();
        let mut why = format!("no CA of {member} is at hand; give it by --ca FILE");
        for ca in self.of.get(member).into_iter().chain(&self.given) {
            match verify_statement_with_ca(signed, ca) {
                Ok(()) => return Ok(()),
                Err(fault) => why = fault,
            }
        }
        Err(Failure::failed(format!("what is signed in the name of {member} does not hold: {}", escape::line(&why))))
    }
}

/// Returns the columns of the table.
fn columns(lines: &[Line]) -> Vec<(&'static str, Vec<String>)> {
    let column = |of: &dyn Fn(&Line) -> String| lines.iter().map(of).collect::<Vec<_>>();
    vec![
        (
            "signed by",
            column(&|line| match line {
                Line::Receipt(signed) => signed.statement.owner.to_string(),
                Line::Delivery(signed) => format!("{} (home)", signed.statement.home),
            }),
        ),
        (
            "time",
            column(&|line| match line {
                Line::Receipt(signed) => format!("{:.0}", signed.statement.time),
                Line::Delivery(signed) => format!("{:.0}", signed.statement.time),
            }),
        ),
        (
            "query",
            column(&|line| match line {
                Line::Receipt(signed) => signed.statement.query_id.to_string(),
                Line::Delivery(signed) => signed.statement.query_id.to_string(),
            }),
        ),
        (
            "rows",
            column(&|line| match line {
                Line::Receipt(signed) => signed.statement.rows.to_string(),
                Line::Delivery(signed) => signed.statement.rows.to_string(),
            }),
        ),
        (
            "rule",
            column(&|line| match line {
                Line::Receipt(signed) => rule(&signed.statement),
                Line::Delivery(_) => String::new(),
            }),
        ),
        (
            "audit",
            column(&|line| match line {
                Line::Receipt(signed) => format!("#{} {}", signed.statement.sequence, &signed.statement.digest[..8]),
                Line::Delivery(_) => String::new(),
            }),
        ),
    ]
}

fn rule(receipt: &Receipt) -> String {
    let names: Vec<&str> = receipt.policies.iter().map(ResourceName::as_str).collect();
    match receipt.min_units {
        None => "public".to_owned(),
        Some(0 | 1) => "every cell".to_owned(),
        Some(least) => format!("at least {least} units ({})", names.join(", ")),
    }
}

/// Says what was found: that every signature holds, and of each answer that all its releases are accounted for.
///
/// # Errors
/// A home node's statement names a release whose receipt is not in the file.
fn verdict(lines: &[Line]) -> Outcome<String> {
    let receipts: Vec<&Receipt> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Receipt(signed) => Some(&signed.statement),
            Line::Delivery(_) => None,
        })
        .collect();
    let mut text = "Every signature holds.\n".to_owned();
    for delivery in lines.iter().filter_map(|line| match line {
        Line::Delivery(signed) => Some(&signed.statement),
        Line::Receipt(_) => None,
    }) {
        let Delivery { home, query_id, releases, .. } = delivery;
        let is_there = |release: &&DeliveredRelease| {
            let same = |receipt: &&Receipt| {
                (&receipt.owner, receipt.sequence, &receipt.digest, receipt.query_id)
                    == (&release.owner, release.sequence, &release.digest, *query_id)
            };
            receipts.iter().any(same)
        };
        if let Some(lacking) = releases.iter().filter(|release| release.has_receipt).find(|release| !is_there(release))
        {
            return Err(Failure::failed(format!(
                "{home} says that its answer to query {query_id} has a release of {} (entry {}), whose receipt is not in this \
                 file",
                lacking.owner, lacking.sequence
            )));
        }
        let unsigned = releases.iter().filter(|release| !release.has_receipt).count();
        text.push_str(&format!("The answer to query {query_id} is made of {} releases", releases.len()));
        text.push_str(&match unsigned {
            0 => ", each with its owner's receipt.\n".to_owned(),
            unsigned => format!("; of {unsigned} of them the owner gave no receipt.\n"),
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;
    use wanqu_fixtures::identity::{authority, jid, node};
    use wanqu_identity::sign_statement;
    use wanqu_model::bundle::Subject;

    use super::*;

    fn receipt(owner: &str, sequence: u64) -> Receipt {
        Receipt {
            owner: jid(owner),
            log: Uuid::nil(),
            sequence,
            digest: "d".repeat(64),
            time: Timestamp::now(),
            query_id: Uuid::from_u128(7),
            fragment: 0,
            home: jid("HK"),
            requester: Subject { issuer: "https://i.example".to_owned(), subject: "wei".to_owned() },
            project: None,
            purpose: None,
            agreement: None,
            text: "a".repeat(64),
            rules: "r".to_owned(),
            min_units: Some(10),
            rounding: 1,
            policies: vec!["gba".parse().unwrap()],
            rows: 3,
        }
    }

    fn delivery(releases: &[(&str, u64)]) -> Delivery {
        let release = |(owner, sequence): &(&str, u64)| DeliveredRelease {
            owner: jid(owner),
            sequence: *sequence,
            digest: "d".repeat(64),
            has_receipt: true,
        };
        Delivery {
            home: jid("HK"),
            query_id: Uuid::from_u128(7),
            requester: Subject { issuer: "https://i.example".to_owned(), subject: "wei".to_owned() },
            text: "a".repeat(64),
            time: Timestamp::now(),
            rows: 3,
            releases: releases.iter().map(release).collect(),
            missing: vec![],
        }
    }

    #[test]
    fn a_file_of_receipts_is_checked_with_the_authorities_alone() {
        let (hk, mo) = (authority("HK"), authority("MO"));
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(folder.path())).unwrap();
        let file = folder.path().join("receipts.ndjson");
        let cas: Vec<_> = [("hk.pem", &hk), ("mo.pem", &mo)]
            .map(|(name, ca)| {
                let path = folder.path().join(name);
                std::fs::write(&path, ca.certificate_pem()).unwrap();
                path
            })
            .to_vec();
        let check = |lines: &[Line], cas: &[std::path::PathBuf]| {
            let text: Vec<String> = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
            std::fs::write(&file, text.join("\n")).unwrap();
            run(&state, &ReceiptsArgs { file: file.clone(), ca: cas.to_vec() }).map_err(|fault| fault.to_string())
        };
        let of =
            |owner, sequence, by| Line::Receipt(Box::new(sign_statement(receipt(owner, sequence), &node(by)).unwrap()));
        let told = |releases: &[_]| Line::Delivery(Box::new(sign_statement(delivery(releases), &node(&hk)).unwrap()));
        let whole = [of("HK", 4, &hk), of("MO", 9, &mo), told(&[("HK", 4), ("MO", 9)])];
        check(&whole, &cas).unwrap();
        assert!(check(&whole, &cas[..1]).unwrap_err().contains("MO"), "MO's CA is not at hand");
        assert!(check(&whole, &[]).unwrap_err().contains("--ca FILE"));
        assert!(check(&[of("HK", 4, &hk), told(&[("HK", 4), ("MO", 9)])], &cas).unwrap_err().contains("release of MO"));
        assert!(check(&[of("MO", 9, &hk)], &cas).unwrap_err().contains("in the name of MO"));
        let mut altered = whole.clone();
        if let Line::Receipt(signed) = &mut altered[1] {
            signed.statement.rows = 4;
        }
        assert!(check(&altered, &cas).unwrap_err().contains("signature does not hold"));
        assert!(check(&[], &cas).unwrap_err().contains("holds no receipt"));
    }
}
