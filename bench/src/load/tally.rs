//! What was measured, as one JSON object. Times are microseconds.

use std::io;
use std::time::Duration;

use serde::Serialize;

/// Durations of which two quantiles are wanted.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The median and the 99th percentile: the smallest time that at least so many are not above.
    /// Zero without times.
    pub(crate) fn quantiles(mut self) -> Quantiles {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let index = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
            self.0
                .get(index)
                .map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        Quantiles {
            p50_us: at(50),
            p99_us: at(99),
        }
    }
}

/// Two quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    p50_us: f64,
    p99_us: f64,
}

/// What one or several senders saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) times: Times,
    failures: u64,
    first_failure: Option<String>,
}

impl Tally {
    pub(crate) fn fail(&mut self, error: &io::Error) {
        self.failures += 1;
        self.first_failure.get_or_insert_with(|| error.to_string());
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.times.append(other.times);
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    /// What is printed: requests answered with 200, and the others. `seconds` is what all of it
    /// took.
    pub(crate) fn report(self, seconds: Duration) -> Report {
        let requests = self.times.len();
        let (failures, first_failure) = (self.failures, self.first_failure);
        Report {
            requests,
            seconds: seconds.as_secs_f64(),
            latency: self.times.quantiles(),
            failures,
            first_failure,
        }
    }
}

/// A load of whole answers.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    requests: usize,
    seconds: f64,
    latency: Quantiles,
    failures: u64,
    first_failure: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_occurred() {
        let mut times = Times::default();
        for millis in (1..=200).rev() {
            times.push(Duration::from_millis(millis));
        }
        assert_eq!(
            times.quantiles(),
            Quantiles {
                p50_us: 100_000.0,
                p99_us: 198_000.0
            }
        );
        assert_eq!(
            Times(vec![Duration::from_micros(7)]).quantiles(),
            Quantiles {
                p50_us: 7.0,
                p99_us: 7.0
            }
        );
        assert_eq!(
            Times::default().quantiles(),
            Quantiles {
                p50_us: 0.0,
                p99_us: 0.0
            }
        );
    }

    #[test]
    fn a_report_counts_failures_apart_and_keeps_the_first() {
        let (mut one, mut two) = (Tally::default(), Tally::default());
        one.times.push(Duration::from_micros(3));
        two.fail(&io::Error::other("status 503"));
        two.fail(&io::Error::other("status 500"));
        one.append(two);
        let report = one.report(Duration::from_secs(2));
        assert_eq!(
            (
                report.requests,
                report.failures,
                report.first_failure.as_deref()
            ),
            (1, 2, Some("status 503"))
        );
    }
}
