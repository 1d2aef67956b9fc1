//! The SQL text of a command: from its argument, a file or standard input.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use super::args::SqlArgs;
use super::failure::{Failure, Outcome};

/// Most bytes of a query that are read: more than any node accepts.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Returns the SQL text that the arguments name.
///
/// # Errors
/// If there is none, it is empty, too long or not UTF-8, or a file cannot be read.
pub fn sql(args: &SqlArgs) -> Outcome<String> {
    let text = match (&args.sql, &args.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(path)) if path.as_os_str() != "-" => {
            let file = File::open(path).map_err(|e| Failure::file("read", path, &e))?;
            read(file, path)?
        }
        (None, None) if io::stdin().is_terminal() => {
            return Err(Failure::Usage(
                "no query was given: pass it as an argument, with --file, or on standard input".to_owned(),
            ));
        }
        _ => read(io::stdin().lock(), Path::new("standard input"))?,
    };
    if text.trim().is_empty() {
        return Err(Failure::Usage("the query is empty".to_owned()));
    }
    Ok(text)
}

fn read(from: impl Read, name: &Path) -> Outcome<String> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Failure::file("read", name, &e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::failed(format!("{} is too large for a query: it has more than 16 MiB", name.display())));
    }
    String::from_utf8(bytes).map_err(|_| Failure::failed(format!("{} is not UTF-8 text", name.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(path: &Path) -> Outcome<String> {
        sql(&SqlArgs { sql: None, file: Some(path.to_owned()) })
    }

    #[test]
    fn the_text_comes_from_the_argument_or_a_file() {
        let given = SqlArgs { sql: Some("SELECT 1".to_owned()), file: None };
        assert_eq!(sql(&given).unwrap(), "SELECT 1");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.sql");
        std::fs::write(&path, "SELECT '深圳'\n").unwrap();
        assert_eq!(from_file(&path).unwrap(), "SELECT '深圳'\n");
    }

    #[test]
    fn a_query_file_that_is_missing_or_not_utf8_or_empty_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.sql");
        assert!(from_file(&path).unwrap_err().to_string().contains("there is no such file"));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(from_file(&path).unwrap_err().to_string().contains("is not UTF-8 text"));
        std::fs::write(&path, " \n").unwrap();
        assert_eq!(from_file(&path).unwrap_err().exit_code(), 2);
    }
}
