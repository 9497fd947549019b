//! `[bounds]`: what holds between its keys.

use crate::config::Bounds;
use crate::config::error::wrong;
use crate::config::file::Section;

/// The bounds; without a section, the defaults. Those of memory are smaller where the process has
/// no more than `memory`.
pub(super) fn bounds(section: Option<Section<'_>>, memory: Option<u64>) -> Bounds {
    let Some(mut section) = section else {
        let mut bounds = Bounds::default();
        fit(&mut bounds, memory);
        share(&mut bounds);
        return bounds;
    };
    let share_is_written = section.has("tenant_buffered_bytes");
    let [all_is_written, body_is_written] =
        ["buffered_bytes", "body_bytes"].map(|key| section.has(key));
    let mut bounds = Bounds::read(&mut section);
    // What the operator has written holds, whatever the container has.
    if !all_is_written {
        let written = bounds.body_bytes;
        fit(&mut bounds, memory);
        if body_is_written {
            bounds.body_bytes = written;
            bounds.buffered_bytes = bounds.buffered_bytes.max(written);
        }
    }
    if !share_is_written {
        share(&mut bounds);
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

/// Takes half of the memory that there is, and no body larger than a quarter of that.
fn fit(bounds: &mut Bounds, memory: Option<u64>) {
    let half = memory.map_or(usize::MAX, |memory| {
        usize::try_from(memory / 2).unwrap_or(usize::MAX)
    });
    bounds.buffered_bytes = bounds.buffered_bytes.min(half);
    bounds.body_bytes = bounds.body_bytes.min(bounds.buffered_bytes / 4);
}

/// One tenant must not take all of it, and must be able to send the largest body.
fn share(bounds: &mut Bounds) {
    bounds.tenant_buffered_bytes = (bounds.buffered_bytes / 8).max(bounds.body_bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn sizes(memory: u64) -> [usize; 3] {
        let bounds = bounds(None, Some(memory * MIB as u64));
        [
            bounds.buffered_bytes / MIB,
            bounds.body_bytes / MIB,
            bounds.tenant_buffered_bytes / MIB,
        ]
    }

    #[test]
    fn without_a_word_half_of_the_container_is_for_bodies() {
        assert_eq!(sizes(512), [256, 64, 64]);
        assert_eq!(sizes(128), [64, 16, 16]);
        assert_eq!(sizes(1024), [512, 64, 64]);
        assert_eq!(
            sizes(64 * 1024),
            [1024, 64, 128],
            "no more than without one"
        );
        assert_eq!(bounds(None, None).table(), Bounds::default().table());
    }
}
