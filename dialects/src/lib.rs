//! Four dialects of LLM APIs: OpenAI's chat completions and Responses, Anthropic's Messages and
//! Google's `generateContent`.
//!
//! A [`Codec`] reads and writes one of them; [`codec`] gives it by its [`Dialect`]. All four meet
//! in one middle form, chat as `hone_strategies::chat` has it, so that there are four codecs and
//! no pairs of them:
//!
//! ```text
//! client's bytes ── decode_request ──► ChatRequest ── encode_request ──► upstream's bytes
//! client's bytes ◄── encode_answer ─── Completion ◄── decode_answer ─── upstream's bytes
//!                ◄── StreamEncoder ─── Chunk, Delta ◄── StreamDecoder ──
//! ```
//!
//! What chat cannot say rides beside it in typed fields. A [`Message`] knows its [`Native`] blocks,
//! and loses them as soon as somebody changes what it says; a [`ChatRequest`] has its [`Origin`].
//! Both go out again only in their own dialect. Each part of a request has one of three ends where
//! it leaves its dialect: it is carried; or it is left out and named in [`Losses`]; or the request
//! is refused by a [`Refusal`], with the part's path in the client's own spelling.
//!
//! Nothing here does I/O, looks at a clock or draws a random number: ids are made from a seed
//! ([`marks::Minter`]), times come by argument. Bodies are hostile. Nothing panics, what is held
//! back is bounded, and who holds a body counts [`request_weight`] first.
//!
//! ```
//! use hone_dialects::{Dialect, Route, codec};
//!
//! let body = br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
//! let request = codec(Dialect::Anthropic)
//!     .decode_request(body, &Route::default())
//!     .unwrap();
//! assert_eq!(request.messages()[0].text(), "Hi");
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | `codec`, `port` | the four by name, and what each can do |
//! | `anthropic`, `chat`, `gemini`, `responses` | the dialects |
//! | `leave` | what every request goes through on its way out |
//! | `functions` | tools as functions, and calls as the client made them |
//! | [`blocks`] | puts a stream's additions in order |
//! | [`steps`] | calls and their results |
//! | [`stops`] | cuts an answer where the upstream is not told to |
//! | [`tables`] | what corresponds to what: finish reasons, usage, efforts, errors |
//! | [`wire`] | JSON and `text/event-stream` |
//! | `shape` | what all codecs are given and give |
//! | [`marks`] | ids, names of tools, envelopes |
//!
//! [`Message`]: hone_strategies::chat::Message
//! [`Native`]: hone_strategies::chat::Native
//! [`Origin`]: hone_strategies::chat::Origin
//! [`ChatRequest`]: hone_strategies::chat::ChatRequest

mod anthropic;
pub mod blocks;
mod chat;
mod codec;
mod functions;
mod gemini;
mod leave;
pub mod marks;
mod port;
mod responses;
mod shape;
pub mod steps;
pub mod stops;
pub mod tables;
pub mod wire;

pub use codec::{codec, request_weight};
pub use hone_strategies::chat::Dialect;
pub use port::{Codec, Model, Route};
pub use shape::{
    Encoded, Ending, ErrorReply, Event, Frame, Losses, Overflow, ReasoningField, Refusal, Settings,
    Source, Spoken, StreamDecoder, StreamEncoder, SystemForm, Target, ThinkingForm,
};
