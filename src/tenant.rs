//! Who is calling, and whose key pays.

pub mod digest;

pub use digest::KeyDigest;
