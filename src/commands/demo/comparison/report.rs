//! The table of results.

use std::io::{self, Write};
use std::time::Duration;

use hone_strategies::simulation::{Errors, Reliability, TaskModel};

use super::Comparison;
use hone_strategies::Share;

/// What one approach did, over all questions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// As a client names it.
    pub(super) approach: String,
    /// How many questions were answered right.
    pub(super) right: Share,
    /// What theory says that share should be.
    pub(super) theory: f64,
    /// Calls to the provider, over all questions.
    pub(super) calls: u64,
    /// Tokens of those calls, input and output.
    pub(super) tokens: u64,
    /// From request to answer, over all questions.
    pub(super) waited: Duration,
}

/// Says what is compared.
pub(super) fn preface(
    comparison: Comparison,
    task: &TaskModel,
    out: &mut impl Write,
) -> io::Result<()> {
    let Comparison {
        questions, seed, ..
    } = comparison;
    writeln!(
        out,
        "{questions} questions for each approach, through the proxy, to a simulated model (seed \
            {seed}) that"
    )?;
    writeln!(
        out,
        "  answers right with probability {}; {}",
        task.accuracy,
        errors(task.errors)
    )?;
    let Reliability {
        true_positive,
        false_positive,
    } = task.judge;
    writeln!(
        out,
        "  takes a right candidate for right with probability {true_positive}, a wrong one with \
            {false_positive}"
    )?;
    writeln!(
        out,
        "  makes a right answer of candidates of which one is right with probability {}\n",
        task.synthesis
    )
}

fn errors(errors: Errors) -> String {
    match errors {
        Errors::Scattered => "wrong answers rarely agree".to_owned(),
        Errors::Favourite { share } => {
            format!("a wrong answer is the same one with probability {share}")
        }
    }
}

/// Says how to read the table, and how long it took.
pub(super) fn notes(task: &TaskModel, took: Duration, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\nCalls, tokens (of all calls) and time are means per question. Votes stop as soon as \
            they are decided. Theory is computed"
    )?;
    writeln!(
        out,
        "from the simulated model's probabilities; about one interval in twenty misses it by \
            chance. re2 reads the question"
    )?;
    writeln!(
        out,
        "twice, which cannot help a simulated model: its row is a control."
    )?;
    if prefers_an_error(task) {
        writeln!(
            out,
            "At this accuracy one wrong answer is more frequent than the right one: enough votes \
                would elect it."
        )?;
    }
    writeln!(
        out,
        "\nDone in {:.1} s. Try --accuracy 0.1, or `hone serve` with a provider of your own.",
        took.as_secs_f64()
    )
}

/// Whether one wrong answer is more frequent than the right one.
fn prefers_an_error(task: &TaskModel) -> bool {
    matches!(task.errors,
        Errors::Favourite { share } if (1.0 - task.accuracy) * share > task.accuracy)
}

/// Writes the rows, with everything but accuracy per question.
pub(super) fn table(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let width = rows
        .iter()
        .map(|row| row.approach.len())
        .max()
        .unwrap_or(0)
        .max("approach".len());
    let mut line =
        |approach: &str, [accuracy, interval, theory, calls, tokens, time]: [&str; 6]| {
            writeln!(
                out,
                "{approach:width$}   {accuracy:>8}   {interval:>17}   {theory:>8}   \
                    {calls:>5}   {tokens:>6}   {time:>7}"
            )
        };
    line(
        "approach",
        [
            "accuracy",
            "95 % interval",
            "theory",
            "calls",
            "tokens",
            "time",
        ],
    )?;
    for row in rows {
        let (low, high) = row.right.interval();
        let questions = f64::from(row.right.trials.max(1));
        let cells = [
            percent(row.right.value()),
            format!("{} – {}", percent(low), percent(high)),
            percent(row.theory),
            format!("{:.2}", per(row.calls, questions)),
            format!("{:.0}", per(row.tokens, questions)),
            format!("{:.0} ms", row.waited.as_secs_f64() * 1000.0 / questions),
        ];
        line(&row.approach, cells.each_ref().map(String::as_str))?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// The rows' sums are far below 2^53, where this is exact.
#[expect(
    clippy::cast_precision_loss,
    reason = "a mean that is shown with three digits"
)]
fn per(sum: u64, questions: f64) -> f64 {
    sum as f64 / questions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_prefers_an_error_is_called_that() {
        let model = |accuracy| TaskModel {
            accuracy,
            errors: Errors::Favourite { share: 0.4 },
            ..TaskModel::default()
        };
        assert_eq!(
            [0.28, 0.29, 0.6].map(|accuracy| prefers_an_error(&model(accuracy))),
            [true, false, false]
        );
        assert!(!prefers_an_error(&TaskModel {
            accuracy: 0.1,
            ..TaskModel::default()
        }));
    }

    #[test]
    fn every_line_has_the_width_of_the_head() {
        let row = |approach: &str, right| Row {
            approach: approach.to_owned(),
            right: Share {
                successes: right,
                trials: 1000,
            },
            theory: 0.6,
            calls: 1000,
            tokens: 85_000,
            waited: Duration::from_secs(110),
        };
        let mut out = Vec::new();
        table(
            &[
                row("none", 612),
                row("self_consistency", 1000),
                row("moa", 0),
            ],
            &mut out,
        )
        .unwrap();
        let text = String::from_utf8(out).unwrap();
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(
            widths.iter().all(|width| Some(width) == widths.first()),
            "{text}"
        );
        assert!(text.contains("58.1 % – 64.2 %"), "{text}");
        assert!(text.contains("  110 ms"), "{text}");
    }
}
