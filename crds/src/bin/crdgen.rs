//! Writes the definitions of all kinds to `crds/yaml`, one file each: `cargo run -p wanqu-crds --bin crdgen`.

use std::path::Path;
use std::{fs, io};

use wanqu_crds::kinds::definitions;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    fs::create_dir_all(&folder)?;
    for definition in definitions() {
        let path = folder.join(definition.file_name());
        fs::write(&path, definition.to_yaml())?;
        println!("{}", path.display());
    }
    Ok(())
}
