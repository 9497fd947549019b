//! How long, and how, a model thinks.

mod effort; // thinking of a wanted length, effort by difficulty
mod shortest; // the shortest thinking of several
mod structures; // structures of thought, and answers that follow them
