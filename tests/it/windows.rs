//! A stream of HTTP/2 that stands still holds up no other stream of its connection, in either
//! direction.

mod uploads; // those that wait for their turn
