//! The SQL text of a command: from its argument, a file or standard input.

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
            let file = wanqu_file::open(path).map_err(|e| unreadable(path, &e))?;
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

/// Returns the failure to open a query's file. A pipe cannot be read by its name: it would be waited for.
fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::file("read", path, error);
    if error.kind() != io::ErrorKind::InvalidInput {
        return failure;
    }
    let Failure::Failed(text) = failure else { return failure };
    Failure::Failed(format!("{text}; `--file -` reads the query from standard input"))
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
    fn a_query_is_not_waited_for_at_a_pipe_and_not_read_from_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("q.sql");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let failure = from_file(&pipe).unwrap_err().to_string();
        let end =
            "q.sql: it is a pipe, where a regular file is expected; `--file -` reads the query from standard input";
        assert!(failure.ends_with(end), "{failure}");
        assert!(from_file(Path::new("/dev/zero")).unwrap_err().to_string().contains("it is a device"));
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
