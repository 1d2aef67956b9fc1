//! Writes what follows from the types of all kinds, wherever the repository keeps it: `cargo run -p wanqu-crds --bin crdgen`.

use std::path::Path;
use std::{fs, io};

use wanqu_crds::generated::files;

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, content) in files() {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content)?;
        println!("{}", path.display());
    }
    Ok(())
}
