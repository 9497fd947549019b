//! `hone demo`: a simulated provider and a proxy in one process, and a worked comparison of
//! approaches between them.
//!
//! Every figure is measured in this run, through the proxy's own listener. Beside it stands what
//! theory says of the simulated model, so that a reader sees whether the strategies do what they
//! promise: the model's accuracy, its errors and its reliability as a judge are known here.

use std::io::{self, IsTerminal as _, Write};
use std::num::NonZeroU32;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

mod client;
mod contest;
mod report;
mod stats;

use contest::{Contest, ENTRANTS};

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    /// Where all randomness comes from.
    pub(crate) seed: u64,
    /// How often the simulated model answers right, from 0 to 1.
    pub(crate) accuracy: f64,
    /// Questions for each approach.
    pub(crate) questions: NonZeroU32,
}

impl Comparison {
    /// Compares the approaches, tells `progress` what it does, and writes the comparison to `out`.
    /// At a terminal a bar on standard error shows how far each approach is.
    ///
    /// # Errors
    ///
    /// When the system refuses a port, or a question is not answered.
    pub(crate) async fn run(
        self,
        progress: &mut (impl Write + Send),
        out: &mut (impl Write + Send),
    ) -> io::Result<()> {
        let begun = Instant::now();
        let (approaches, questions) = (ENTRANTS.len(), self.questions);
        writeln!(
            progress,
            "A simulated provider and a proxy start in this process. Each of {approaches} \
             approaches is asked {questions} questions."
        )?;
        let contest = Contest::start(self.seed, self.accuracy, self.questions.get()).await?;
        let mut rows = Vec::with_capacity(ENTRANTS.len());
        for (entrant, number) in ENTRANTS.iter().zip(1..) {
            let bar = bar(&entrant.title(), self.questions.get());
            let row = contest.run(entrant, || bar.inc(1)).await?;
            bar.finish_and_clear();
            let right = row.right.value();
            let title = entrant.title();
            writeln!(progress, "{number}/{approaches} {title}: {right:.3} right")?;
            rows.push(row);
        }
        report::preface(self, contest.task(), out)?;
        report::table(&rows, out)?;
        report::notes(contest.task(), begun.elapsed(), out)?;
        contest.stop().await;
        Ok(())
    }
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
        let comparison = Comparison {
            seed: 1,
            accuracy: 0.8,
            questions: NonZeroU32::new(5).unwrap(),
        };
        let mut out = Vec::new();
        let mut progress = Vec::new();
        comparison.run(&mut progress, &mut out).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        let progress = String::from_utf8(progress).unwrap();
        assert_eq!(progress.lines().count(), 1 + ENTRANTS.len(), "{progress}");
        for entrant in ENTRANTS {
            assert!(text.contains(&entrant.title()), "{text}");
            assert!(progress.contains(&entrant.title()), "{progress}");
        }
    }
}
