//! Columns that some files lack, and columns of which values are written otherwise than in the others.

use wanqu_model::bundle::{TextSpec, ValueSyntax};
use wanqu_records::{Columns, Fault, TextFormat};

use crate::read::{Read, csv_syntax, read_declared, schema, value_syntax};

/// Reads a file of which `b` and `c` are optional, and `a` is not.
fn optional(text: &str, format: TextFormat, declared: &TextSpec) -> Result<Read, Fault> {
    let columns = Columns::new(schema("a: int32;b: string;c: date"), declared).with_optional([false, true, true]);
    read_declared(text.as_bytes(), "t", &columns, format, declared)
}

#[test]
fn a_column_that_is_optional_is_null_in_files_without_it() {
    let none = TextSpec::default();
    for (text, expected) in [
        ("a\n1\n\n2\n", vec!["1|∅|∅", "∅|∅|∅", "2|∅|∅"]),
        ("x,a\n,1\ny,2\n", vec!["1|∅|∅", "2|∅|∅"]),
        ("c,z,a\n2024-01-02,9,1\n", vec!["1|∅|2024-01-02"]),
        ("a,b,c\n1,x,2024-01-02\n", vec!["1|x|2024-01-02"]),
        ("a,b\n", vec![]),
    ] {
        let read = optional(text, TextFormat::Csv, &none).unwrap();
        assert_eq!((read.lines(), read.bad.len()), (expected.into_iter().map(str::to_owned).collect(), 0), "{text:?}");
    }
    let read = optional("{\"a\":1}\n{\"a\":2,\"c\":\"2024-01-02\"}\n", TextFormat::Ndjson, &none).unwrap();
    assert_eq!(read.lines(), ["1|∅|∅", "2|∅|2024-01-02"]);
    // Of NDJSON, all records of the beginning may lack it, and later ones have it.
    let late = format!("{}{{\"a\":2,\"b\":\"x\"}}\n", "{\"a\":1}\n".repeat(10_000));
    assert_eq!(optional(&late, TextFormat::Ndjson, &none).unwrap().lines().last().unwrap(), "2|x|∅");
    let by_place = |text: &str| {
        let declared = csv_syntax(r#"{"header":false}"#);
        let columns = Columns::new(schema("1: int32;2: string;3: int32"), &declared).with_optional([false, true, true]);
        read_declared(text.as_bytes(), "t", &columns, TextFormat::Csv, &declared).map(|read| read.lines())
    };
    assert_eq!(by_place("1,x\n2,y\n").unwrap(), ["1|x|∅", "2|y|∅"]);
    assert_eq!(by_place("1,x,3\n").unwrap(), ["1|x|3"]);
}

#[test]
fn a_file_that_has_an_optional_column_by_another_name_is_not_read_as_one_without_it() {
    let none = TextSpec::default();
    let letters = |name: &str| Err(Fault::ColumnLetters(name.to_owned()));
    let missing = |name: &str| Err(Fault::MissingColumn(name.to_owned()));
    assert_eq!(optional("a,B\n1,x\n", TextFormat::Csv, &none), letters("b"));
    assert_eq!(optional("a, c \n1,x\n", TextFormat::Csv, &none), letters("c"));
    assert_eq!(optional("{\"a\":1,\"B\":\"x\"}\n", TextFormat::Ndjson, &none), letters("b"));
    assert_eq!(optional("b,c\nx,\n", TextFormat::Csv, &none), missing("a"));
    // A line that names none of the columns is a title, or data.
    let columns = Columns::new(schema("a: int32;b: string"), &none).with_optional([true, true]);
    let all = |text: &str, format| read_declared(text.as_bytes(), "t", &columns, format, &none);
    let data = all("1,x\n", TextFormat::Csv);
    assert!(matches!(&data, Err(Fault::Setting { setting, .. }) if setting == "csv: {header: false}"), "{data:?}");
    assert_eq!(all(&"{\"x\":1}\n".repeat(10_000), TextFormat::Ndjson), missing("a"));
    for (text, setting) in [("a;b\n1;x\n", "separator"), ("Title\na,b\n1,x\n", "skipLines: 1")] {
        let fault = all(text, TextFormat::Csv);
        assert!(matches!(&fault, Err(Fault::Setting { setting: s, .. }) if s.contains(setting)), "{fault:?}");
    }
}

#[test]
fn values_of_a_column_are_written_as_it_declares() {
    let declared = value_syntax(r#"{"nulls":["--"],"dates":["%d/%m/%Y"]}"#);
    let american: ValueSyntax = serde_json::from_str(r#"{"dates":["%m/%d/%Y"]}"#).unwrap();
    let comma: ValueSyntax = serde_json::from_str(r#"{"nulls":["-1"],"decimalSeparator":","}"#).unwrap();
    let columns = Columns::new(schema("a: date;b: date;c: decimal;d: decimal"), &declared).with_values([
        None,
        Some(&american),
        Some(&comma),
        None,
    ]);
    let text = "a,b,c,d\n01/02/2024,01/02/2024,\"1,5\",1.5\n--,--,-1,-1\n";
    let read = read_declared(text.as_bytes(), "t", &columns, TextFormat::Csv, &declared).unwrap();
    assert_eq!((read.lines().join(" "), read.bad), ("2024-02-01|2024-01-02|1.50|1.50 ∅|∅|∅|-1.00".to_owned(), vec![]));
    let json = "{\"a\":\"01/02/2024\",\"b\":\"01/02/2024\",\"c\":\"1,5\",\"d\":1.5}\n";
    let read = read_declared(json.as_bytes(), "t", &columns, TextFormat::Ndjson, &declared).unwrap();
    assert_eq!(read.lines(), ["2024-02-01|2024-01-02|1.50|1.50"]);
}
