//! Random files: nothing panics, and every record is a row, is bad, or its file is refused.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wanqu_model::bundle::{Compression, CsvSyntax, Encoding, TextSpec, ValueSyntax};
use wanqu_records::TextFormat;

use crate::read::read;

const COLUMNS: &str = "a: int32;b: string;c: decimal;d: date;e: float64";

fn declared(random: &mut StdRng) -> TextSpec {
    let encodings = [Encoding::Utf8, Encoding::Gb18030, Encoding::Big5, Encoding::Utf16Le, Encoding::Utf16Be];
    let csv = CsvSyntax {
        separator: random.random_bool(0.3).then(|| ";".parse().unwrap()),
        escape: random.random_bool(0.3).then(|| "\\".parse().unwrap()),
        comment: random.random_bool(0.2).then(|| "#".parse().unwrap()),
        skip_lines: random.random_range(0..2) * random.random_range(0..3),
        footer_lines: random.random_range(0..2) * random.random_range(0..3),
        ..CsvSyntax::default()
    };
    TextSpec {
        encoding: random.random_bool(0.6).then(|| encodings[random.random_range(0..encodings.len())]),
        compression: random.random_bool(0.1).then_some(Compression::Gzip),
        csv: random.random_bool(0.5).then_some(csv),
        values: random.random_bool(0.5).then(|| ValueSyntax { nulls: vec!["--".to_owned()], ..ValueSyntax::default() }),
    }
}

#[test]
fn bytes_of_any_kind_are_read_or_refused() {
    let pieces: [&[u8]; 24] = [
        b"a,b,c,d,e\n",
        b"1,x,1.5,2024-01-01,2\n",
        b",",
        b"\n",
        b"\r",
        b"\"",
        b"\"\"",
        b"\\",
        b"#",
        b";",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xb8\xa3\xcc\xef",
        b"{\"a\":1,\"b\":\"x\"}\n",
        b"{",
        b"}",
        b"[1,",
        b"null",
        b"--",
        b"1e999",
        b"\x1f\x8b\x08",
        b"\xe7\xa6\x8f",
    ];
    let mut random = StdRng::seed_from_u64(20_261_128);
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        if random.random_bool(0.5) {
            bytes.extend_from_slice(b"a,b,c,d,e\n");
        }
        for _ in 0..random.random_range(0..30) {
            bytes.extend_from_slice(pieces[random.random_range(0..pieces.len())]);
        }
        let format = if random.random_bool(0.6) { TextFormat::Csv } else { TextFormat::Ndjson };
        let spec = declared(&mut random);
        let columns = if format == TextFormat::Csv { COLUMNS } else { "a: int32;b: string;c: list" };
        let once = read(&bytes, "t", columns, format, &spec);
        assert_eq!(read(&bytes, "t", columns, format, &spec), once, "{bytes:?}");
    }
}

#[test]
fn every_record_is_a_row_or_is_bad() {
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..300 {
        let records = random.random_range(1..200_usize);
        let mut text = String::from("a,b\n");
        let mut bad = Vec::new();
        for record in 1..=records {
            let good = random.random_bool(0.8);
            let line = match (good, random.random_range(0..4)) {
                (true, 0) => "1,x\n",
                (true, 1) => "2,\"y,\nz\"\r\n",
                (true, 2) => ",\n",
                (true, _) => "3,5\" pipe\n",
                (false, 0) => "1.5,x\n",
                (false, 1) => "1\n",
                (false, 2) => "1,x,\n",
                (false, _) => "1,\"x\"y\n",
            };
            text.push_str(line);
            if !good {
                bad.push(record as u64);
            }
        }
        let read = read(text.as_bytes(), "t", "a: int32;b: string", TextFormat::Csv, &TextSpec::default()).unwrap();
        assert_eq!(read.bad.iter().map(|(record, ..)| *record).collect::<Vec<_>>(), bad);
        assert_eq!(read.rows.len(), records - bad.len());
    }
}

/// Writes a row as `wanqu query --format csv` does, with every text in quotes where it is not NULL.
fn written(row: &[Option<String>]) -> String {
    let field = |field: &Option<String>| match field {
        None => String::new(),
        Some(text) => format!("\"{}\"", text.replace('"', "\"\"")),
    };
    row.iter().map(field).collect::<Vec<_>>().join(",") + "\n"
}

#[test]
fn what_is_written_is_read_back() {
    let letters = ["", "a", "\"", ",", "\n", "\r", "é", "福", " ", "\\", "--"];
    let mut random = StdRng::seed_from_u64(11);
    for columns in 1..4 {
        let declared = (0..columns).map(|c| format!("c{c}: string")).collect::<Vec<_>>().join(";");
        let mut rows = Vec::new();
        for _ in 0..3000 {
            let mut text = || {
                let length = random.random_range(0..5);
                let text: String = (0..length).map(|_| letters[random.random_range(0..letters.len())]).collect();
                random.random_bool(0.8).then_some(text)
            };
            rows.push((0..columns).map(|_| text()).collect::<Vec<_>>());
        }
        let header = (0..columns).map(|c| format!("c{c}")).collect::<Vec<_>>().join(",");
        let text = format!("{header}\n{}", rows.iter().map(|row| written(row)).collect::<String>());
        let read = read(text.as_bytes(), "t", &declared, TextFormat::Csv, &TextSpec::default()).unwrap();
        assert_eq!((read.rows, read.bad), (rows, Vec::new()));
    }
}
