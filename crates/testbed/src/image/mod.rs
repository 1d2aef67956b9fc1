//! Images without a registry.
//!
//! ```text
//! build(Dockerfile, programs)   the project's own image, by buildah, from programs that are built already
//! archive(folder)               a folder as an image
//!      └─▶ FILE.tar ─▶ Cluster::import
//! ```

mod archive;
mod dockerfile;
mod roots;

pub use archive::archive;
pub use dockerfile::build;
pub(crate) use roots::busybox;

/// The image of the small tools of a shell, which every cluster has: `busybox`, statically linked.
pub const BUSYBOX: &str = "localhost/wanqu-testbed/busybox:1";
