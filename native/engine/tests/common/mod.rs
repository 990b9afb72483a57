//! The folder of vectors from other projects.

use std::path::PathBuf;

/// A file below `$YBTOKEN_VECTORS` or `../shared/vectors`; `None` if it does not exist, which is
/// printed.
pub fn vectors(file: &str) -> Option<String> {
    let folder = std::env::var_os("YBTOKEN_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(folder.join(file)).ok();
    if text.is_none() {
        eprintln!("skipped: no {file} in {}", folder.display());
    }
    text
}
