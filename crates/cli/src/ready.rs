//! `wanqu ready`: asks `/readyz` at a port of observation. It is plain HTTP, since there is no data behind that port.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use wanqu_model::io_reason;

use super::args::ReadyArgs;
use super::failure::{Failure, Outcome};
use super::render::cells::printable;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(3);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(500);
/// What is read of an answer; readiness is said in a few lines.
const MOST: u64 = 16 * 1024;

/// Asks until it is ready, or until the time is up.
pub async fn run(args: &ReadyArgs) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    loop {
        let answer = timeout(ANSWER, ask(&args.address)).await.unwrap_or_else(|_| Err("it does not answer".to_owned()));
        match answer {
            Ok(said) => return super::put(&format!("{said}\n")),
            Err(why) if Instant::now() >= deadline => {
                return Err(Failure::failed(format!("{} is not ready: {why}", args.address)));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// One question: what it says if it is ready, and otherwise why not.
async fn ask(address: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| io_reason(&error);
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let question = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await.map_err(failed)?;
    read(&String::from_utf8_lossy(&answer))
}

fn read(answer: &str) -> Result<String, String> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.lines().next().unwrap_or_default();
    let body = printable(body.trim());
    match status.split(' ').nth(1) {
        Some("200") if status.starts_with("HTTP/1.") => Ok(body),
        Some(code) if status.starts_with("HTTP/1.") && !body.is_empty() => Err(format!("{body} ({code})")),
        Some(code) if status.starts_with("HTTP/1.") => Err(format!("it answers {code}")),
        _ => Err("what listens there does not speak HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn ready_is_200_and_nothing_else() {
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), Ok("ok".to_owned()));
        let no = read("HTTP/1.1 503 Service Unavailable\r\n\r\nthe bundle is stale\n");
        assert_eq!(no, Err("the bundle is stale (503)".to_owned()));
        assert_eq!(read("HTTP/1.1 404 Not Found\r\n\r\n"), Err("it answers 404".to_owned()));
        assert!(read("SSH-2.0-OpenSSH 200 \r\n\r\n").is_err());
        assert!(read("").is_err());
    }

    /// The server says no once and yes afterwards: without waiting that is a failure, with it a success.
    #[tokio::test]
    async fn it_is_asked_again_while_there_is_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            for status in ["503 Service Unavailable", "503 Service Unavailable", "200 OK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut question = [0; 512];
                let read = stream.read(&mut question).await.unwrap();
                assert!(question[..read].starts_with(b"GET /readyz HTTP/1.1\r\n"));
                stream.write_all(format!("HTTP/1.1 {status}\r\n\r\nwell").as_bytes()).await.unwrap();
            }
        });
        let failure = run(&ReadyArgs { address: address.clone(), wait: 0 }).await.unwrap_err();
        assert_eq!(failure.to_string(), format!("wanqu: {address} is not ready: well (503)"));
        run(&ReadyArgs { address, wait: 30 }).await.unwrap();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_there_is_a_failure_with_a_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let failure = run(&ReadyArgs { address, wait: 0 }).await.unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("refused"), "{failure}");
    }
}
