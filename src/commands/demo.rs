//! `hone demo`: the worked comparison.

mod comparison;

use std::io::{self, Write};
use std::num::NonZeroU32;

use tokio::runtime::Runtime;

use self::comparison::Comparison;
use super::status::Status;

/// Compare approaches on a simulated model: no key, no network.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DemoArgs {
    /// Where all randomness comes from
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How often the simulated model answers right, from 0 to 1
    #[arg(long, default_value_t = 0.6, value_parser = probability, value_name = "P")]
    accuracy: f64,
    /// Questions per approach; the intervals narrow with their square root
    #[arg(long, default_value_t = NonZeroU32::MIN.saturating_add(999), value_name = "N")]
    questions: NonZeroU32,
}

/// Compares the approaches, with progress on standard error, and writes the comparison to `out`.
///
/// # Errors
///
/// When the system refuses threads or a port, or a question is not answered.
pub(super) fn run(args: &DemoArgs, out: &mut (impl Write + Send)) -> io::Result<Status> {
    let comparison = Comparison {
        seed: args.seed,
        accuracy: args.accuracy,
        questions: args.questions,
    };
    let mut progress = io::stderr();
    Runtime::new()?.block_on(comparison.run(&mut progress, out))?;
    Ok(Status::Done)
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
