//! `hone demo`: a simulated provider and a proxy in one process, and a worked comparison of
//! approaches between them.
//!
//! Every figure is measured in this run, through the proxy's own listener. Beside it stands what
//! theory says of the simulated model, so that a reader sees whether the strategies do what they
//! promise: the model's accuracy, its errors and its reliability as a judge are known here.

use std::io::{self, IsTerminal as _, Write};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;
use tokio::time::Instant;

mod args;
mod client;
mod contest;
mod report;
mod stats;

pub use args::DemoArgs;

use crate::commands::Status;
use contest::{Contest, ENTRANTS};

/// Compares the approaches, with progress on standard error, and writes the comparison to `out`.
///
/// # Errors
///
/// When the system refuses threads or a port, or a question is not answered.
pub fn run(args: &DemoArgs, out: &mut (impl Write + Send)) -> io::Result<Status> {
    Runtime::new()?.block_on(compare(args, out))?;
    Ok(Status::Done)
}

async fn compare(args: &DemoArgs, out: &mut (impl Write + Send)) -> io::Result<()> {
    let begun = Instant::now();
    let contest = Contest::start(args.seed, args.accuracy, args.questions.get()).await?;
    let mut rows = Vec::with_capacity(ENTRANTS.len());
    for entrant in ENTRANTS {
        let progress = bar(&entrant.title(), args.questions.get());
        rows.push(contest.run(entrant, || progress.inc(1)).await?);
        progress.finish_and_clear();
    }
    report::preface(args, contest.task(), out)?;
    report::table(&rows, out)?;
    report::notes(contest.task(), begun.elapsed(), out)?;
    contest.stop().await;
    Ok(())
}

/// A bar on standard error, or nothing where nobody looks.
fn bar(title: &str, questions: u32) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(questions.into()).with_message(title.to_owned());
    match ProgressStyle::with_template("{msg:<28} {bar:40} {pos}/{len} questions") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    async fn agrees_with_theory_at(accuracy: f64) {
        let contest = Contest::start(1, accuracy, 300).await.unwrap();
        for entrant in ENTRANTS {
            let row = contest.run(entrant, || {}).await.unwrap();
            let deviation = (row.theory * (1.0 - row.theory) / 300.0).sqrt();
            assert!(
                (row.right.value() - row.theory).abs() <= 4.0 * deviation,
                "{accuracy}: {row:?}"
            );
            assert!(row.calls >= 300 && row.tokens > row.calls, "{row:?}");
        }
        contest.stop().await;
    }

    #[tokio::test]
    async fn the_figures_are_those_of_the_run_and_agree_with_theory_at_every_accuracy() {
        agrees_with_theory_at(0.35).await;
        agrees_with_theory_at(0.6).await;
    }

    #[tokio::test]
    async fn the_report_has_a_line_for_every_approach() {
        let args = DemoArgs {
            seed: 1,
            accuracy: 0.8,
            questions: NonZeroU32::new(5).unwrap(),
        };
        let mut out = Vec::new();
        compare(&args, &mut out).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        for entrant in ENTRANTS {
            assert!(text.contains(&entrant.title()), "{text}");
        }
    }
}
