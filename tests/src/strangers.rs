//! Hostile clients of a door: silent, half-open, vanishing, with calls that never end. They speak bytes, so that they can
//! say what no library would.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::federation::{Federation, jid, researcher};

/// What a client sends first over HTTP/2, with settings that ask for nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Frame types of HTTP/2 (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// A gateway under attack.
pub struct Target {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    token: String,
}

/// An address of this machine that is neither the friend's nor another villain's.
#[must_use]
pub fn address_of(villain: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 66, villain).into()
}

impl Target {
    /// Aims at the gateway of a jurisdiction.
    ///
    /// # Panics
    /// If it is no member.
    #[must_use]
    pub fn gateway(federation: &Federation, of: &str) -> Self {
        let of = jid(of);
        let url = federation.local.gateway(&of).expect("a member");
        let address = url.trim_start_matches("https://").parse().expect("an address");
        let tls = wanqu_identity::gateway_client_config(federation.local.ca(&of).expect("a member"));
        let token = federation.local.token(&of, &researcher(), Duration::from_hours(1)).expect("a token");
        Self { address, tls: tls.expect("a CA that can be read"), token }
    }

    /// Opens a connection from an address, and says nothing.
    ///
    /// # Panics
    /// If the address is not this machine's, or nobody listens.
    pub async fn silent(&self, from: IpAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(from, 0)).expect("an address of this machine");
        socket.connect(self.address).await.expect("somebody who listens")
    }

    /// Begins a handshake and stops in the middle of its first message.
    ///
    /// # Panics
    /// As for [`silent`](Self::silent).
    pub async fn half_open(&self, from: IpAddr) -> TcpStream {
        let mut stream = self.silent(from).await;
        // A handshake record of 512 bytes, of which 6 come.
        let _ = stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await;
        stream
    }

    /// Connects with TLS, and says nothing. `None` if it was refused.
    ///
    /// # Panics
    /// As for [`silent`](Self::silent).
    pub async fn without_token(&self, from: IpAddr) -> Option<TlsStream<TcpStream>> {
        let stream = self.silent(from).await;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.ok()
    }

    /// Begins so many calls on a connection, each with a head that holds and a body that never ends. `None` if the connection was
    /// refused.
    ///
    /// # Panics
    /// As for [`silent`](Self::silent).
    pub async fn unfinished_calls(&self, from: IpAddr, calls: u32) -> Option<TlsStream<TcpStream>> {
        self.calls(from, calls, Some(&self.token)).await
    }

    /// Begins a call without a token, with a body that never ends.
    ///
    /// # Panics
    /// As for [`silent`](Self::silent).
    pub async fn unfinished_call_of_a_stranger(&self, from: IpAddr) -> Option<TlsStream<TcpStream>> {
        self.calls(from, 1, None).await
    }

    async fn calls(&self, from: IpAddr, calls: u32, token: Option<&str>) -> Option<TlsStream<TcpStream>> {
        let mut stream = self.without_token(from).await?;
        let mut bytes = PREFACE.to_vec();
        for call in 0..calls {
            let id = call * 2 + 1;
            // All headers are there, and the stream goes on.
            frame(&mut bytes, HEADERS, 4, id, &head(token));
            // A message of 100,000 bytes, of which 995 come.
            let mut part = vec![0_u8; 1000];
            part[..5].copy_from_slice(&[0, 0, 1, 0x86, 0xa0]);
            frame(&mut bytes, DATA, 0, id, &part);
        }
        stream.write_all(&bytes).await.ok()?;
        stream.flush().await.ok()?;
        Some(stream)
    }
}

fn frame(to: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    to.extend_from_slice(&u32::try_from(payload.len()).unwrap_or_default().to_be_bytes()[1..]);
    to.extend_from_slice(&[kind, flags]);
    to.extend_from_slice(&stream.to_be_bytes());
    to.extend_from_slice(payload);
}

/// Head of a `DoGet`, as literals that are neither indexed nor compressed (RFC 7541, section 6.2.2).
fn head(token: Option<&str>) -> Vec<u8> {
    let mut block = Vec::new();
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/arrow.flight.protocol.FlightService/DoGet"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    for (name, value) in headers {
        block.push(0);
        string(&mut block, name);
        string(&mut block, value);
    }
    block
}

/// Writes a string: its length as an integer with a prefix of 7 bits, and its bytes.
fn string(to: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        to.push(u8::try_from(length).unwrap_or_default());
    } else {
        to.push(127);
        length -= 127;
        while length >= 128 {
            to.push(u8::try_from(length % 128).unwrap_or_default() | 128);
            length /= 128;
        }
        to.push(u8::try_from(length).unwrap_or_default());
    }
    to.extend_from_slice(text.as_bytes());
}

/// Waits until a connection is closed by the other end.
pub async fn closed(mut stream: impl AsyncReadExt + Unpin) {
    let mut buffer = [0_u8; 4096];
    while let Ok(1..) = stream.read(&mut buffer).await {}
}

/// Waits until so many calls of a connection have been answered, or the connection is closed.
pub async fn answered(mut stream: impl AsyncReadExt + Unpin, mut calls: u32) {
    let mut head = [0_u8; 9];
    while calls > 0 && stream.read_exact(&mut head).await.is_ok() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0_u8; length];
        if stream.read_exact(&mut payload).await.is_err() {
            return;
        }
        calls -= u32::from(head[3] == HEADERS);
    }
}
