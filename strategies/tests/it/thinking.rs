//! How long, and how, a model thinks.

mod effort; // thinking of a wanted length, effort by difficulty
mod structures; // structures of thought, and answers that follow them
