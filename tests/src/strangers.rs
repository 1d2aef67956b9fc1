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
use wanqu_identity::{NodeIdentity, Trust, client_config, gateway_client_config, node_dns};

use crate::federation::{Federation, jid, researcher};

/// First bytes of a client over HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types of HTTP/2 (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;

/// Flags of frames: the last one of a stream, the end of its headers, and the answer to a ping.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A door under attack: a gateway or an exchange.
pub struct Target {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// The token of a researcher, where callers are known by one.
    token: Option<String>,
}

/// Body of a call.
enum Body {
    /// Not a byte.
    None,
    /// The beginning of a message of 100,000 bytes.
    Begun,
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
        let tls = gateway_client_config(federation.local.ca(&of).expect("a member")).expect("a CA that can be read");
        let token = federation.local.token(&of, &researcher(), Duration::from_hours(1)).expect("a token");
        let name = ServerName::try_from("localhost").expect("a name");
        Self { address, tls, name, token: Some(token) }
    }

    /// Aims at the exchange of a jurisdiction: as a node with this identity, or as a stranger without a certificate.
    ///
    /// # Panics
    /// If it is no member, or the identity cannot be used.
    #[must_use]
    pub fn exchange(federation: &Federation, of: &str, identity: Option<&NodeIdentity>) -> Self {
        let of = jid(of);
        let bundle = federation.local.bundle(&of).expect("a member");
        let tls = match identity {
            Some(identity) => {
                let trust = Trust::from_bundle(bundle).expect("authorities that can be read");
                client_config(identity, &trust, of.clone()).expect("an identity for TLS")
            }
            None => gateway_client_config(federation.local.ca(&of).expect("a member")).expect("a CA that can be read"),
        };
        let address = federation.local.exchange(&of).expect("a member");
        let name = node_dns(&bundle.trust_domain, &of).try_into().expect("a name for DNS");
        Self { address, tls, name, token: None }
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
    pub async fn mute(&self, from: IpAddr) -> Option<TlsStream<TcpStream>> {
        let stream = self.silent(from).await;
        TlsConnector::from(Arc::clone(&self.tls)).connect(self.name.clone(), stream).await.ok()
    }

    /// Begins so many calls on a connection, each with a head that holds and a body that never ends. `None` if the connection was
    /// refused.
    ///
    /// # Panics
    /// As for [`silent`](Self::silent).
    pub async fn unfinished_calls(&self, from: IpAddr, calls: usize) -> Option<TlsStream<TcpStream>> {
        let bodies = (0..calls).map(|_| Body::Begun);
        self.calls(from, bodies, self.token.as_deref()).await
    }

    /// Begins so many calls without a token, each with a body that never ends.
    ///
    /// # Panics
    /// As for [`silent`](Self::silent).
    pub async fn unfinished_calls_of_a_stranger(&self, from: IpAddr, calls: usize) -> Option<TlsStream<TcpStream>> {
        self.calls(from, (0..calls).map(|_| Body::Begun), None).await
    }

    /// Begins so many calls on a connection, each with a head that holds, and nothing after it.
    ///
    /// # Panics
    /// As for [`silent`](Self::silent).
    pub async fn heads(&self, from: IpAddr, calls: usize) -> Option<TlsStream<TcpStream>> {
        let bodies = (0..calls).map(|_| Body::None);
        self.calls(from, bodies, self.token.as_deref()).await
    }

    async fn calls(
        &self,
        from: IpAddr,
        bodies: impl Iterator<Item = Body>,
        token: Option<&str>,
    ) -> Option<TlsStream<TcpStream>> {
        let mut stream = self.mute(from).await?;
        let mut bytes = PREFACE.to_vec();
        frame(&mut bytes, SETTINGS, 0, 0, &[]);
        for (id, body) in (1..).step_by(2).zip(bodies) {
            frame(&mut bytes, HEADERS, END_HEADERS, id, &head(token));
            match body {
                Body::None => {}
                Body::Begun => {
                    let mut part = vec![0_u8; 1000];
                    part[..5].copy_from_slice(&message_head(100_000));
                    frame(&mut bytes, DATA, 0, id, &part);
                }
            }
        }
        stream.write_all(&bytes).await.ok()?;
        stream.flush().await.ok()?;
        Some(stream)
    }
}

/// Head of a message of gRPC: not compressed, and so long.
fn message_head(length: usize) -> [u8; 5] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

/// Writes an integer in groups of 7 bits, the lowest first.
fn varint(to: &mut Vec<u8>, mut number: usize) {
    while number >= 128 {
        to.push(u8::try_from(number % 128).unwrap_or_default() | 128);
        number /= 128;
    }
    to.push(u8::try_from(number).unwrap_or_default());
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
    if let Some(rest) = text.len().checked_sub(127) {
        to.push(127);
        varint(to, rest);
    } else {
        to.push(u8::try_from(text.len()).unwrap_or_default());
    }
    to.extend_from_slice(text.as_bytes());
}

/// Waits until a connection is closed by the other end.
pub async fn closed(mut stream: impl AsyncReadExt + Unpin) {
    let mut buffer = [0_u8; 4096];
    while let Ok(1..) = stream.read(&mut buffer).await {}
}

/// Waits until so many calls of a connection have been answered, or the connection is closed. Returns how many of them were
/// refused.
pub async fn answered(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), mut calls: usize) -> usize {
    let mut refused = 0;
    while calls > 0
        && let Some((kind, flags)) = next_frame(stream).await
    {
        if kind == HEADERS {
            calls -= 1;
            // A refusal has no body: its headers are its end.
            refused += usize::from(flags & END_STREAM != 0);
        }
    }
    refused
}

/// Reads a frame, and answers it if it is a ping. Returns its type and its flags; `None` at the end of the connection.
async fn next_frame(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> Option<(u8, u8)> {
    let mut head = [0_u8; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0_u8; length];
    stream.read_exact(&mut payload).await.ok()?;
    let (kind, flags) = (head[3], head[4]);
    if kind == PING && flags & ACK == 0 {
        let mut pong = Vec::new();
        frame(&mut pong, PING, ACK, 0, &payload);
        stream.write_all(&pong).await.ok()?;
        stream.flush().await.ok()?;
    }
    Some((kind, flags))
}
