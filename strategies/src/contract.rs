//! Output contracts: the exact lines in which our prompts ask a model for machine-readable output.
//!
//! Every prompt that wants such output includes one of these lines verbatim, and the parser of that output reads that form. A simulated model recognises
//! what is asked of it by these lines and never by the prose around them, so prompts may be reworded freely.

/// Asks for a rating: the last line of a judge's reply.
pub const SCORE: &str = "Score: <number from 0 to 10>";

/// Asks for a choice between numbered candidates: the last line of a judge's reply.
pub const BEST_CANDIDATE: &str = "Best candidate: <number>";

/// Asks a sampler to delimit its answer: the last line of a candidate.
pub const FINAL_ANSWER: &str = "Final answer: <answer>";

/// Asks for an answer made from numbered candidates, with their weaknesses weighed in the same reply.
pub const SYNTHESIS: &str = "Reply with the improved answer itself.";

/// Asks for a criticism of one candidate.
pub const CRITIQUE: &str = "Reply with the critique itself.";
