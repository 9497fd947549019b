//! Confidence over stretches of an answer, as Fu et al. define it: means over a sliding window, and
//! what is made of them.

use std::collections::VecDeque;

use super::token::mean;

/// The mean of the last so many values, kept as they come.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    size: usize,
    values: VecDeque<f64>,
    sum: f64,
}

impl Window {
    /// A window over `size` values, at least one.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            values: VecDeque::new(),
            sum: 0.0,
        }
    }

    /// Adds the next value. The mean, once the window is full.
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        self.values.push_back(value);
        self.sum += value;
        if self.values.len() > self.size {
            self.sum -= self.values.pop_front().unwrap_or_default();
        }
        (self.values.len() == self.size)
            .then(|| self.sum / f64::from(u32::try_from(self.size).unwrap_or(u32::MAX)))
    }
}

/// The means of all full windows; if there is none, that of everything.
fn groups(confidences: &[f64], window: usize) -> Vec<f64> {
    let mut sliding = Window::new(window);
    let full: Vec<f64> = confidences
        .iter()
        .filter_map(|confidence| sliding.push(*confidence))
        .collect();
    if full.is_empty() {
        mean(confidences.iter().copied()).into_iter().collect()
    } else {
        full
    }
}

/// The least mean over a window. `None` for no tokens.
pub(crate) fn lowest_group(confidences: &[f64], window: usize) -> Option<f64> {
    groups(confidences, window)
        .into_iter()
        .min_by(f64::total_cmp)
}

/// What an answer's confidence is taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// The mean over all tokens.
    Average,
    /// The mean of the lowest tenth of the groups.
    Bottom,
    /// The lowest group.
    Lowest,
    /// The mean of the last window.
    Tail,
}

impl Metric {
    /// The confidence of an answer of these tokens. `None` for no tokens.
    pub(crate) fn of(self, confidences: &[f64], window: usize) -> Option<f64> {
        match self {
            Self::Average => mean(confidences.iter().copied()),
            Self::Lowest => lowest_group(confidences, window),
            Self::Tail => mean(confidences.iter().rev().take(window.max(1)).copied()),
            Self::Bottom => {
                let mut groups = groups(confidences, window);
                groups.sort_by(f64::total_cmp);
                let tenth = groups.len().div_ceil(10);
                mean(groups.into_iter().take(tenth))
            }
        }
    }
}

/// The value below which `percent` of the values lie, between two of them by linear interpolation.
pub(crate) fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = u32::try_from(sorted.len().checked_sub(1)?).ok()?;
    let at = f64::from(last) * percent.clamp(0.0, 100.0) / 100.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a length"
    )]
    let below = at.floor() as usize;
    let low = *sorted.get(below)?;
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    Some(low + (high - low) * at.fract())
}

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50.0)
}
