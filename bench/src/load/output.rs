//! What `load` prints: figures, a line each.

use std::io::{self, Write};

use serde::Serialize;

/// Prints one line of JSON at once.
pub(crate) fn say(figures: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, figures)?;
    out.write_all(b"\n")?;
    out.flush()
}
