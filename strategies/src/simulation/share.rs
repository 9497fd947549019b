//! How often something succeeded, and how sure that is.

/// Two-sided 95 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A share of trials that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Those that succeeded.
    pub successes: u32,
    /// All of them.
    pub trials: u32,
}

impl Share {
    /// The share itself; 0 without trials.
    pub fn value(self) -> f64 {
        f64::from(self.successes) / f64::from(self.trials.max(1))
    }

    /// The 95 % score interval of Wilson (JASA 22, 1927): where the true share lies, as far as
    /// these trials tell.
    pub fn interval(self) -> (f64, f64) {
        if self.trials == 0 {
            return (0.0, 1.0);
        }
        let (n, share) = (f64::from(self.trials), self.value());
        let spread = Z * Z / n;
        let middle = share + spread / 2.0;
        let half = Z * (share * (1.0 - share) / n + spread / (4.0 * n)).sqrt();
        (
            (middle - half) / (1.0 + spread),
            (middle + half) / (1.0 + spread),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 5e-4, "{a} is not {b}");
    }

    #[test]
    fn the_interval_is_wilsons() {
        let (low, high) = Share {
            successes: 8,
            trials: 10,
        }
        .interval();
        near(low, 0.4902);
        near(high, 0.9433);
        let (low, high) = Share {
            successes: 0,
            trials: 10,
        }
        .interval();
        near(low, 0.0);
        near(high, 0.2775);
        assert_eq!(
            Share {
                successes: 0,
                trials: 0
            }
            .interval(),
            (0.0, 1.0)
        );
    }
}
