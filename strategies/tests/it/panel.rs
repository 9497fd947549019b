//! Strategies that may ask several models.

mod models; // who is asked, and what becomes of who fails
mod sureness; // who spends more only where a first answer is unsure
