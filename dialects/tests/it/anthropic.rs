//! Anthropic's Messages, both ways.

mod answers; // whole answers
mod caches; // what is marked for the provider's cache
mod ends; // what an answer's end says beside the reason
mod omitted; // thinking that goes back and is not shown
mod requests; // what becomes of requests
mod streams; // streams, read and written
mod thinking; // what is asked of it, and what goes with it
mod versions; // the API's version, trials, steps and changes of tools
