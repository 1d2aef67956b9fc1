//! A relay before a node's exchange, which can hold back what the node says, as if it were slow, and break connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wanqu_cli::local::Amend;
use wanqu_model::names::JurisdictionId;

/// A relay. It ends with the runtime that it was opened on.
pub struct Relay {
    address: String,
    target: Arc<Mutex<Option<String>>>,
    held: watch::Sender<bool>,
    breaks: watch::Sender<()>,
    asked: Arc<AtomicU64>,
}

impl Relay {
    /// Listens. It passes everything on until it is told to hold.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (held, holding) = watch::channel(false);
        let (breaks, broken) = watch::channel(());
        let (target, asked) = (Arc::<Mutex<Option<String>>>::default(), Arc::<AtomicU64>::default());
        let (to, bytes) = (Arc::clone(&target), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(address) = to.lock().clone() else { continue };
                let (holding, bytes, mut broken) = (holding.clone(), Arc::clone(&bytes), broken.clone());
                broken.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(node) = TcpStream::connect(address).await else { return };
                    let ((from_client, to_client), (from_node, to_node)) = (client.into_split(), node.into_split());
                    let holding = Held { holding, broken: broken.clone() };
                    let both = async {
                        tokio::join!(
                            pass(from_client, to_node, None, Some(&bytes)),
                            pass(from_node, to_client, Some(holding), None),
                        )
                    };
                    tokio::select! {
                        _ = both => {}
                        _ = broken.changed() => {}
                    }
                });
            }
        });
        Ok(Self { address, target, held, breaks, asked })
    }

    /// Puts the relay between `home` and `owner`, in the bundle that the home node reads.
    #[must_use]
    pub fn between(&self, home: JurisdictionId, owner: JurisdictionId) -> Amend {
        let (address, target) = (self.address.clone(), Arc::clone(&self.target));
        Box::new(move |bundle| {
            if bundle.jurisdiction != home {
                return;
            }
            for member in bundle.members.iter_mut().filter(|member| member.jurisdiction == owner) {
                *target.lock() = member.endpoint.replace(address.clone());
            }
        })
    }

    /// Leads connections that are made from now on to another address, and breaks those that are open.
    pub fn lead_to(&self, address: &str) {
        *self.target.lock() = Some(address.to_owned());
        self.break_connections();
    }

    /// Holds back what the node says from here on, or lets it go.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Breaks all connections that are open now; those that are made afterwards are led on as before.
    pub fn break_connections(&self) {
        self.breaks.send_replace(());
    }

    /// Returns the number of bytes that were sent to the node.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }
}

/// Switches of a relay, as one connection sees them.
struct Held {
    holding: watch::Receiver<bool>,
    broken: watch::Receiver<()>,
}

impl Held {
    /// Waits until nothing is held back. Returns false if the connection was broken before that: what was held back when it
    /// broke must not arrive, even if both are seen at once.
    async fn let_go(&mut self) -> bool {
        self.holding.wait_for(|held| !held).await.is_ok() && self.broken.has_changed().is_ok_and(|broken| !broken)
    }
}

/// One direction of one connection, to its end.
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut held: Option<Held>,
    count: Option<&AtomicU64>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if let Some(held) = &mut held
            && !held.let_go().await
        {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        if let Some(count) = count {
            count.fetch_add(read as u64, Ordering::AcqRel);
        }
    }
    // Whoever is at the other end may have gone already.
    let _ = to.shutdown().await;
}
