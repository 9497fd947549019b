//! `[bounds]`: what holds between its keys.

use crate::config::Bounds;
use crate::config::error::wrong;
use crate::config::file::Section;

/// The bounds; without a section, the defaults.
pub(super) fn bounds(section: Option<Section<'_>>) -> Bounds {
    let Some(mut section) = section else {
        return Bounds::default();
    };
    let share_is_written = section.has("tenant_buffered_bytes");
    let mut bounds = Bounds::read(&mut section);
    if !share_is_written {
        // One tenant must not take all of it, and must be able to send the largest body.
        bounds.tenant_buffered_bytes = (bounds.buffered_bytes / 8).max(bounds.body_bytes);
    }
    let holds_a_body = [
        ("buffered_bytes", bounds.buffered_bytes, "the"),
        (
            "tenant_buffered_bytes",
            bounds.tenant_buffered_bytes,
            "a tenant's",
        ),
    ];
    for (key, bytes, whose) in holds_a_body {
        if bytes < bounds.body_bytes {
            let what = format!("is less than one body ({} bytes)", bounds.body_bytes);
            let right = format!(
                "write at least bounds.body_bytes, or {whose} largest body could never be read"
            );
            section.wrong(key, wrong(what, right));
        }
    }
    section.finish();
    bounds
}
