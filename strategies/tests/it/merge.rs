//! Answers made from answers.

mod agents; // mars: verifying, improving, stopping
mod improving; // moa, rsa, pdr: what each step sees
