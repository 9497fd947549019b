//! Texts that are too long to be read at once.

mod contexts; // texts beyond a window, read question by question
mod parts; // what is read in parts
