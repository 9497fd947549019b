//! What all codecs have in common: what they are given, what they give, and how they refuse.

mod error;
mod frame;
mod losses;
mod refusal;
mod stream;
mod target;

pub use error::{ErrorReply, Overflow, Spoken};
pub use frame::{Ending, Frame, Source};
pub use losses::Losses;
pub use refusal::Refusal;
pub use stream::{Event, StreamDecoder, StreamEncoder};
pub use target::{Encoded, ReasoningField, Settings, SystemForm, Target, ThinkingForm};
