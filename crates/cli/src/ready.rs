//! `wanqu ready`: asks `/readyz` at an observation port, over plain HTTP: there is no data behind that port.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wanqu_http::{Http, HttpError, StatusCode};

use super::args::ReadyArgs;
use super::escape;
use super::failure::{Failure, Outcome};

/// Longest time of one request.
const ANSWER: Duration = Duration::from_secs(3);
/// Pause between two requests.
const PAUSE: Duration = Duration::from_millis(500);
/// Most bytes of an answer that are shown.
const MOST: usize = 16 * 1024;

/// Asks until the server is ready, for at most `args.wait` seconds.
///
/// # Errors
/// If it is not ready by then, with its last answer.
pub async fn run(args: &ReadyArgs) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let http = Http::new().with_longest(ANSWER);
    loop {
        match ask(&http, &args.address).await {
            Ok(said) => return super::put(&format!("{said}\n")),
            Err(why) if Instant::now() >= deadline => {
                return Err(Failure::failed(format!("{} is not ready: {why}", args.address)));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Sends one request; returns the body if the server is ready, and why not otherwise.
async fn ask(http: &Http, address: &str) -> Result<String, String> {
    let (status, body) = http.get(address, "/readyz").await.map_err(|error| match error {
        HttpError::TooLate(_) => "it does not answer".to_owned(),
        error => error.to_string(),
    })?;
    let body = String::from_utf8_lossy(&body[..body.len().min(MOST)]);
    let body = escape::block(body.trim(), 0);
    match status {
        StatusCode::OK => Ok(body),
        status if body.is_empty() => Err(format!("it answers {}", status.as_u16())),
        status => Err(format!("{body} ({})", status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Asks a server that reads one request, answers it with `raw` and closes the connection.
    async fn answered(raw: &'static str) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(raw.as_bytes()).await.unwrap();
        });
        let answer = ask(&Http::new().with_longest(Duration::from_mins(1)), &address).await;
        server.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn ready_is_200_and_nothing_else() {
        assert_eq!(answered("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await, Ok("ok".to_owned()));
        let no = answered("HTTP/1.1 503 Service Unavailable\r\n\r\nthe bundle is stale\n").await;
        assert_eq!(no, Err("the bundle is stale (503)".to_owned()));
        assert_eq!(answered("HTTP/1.1 404 Not Found\r\n\r\n").await, Err("it answers 404".to_owned()));
        for other in ["SSH-2.0-OpenSSH 200 \r\n\r\n", ""] {
            assert_eq!(answered(other).await, Err("what listens there does not speak HTTP".to_owned()));
        }
    }

    /// The server is not ready twice and then is: without waiting that is a failure, with it a success.
    #[tokio::test]
    async fn ready_asks_again_until_its_time_is_over() {
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
    async fn ready_fails_with_a_reason_where_nobody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let failure = run(&ReadyArgs { address, wait: 0 }).await.unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("refused"), "{failure}");
    }
}
