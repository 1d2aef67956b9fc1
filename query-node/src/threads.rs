//! Threads that a node runs on.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Stack of each thread, in bytes. The engine calls itself for each level of an expression, while it plans and for each
/// batch of rows, and a level takes up to 20 KB in a build without optimisation; a stack that ends takes the whole process
/// with it. So there is room for several times the deepest expression that the rules allow
/// (`wanqu_rules::catalog`). Pages are made as they are used.
const STACK: usize = 64 << 20;

/// Returns the runtime of a node. Its threads have this name.
///
/// # Errors
/// If the system gives no threads.
pub fn runtime(name: &str) -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_name(name).thread_stack_size(STACK).build()
}
