//! `hone demo` on the command line.

use std::num::NonZeroU32;

/// Compare approaches on a simulated model: no key, no network.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Where all randomness comes from
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How often the simulated model answers right, from 0 to 1
    #[arg(long, default_value_t = 0.6, value_parser = probability, value_name = "P")]
    pub accuracy: f64,
    /// Questions per approach; the intervals narrow with their square root
    #[arg(long, default_value_t = NonZeroU32::MIN.saturating_add(999), value_name = "N")]
    pub questions: NonZeroU32,
}

fn probability(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=1.0).contains(&number) {
        Ok(number)
    } else {
        Err("expected a number from 0 to 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::probability;

    #[test]
    fn an_accuracy_is_a_probability() {
        assert_eq!(probability("0.25"), Ok(0.25));
        for text in ["-0.1", "1.1", "NaN", "half"] {
            assert!(probability(text).is_err(), "{text}");
        }
    }
}
