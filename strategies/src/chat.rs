//! OpenAI-shaped chat types that keep what they do not know.
//!
//! A request that is parsed and written again says the same: unknown fields, their order and every
//! message part survive. Messages are shared, so that n candidates cost one prompt in memory.
//! Nothing here judges content; only what hone itself reads is checked.

mod completion;
mod count;
mod counter;
mod delta;
mod document;
mod ending;
mod error;
mod foreign;
mod lenient;
mod logprobs;
mod memory;
mod merge;
mod message;
mod reported;
mod request;
mod settle;
mod text;
mod usage;
pub mod view;
mod weight;

pub(crate) use completion::keep_content;
pub use completion::{Choice, Completion, content_beside};
pub use count::count;
pub use counter::TokenCounter;
pub use delta::{Added, Assembler, Chunk, ChunkChoice, Delta, Kept, WrittenChunk};
pub use document::{Failure, Said, whole};
pub use ending::{Ending, Progress, Stop};
pub use error::ChatError;
pub use foreign::{Dialect, End, Fate, Native, Origin, Wishes};
pub use lenient::mended;
pub use logprobs::Logprobs;
pub(crate) use logprobs::Shown;
pub use memory::{Held, Memory};
pub use message::Message;
pub use reported::Reported;
pub use request::{Attachment, ChatRequest, Segments};
pub use settle::{MOST_TOKENS, Written, is_possible, settle, settle_cut, written_tokens};
pub use text::{is_text_name, members_text_bytes, text_bytes, tokens_of_bytes};
pub use usage::{Usage, UsageReport};
pub use weight::Weighing;
pub use weight::weight;
