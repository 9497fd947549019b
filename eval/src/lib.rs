//! Does an approach help on this data, and what does it cost?
//!
//! Every question goes to every model with every approach, and every answer is kept in a journal as
//! it comes. Then plain samples are drawn for the baseline, as many as the most expensive approach
//! could have bought. The reports say nothing that the journal does not.

mod baseline;
mod dataset;
mod endpoint;
mod evaluation;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grade;
mod journal;
mod judge;
mod prices;
mod report;
mod results;
mod runner;
mod settings;
mod stats;
mod summary;
mod table;

pub use endpoint::{Endpoint, Reply};
pub use evaluation::Evaluation;
pub use grade::Kind;
pub use prices::{Budget, Price, Prices};
pub use runner::Stopped;
pub use settings::{EndpointFacts, Entrant, Settings};
