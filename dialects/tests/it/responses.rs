//! OpenAI's Responses, both ways.

mod additional; // tools that stand in the conversation
mod answers; // whole answers
mod codex; // what Codex sends
mod kept; // what only a provider keeps
mod reading; // streams, read from upstreams
mod reasoning; // reasoning that comes back
mod requests; // what becomes of requests
mod tools; // tools, calls and results
mod upstream; // streams as an upstream sends them
mod writing; // streams, written for clients
