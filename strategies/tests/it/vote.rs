//! Votes.

mod measured; // what was measured of a model weighs and ends its votes
mod programs; // programs that vote with texts
mod stopping; // what stopping a vote early saves and costs
mod voting; // what is the same answer, when a vote is decided
mod weights; // what votes weigh by how sure the model was
