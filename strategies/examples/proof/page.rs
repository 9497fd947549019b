//! The page.

use std::io::{self, Write};

use crate::QUESTIONS;
use crate::measure::{Figure, Row};
use crate::setting::{ACCURACIES, JUDGE, JUDGED_AT, Setting, Table};

const PREFACE: &str = include_str!("preface.md");

/// Writes the tables, with what they rest on and what they come to. A strategy without a row is
/// said to have none.
pub(crate) fn write(all: &[(&str, Option<&Row>)], out: &mut impl Write) -> io::Result<()> {
    preface(out)?;
    let rows: Vec<&Row> = all
        .iter()
        .filter_map(|(_, row)| *row)
        .filter(|row| row.refused.is_none())
        .collect();
    for (table, title) in [
        (Table::Independent, "Errors are independent"),
        (Table::Systematic, "Errors are systematic"),
    ] {
        writeln!(out, "\n## {title}\n")?;
        main_table(all, table, out)?;
    }
    writeln!(
        out,
        "\n## What the judge is worth\n\nSystematic errors, one answer right in {JUDGED_AT}.\n"
    )?;
    judges(&rows, out)?;
    conclusion(&rows, out)
}

fn preface(out: &mut impl Write) -> io::Result<()> {
    let task = Setting::task(Table::Independent, JUDGED_AT);
    let separation = task
        .confidence
        .and_then(|confidence| confidence.separation())
        .unwrap_or(0.5);
    let filled = PREFACE
        .replace("{questions}", &QUESTIONS.to_string())
        .replace(
            "{deviation}",
            &format!("{:.1}", 100.0 * 0.5 / f64::from(QUESTIONS).sqrt()),
        )
        .replace("{true_positive}", &JUDGE.true_positive.to_string())
        .replace("{false_positive}", &JUDGE.false_positive.to_string())
        .replace("{synthesis}", &task.synthesis.to_string())
        .replace("{revision}", &task.revision.to_string())
        .replace("{formulation}", &task.formulation.to_string())
        .replace("{separation}", &format!("{separation:.2}"))
        .replace(
            "{words}",
            &format!("{} to {}", task.words.least, task.words.most),
        );
    out.write_all(filled.as_bytes())
}

fn main_table(rows: &[(&str, Option<&Row>)], table: Table, out: &mut impl Write) -> io::Result<()> {
    write!(out, "| approach | calls | depth | tokens |")?;
    for accuracy in ACCURACIES {
        write!(out, " p = {accuracy} | vote (k) |")?;
    }
    writeln!(
        out,
        "\n|---|--:|--:|--:|{}",
        "--:|--:|".repeat(ACCURACIES.len())
    )?;
    for (slug, row) in rows {
        let refused = match row {
            None => Some("not measured yet".to_owned()),
            Some(row) => row
                .refused
                .as_ref()
                .map(|refused| format!("not simulated: needs {refused}")),
        };
        if let Some(refused) = refused {
            writeln!(
                out,
                "| `{slug}` | {refused} |{}",
                " |".repeat(2 + 2 * ACCURACIES.len())
            )?;
            continue;
        }
        let Some(row) = row else { continue };
        let figures: Vec<&Figure> = row
            .figures
            .iter()
            .filter(|figure| figure.table == table)
            .collect();
        let Some(middle) = figures.get(1) else {
            continue;
        };
        write!(
            out,
            "| `{}` | {:.1} | {:.1} | {:.0} |",
            row.slug, middle.calls, row.depth, middle.tokens
        )?;
        for figure in figures {
            let more = if figure.is_capped { "+" } else { "" };
            write!(
                out,
                " {} | {:.1} ({}{more}) |",
                accuracy(figure),
                100.0 * figure.vote,
                figure.samples
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn judges(rows: &[&Row], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "| approach | a blind one | the one above | a perfect one |\n|---|--:|--:|--:|"
    )?;
    for row in rows {
        let at = |table: Table| {
            row.figures
                .iter()
                .find(|figure| figure.table == table && same(figure.base, JUDGED_AT))
        };
        let [Some(blind), Some(above), Some(perfect)] =
            [Table::Blind, Table::Systematic, Table::Perfect].map(at)
        else {
            continue;
        };
        // Without a judge the three would be the same figure three times.
        if (perfect.accuracy - blind.accuracy).abs()
            > 3.0 * deviation(perfect.accuracy, blind.accuracy)
        {
            writeln!(
                out,
                "| `{}` | {} | {} | {} |",
                row.slug,
                accuracy(blind),
                accuracy(above),
                accuracy(perfect)
            )?;
        }
    }
    Ok(())
}

fn conclusion(rows: &[&Row], out: &mut impl Write) -> io::Result<()> {
    let list = |of: &dyn Fn(&Row) -> bool| {
        rows.iter()
            .filter(|row| of(row))
            .map(|row| format!("`{}`", row.slug))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let judged = |figure: &&Figure| matches!(figure.table, Table::Independent | Table::Systematic);
    let pays_somewhere = |row: &Row| row.figures.iter().filter(judged).any(pays);
    let helps = |row: &Row| {
        row.figures.iter().filter(judged).any(|figure| {
            figure.accuracy - figure.base > 3.0 * deviation(figure.accuracy, figure.base)
        })
    };
    writeln!(out, "\n## What it comes to\n")?;
    writeln!(
        out,
        "- Beat the vote that costs as much and one answer, somewhere in the first two tables: {}.",
        list(&pays_somewhere)
    )?;
    writeln!(
        out,
        "- Beat one answer somewhere, but there never the vote: {}. A vote is the better buy where \
            answers can be compared;",
        list(&|row| helps(row) && !pays_somewhere(row))
    )?;
    writeln!(
        out,
        "  these are for answers that cannot, or for what this model does not show."
    )?;
    writeln!(
        out,
        "- Beat one answer nowhere: {}.",
        list(&|row| !helps(row))
    )?;
    let degraded: Vec<String> = rows
        .iter()
        .filter(|row| !row.degraded.is_empty())
        .map(|row| {
            format!(
                "`{}` ({})",
                row.slug,
                row.degraded.iter().cloned().collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    if !degraded.is_empty() {
        writeln!(
            out,
            "- Sometimes answered with less than was asked for: {}.",
            degraded.join("; ")
        )?;
    }
    Ok(())
}

/// Percent, in bold type where it is above the vote's by more than chance.
fn accuracy(figure: &Figure) -> String {
    let percent = 100.0 * figure.accuracy;
    if pays(figure) {
        format!("**{percent:.1}**")
    } else {
        format!("{percent:.1}")
    }
}

/// Whether it beats the vote, and one answer too, by more than chance: where most answers are wrong
/// in the same way, all that does not vote beats a vote.
fn pays(figure: &Figure) -> bool {
    [figure.vote, figure.base]
        .into_iter()
        .all(|other| figure.accuracy - other > 3.0 * deviation(figure.accuracy, other))
}

/// The standard deviation of the difference of two shares of all questions, as if they were
/// measured on different ones.
fn deviation(a: f64, b: f64) -> f64 {
    ((a * (1.0 - a) + b * (1.0 - b)) / f64::from(QUESTIONS)).sqrt()
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}
