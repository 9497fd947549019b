//! How much is read at once, and how much of it is kept.

/// Parts read at the same time.
pub(super) const AT_ONCE: usize = 32;

/// How much of what is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Tokens of a record.
    pub(super) record: usize,
    /// Bytes of all records in one call.
    pub(super) room: usize,
    /// Tokens of a summary.
    pub(super) summary: usize,
    /// Parts on either side whose summaries are told.
    pub(super) neighbours: usize,
}
