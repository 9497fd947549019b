//! Makes `docs/approaches.md`: every strategy on a simulated model, beside a vote that costs as
//! much.
//!
//! ```sh
//! cargo run --release -p hone-strategies --example proof -- measure > docs/approaches.jsonl        # all: half an hour
//! cargo run --release -p hone-strategies --example proof -- measure bon >> docs/approaches.jsonl   # a new one, or one again
//! cargo run --release -p hone-strategies --example proof -- page docs/approaches.jsonl > docs/approaches.md
//! ```
//!
//! Everything runs in virtual time and follows from seeds, so the same code makes the same file.
//! The last measurement of a strategy counts.

use std::error::Error;
use std::io::{self, Write};

mod measure;
mod page;
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
        ["page", path] => page(&std::fs::read_to_string(path)?),
        _ => Err("expected `measure [SLUG…]` or `page FILE`".into()),
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

fn page(text: &str) -> Result<(), Box<dyn Error>> {
    let measured: Vec<Row> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let rows: Vec<(&str, Option<&Row>)> = STRATEGIES
        .iter()
        .map(|entry| {
            (
                entry.slug,
                measured.iter().rev().find(|row| row.slug == entry.slug),
            )
        })
        .collect();
    page::write(&rows, &mut io::stdout().lock())?;
    Ok(())
}
