//! How two ways to answer are compared: at equal spend, with what chance would have done.
//!
//! [`between`] says how many votes a spend buys, [`bootstrap`] how sure a difference is, [`holm`]
//! what is left of that where several were looked at, and [`discrimination`] how well a signal
//! tells right answers from wrong ones.

mod bootstrap;
mod curve;
mod holm;
mod signal;

pub(crate) use bootstrap::{Draws, Estimate, RESAMPLES, bootstrap};
pub(crate) use curve::between;
pub(crate) use holm::holm;
pub(crate) use signal::{Discrimination, discrimination, mean_discrimination};

/// How many, as a figure to calculate with.
pub(crate) fn count(items: usize) -> f64 {
    u32::try_from(items).unwrap_or(u32::MAX).into()
}

/// The mean of `figures`; 0 without any.
pub(crate) fn mean(figures: impl ExactSizeIterator<Item = f64>) -> f64 {
    let all = count(figures.len().max(1));
    figures.sum::<f64>() / all
}
