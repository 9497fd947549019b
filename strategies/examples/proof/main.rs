//! Makes `docs/approaches.md` and its plot: every strategy on a simulated model, beside a vote that
//! costs as much.
//!
//! ```sh
//! proof() { cargo run --release -p hone-strategies --example proof -- "$@"; }
//! proof measure > docs/approaches.jsonl        # all: half an hour
//! proof measure bon >> docs/approaches.jsonl   # a new one, or one again
//! proof page docs/approaches.jsonl > docs/approaches.md
//! proof plot docs/approaches.jsonl > docs/approaches.svg
//! ```
//!
//! Everything runs in virtual time and follows from seeds, so the same code makes the same file.
//! The last measurement of a strategy counts.

use std::error::Error;
use std::io::{self, Write};

mod measure;
mod page;
mod plot;
mod ranking;
mod setting;
mod solver;

use hone_strategies::STRATEGIES;
use measure::{Bench, Row};
use setting::Setting;

/// Questions for each figure.
const QUESTIONS: u32 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["measure", slugs @ ..] => measure(slugs),
        ["page", path] => {
            let measured = read(&std::fs::read_to_string(path)?)?;
            Ok(page::write(&by_slug(&measured), &mut io::stdout().lock())?)
        }
        ["plot", path] => {
            let measured = read(&std::fs::read_to_string(path)?)?;
            let rows = page::simulated(&by_slug(&measured));
            Ok(plot::write(&rows, &mut io::stdout().lock())?)
        }
        _ => Err("expected `measure [SLUG…]`, `page FILE` or `plot FILE`".into()),
    }
}

/// A line for each strategy, as soon as it is measured.
fn measure(slugs: &[&str]) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    let benches: Vec<Bench> = Setting::all().into_iter().map(Bench::new).collect();
    for entry in STRATEGIES
        .iter()
        .filter(|entry| slugs.is_empty() || slugs.contains(&entry.slug))
    {
        let row = runtime.block_on(Row::measure(entry, &benches))?;
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, &row)?;
        writeln!(out)?;
    }
    Ok(())
}

/// The measurements in a file, a JSON object a line.
fn read(text: &str) -> serde_json::Result<Vec<Row>> {
    text.lines().map(serde_json::from_str).collect()
}

/// The last measurement of each strategy, in the catalogue's order.
fn by_slug(measured: &[Row]) -> Vec<(&'static str, Option<&Row>)> {
    STRATEGIES
        .iter()
        .map(|entry| {
            let last = measured.iter().rev().find(|row| row.slug == entry.slug);
            (entry.slug, last)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURED: &str = include_str!("../../../docs/approaches.jsonl");

    #[test]
    fn page_and_plot_are_what_the_measurements_make() {
        let measured = read(MEASURED).unwrap();
        let rows = by_slug(&measured);
        let (mut page, mut plot) = (Vec::new(), Vec::new());
        page::write(&rows, &mut page).unwrap();
        plot::write(&page::simulated(&rows), &mut plot).unwrap();
        for (made, kept, name) in [
            (page, include_str!("../../../docs/approaches.md"), "page"),
            (plot, include_str!("../../../docs/approaches.svg"), "plot"),
        ] {
            let made = String::from_utf8(made).unwrap();
            let differs = made.lines().zip(kept.lines()).find(|(a, b)| a != b);
            assert!(made == kept, "make the {name} again: {differs:?}");
        }
    }
}
