//! Who is calling, and whose key pays.

pub mod digest;
pub mod slots;

pub use digest::KeyDigest;
pub use slots::{SlotError, Slots};
