//! What crosses from each dialect to each other one, in the words of those whom it went wrong for.

mod ids;
mod requests;
pub(crate) mod streams;
mod tools;
