//! Streams, read and written piece by piece.

use hone_strategies::chat::{Chunk, Delta};

use super::error::ErrorReply;
use super::frame::Ending;

/// What an upstream's stream says.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something is added to the answer.
    Chunk(Chunk),
    /// The upstream failed, or broke off. Nothing follows.
    Failed(ErrorReply),
    /// The answer is whole. Nothing follows.
    Done,
}

/// Reads an upstream's stream. However the bytes are cut, the events are the same.
pub trait StreamDecoder: Send {
    /// What `bytes` complete. Nothing comes after [`Event::Failed`] or [`Event::Done`].
    fn push(&mut self, bytes: &[u8]) -> Vec<Event>;

    /// What the end of the body means: the rest of the answer and [`Event::Done`] if it is whole,
    /// [`Event::Failed`] if it is not.
    fn finish(&mut self) -> Vec<Event>;
}

/// Writes a stream for a client. What is returned is to be sent at once; it may be empty.
///
/// [`Self::begin`] comes first and once, then deltas and beats, then [`Self::end`] or
/// [`Self::fail`]. A beat may come before all. After an end nothing is written any more.
pub trait StreamEncoder: Send {
    /// The head of the answer.
    fn begin(&mut self) -> String;

    /// An addition to the choice number `choice`.
    fn delta(&mut self, choice: u32, delta: &Delta) -> String;

    /// A sign of life.
    fn beat(&mut self) -> String;

    /// The end of an answer that is whole.
    fn end(&mut self, ending: &Ending) -> String;

    /// The end of an answer that will never be whole.
    fn fail(&mut self, error: &ErrorReply) -> String;
}
