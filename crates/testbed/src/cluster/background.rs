//! Work that goes on beside the test, on a thread with a runtime of its own: the test's may end, or be busy.

use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// Such work, until this is dropped.
#[derive(Debug)]
pub(super) struct Background {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts a thread, lets it `enter` where it works, and returns when it has, or has failed to.
    pub(super) fn start<W: Future<Output = ()>>(
        enter: impl FnOnce() -> std::io::Result<()> + Send + 'static,
        work: impl FnOnce() -> W + Send + 'static,
    ) -> std::io::Result<Self> {
        let (end, ended) = oneshot::channel::<()>();
        let (entering, entered) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = enter().and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
            match runtime {
                Ok(runtime) => {
                    let _ = entering.send(Ok(()));
                    runtime.block_on(async {
                        tokio::select! {
                            () = work() => {}
                            _ = ended => {}
                        }
                    });
                }
                Err(error) => {
                    let _ = entering.send(Err(error));
                }
            }
        });
        entered.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread ended")))?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic of its own could leave broken.
            let _ = thread.join();
        }
    }
}
