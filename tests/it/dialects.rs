//! Clients and upstreams of four dialects, in every combination.

mod approaches;
mod bytes;
mod counts; // of tokens, without an answer
mod crossing;
mod errors;
mod fallback; // what the operator's key serves of the dialects' bodies
mod google; // clients of Google's API, forwarded as they are
mod google_keys; // their keys in the query pay, and nobody sees them
mod google_usage; // what they are charged, and what they reserve
mod kept; // what providers keep, and hone does not
mod learnt;
mod lists; // of models, in the form of whoever asks
mod slots; // where a key goes to an upstream of each dialect, and what a rejected one counts
mod speak;
mod translated;
