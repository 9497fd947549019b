//! A stream of HTTP/2 that stands still holds up no other, in either direction.

mod connections; // more of them when one is full
mod readers; // answers that are not read, from an upstream
mod uploads; // those that wait for their turn, from a client
