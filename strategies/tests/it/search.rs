//! Searches among plans or steps.

mod observations; // plansearch: observations, plans, and what is made of them
mod planning; // cepo: plans, steps, ratings
mod trees; // mcts, rstar: trees of answers
