//! The page: what it comes to first, then what it rests on, then every figure.

use std::io::{self, Write};

use crate::QUESTIONS;
use crate::measure::{Figure, Row};
use crate::ranking::{Ranked, at, deviation, pays};
use crate::setting::{ACCURACIES, JUDGE, JUDGED_AT, Setting, Table};

const PREFACE: &str = include_str!("preface.md");

/// The document beside the page that says how to measure one's own model.
const GUIDE: &str = "evaluating";

/// The two main tables, with their titles.
pub(crate) const MAIN_TABLES: [(Table, &str); 2] = [
    (Table::Independent, "Errors are independent"),
    (Table::Systematic, "Errors are systematic"),
];

/// Approaches that change what a simulated model cannot show, and why their accuracy says nothing.
const NOT_SIMULATED: [(&str, &str); 11] = [
    ("re2", "its prompt changes how a real model reads"),
    (
        "cot_reflection",
        "its prompt changes how a real model thinks",
    ),
    ("autothink", "it sets how long a real model thinks"),
    (
        "shortest",
        "it drops a real model's longer thoughts; this one thinks in a word or not at all",
    ),
    (
        "thinkdeeper",
        "it sets how long a real model thinks; this one stops at once and is asked on each time, \
            hence the price",
    ),
    (
        "pal",
        "how much more often than its prose a real model's programs are right is its own; here \
            they are right as often",
    ),
    ("plansearch", "its ideas change how a real model answers"),
    (
        "race",
        "it buys time; all its models are this one, so its accuracy is theirs",
    ),
    (
        "memory",
        "it is for texts that are longer than these; here it asks once",
    ),
    (
        "longcepo",
        "it is for texts that are longer than these; here it asks once",
    ),
    (
        "leap",
        "it learns from worked examples; there are none here, so it asks once",
    ),
];

/// Writes everything. A strategy without a row is said to have none.
pub(crate) fn write(all: &[(&str, Option<&Row>)], out: &mut impl Write) -> io::Result<()> {
    let simulated = simulated(all);
    let ranking = Ranked::all(&simulated);
    writeln!(
        out,
        "# What the approaches do for a simulated model\n\n\
        A command made this page; `strategies/examples/proof/main.rs` says how to make it again.\n"
    )?;
    summary(&ranking, out)?;
    rank_table(&ranking, out)?;
    writeln!(out)?;
    preface(out)?;
    writeln!(
        out,
        "\n## How to read the tables\n\n\
        - **vote (k)** is a majority vote over as many plain samples as the same tokens buy, at \
        most 128\n  (`+`: the tokens would buy more). It costs nothing to build, so an approach \
        has to beat it.\n\
        - **Bold** means that the approach beats that vote and one plain answer, both by more \
        than three\n  standard deviations. Where most answers are wrong in the same way, a vote \
        is worse than one\n  answer, and beating it alone means nothing.\n\
        - Calls and tokens are those at p = {JUDGED_AT}. Depth is how many calls wait for one \
        another.\n\
        - Rows are sorted by points gained per 1,000 tokens at p = {JUDGED_AT}, the plain model \
        first."
    )?;
    for (table, title) in MAIN_TABLES {
        writeln!(out, "\n## {title}\n")?;
        main_table(&simulated, table, out)?;
    }
    writeln!(
        out,
        "\n## What the judge is worth\n\nErrors are systematic; one answer is right with \
        probability {JUDGED_AT}.\n"
    )?;
    judges(&simulated, out)?;
    not_simulated(all, out)
}

/// The rows whose accuracy means something.
pub(crate) fn simulated<'a>(all: &[(&str, Option<&'a Row>)]) -> Vec<&'a Row> {
    all.iter()
        .filter_map(|(_, row)| *row)
        .filter(|row| row.refused.is_none())
        .filter(|row| !NOT_SIMULATED.iter().any(|(slug, _)| *slug == row.slug))
        .collect()
}

fn summary(ranking: &[Ranked<'_>], out: &mut impl Write) -> io::Result<()> {
    let named = |wanted: &dyn Fn(&&Ranked<'_>) -> bool| {
        let names: Vec<String> = ranking
            .iter()
            .filter(wanted)
            .map(|ranked| format!("`{}`", ranked.row.slug))
            .collect();
        names.join(", ")
    };
    let best: Vec<String> = ranking
        .iter()
        .take(4)
        .map(|ranked| format!("`{}`", ranked.row.slug))
        .collect();
    let lines = [
        format!(
            "**Best value for tokens:** {}. The first four of the ranking below.",
            best.join(", ")
        ),
        "**If answers can be compared, vote first.** A majority vote of equal cost is hard to \
            beat where wrong answers differ from one another."
            .to_owned(),
        format!(
            "**Beat that vote at some accuracy, whichever way the model errs:** {}.",
            named(&|ranked| ranked.verdict() == "both")
        ),
        format!(
            "**Beat it only where wrong answers agree:** {}. Choose these when answers cannot be \
                compared, or when the model repeats its mistakes.",
            named(&|ranked| ranked.verdict() == "systematic errors")
        ),
        format!(
            "**Beat one answer, but nowhere the vote:** {}.",
            named(&|ranked| ranked.verdict() == "no")
        ),
        format!("**Your model decides.** [Measure it]({GUIDE}.md) before you pay for an approach."),
    ];
    writeln!(out, "## What it comes to\n")?;
    for line in lines {
        writeln!(out, "{}", wrapped("- ", &line))?;
    }
    writeln!(
        out,
        "\n![Accuracy against tokens: each approach is a dot, the vote a line](approaches.svg)\n\n\
        A green dot beats the vote of equal cost by more than three standard deviations.\n"
    )
}

fn rank_table(ranking: &[Ranked<'_>], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "### Accuracy per token\n\n\
        One answer is right with probability {JUDGED_AT}. Points and tokens are what an approach \
        adds to one\nanswer, the mean over both kinds of errors.\n\n\
        | approach | points gained | tokens added | points per 1,000 tokens | beats a vote of \
        equal cost |\n|---|--:|--:|--:|---|"
    )?;
    for ranked in ranking {
        writeln!(
            out,
            "| `{}` | {:+.1} | {:.0} | {:.1} | {} |",
            ranked.row.slug,
            ranked.points,
            ranked.tokens,
            ranked.merit(),
            ranked.verdict()
        )?;
    }
    Ok(())
}

fn preface(out: &mut impl Write) -> io::Result<()> {
    let task = Setting::task(Table::Independent, JUDGED_AT);
    let separation = task
        .confidence
        .and_then(|confidence| confidence.separation())
        .unwrap_or(0.5);
    let deviation = 100.0 * 0.5 / f64::from(QUESTIONS).sqrt();
    let words = format!("{} to {}", task.words.least, task.words.most);
    let filled = PREFACE
        .replace("{questions}", &QUESTIONS.to_string())
        .replace("{deviation}", &format!("{deviation:.1}"))
        .replace("{true_positive}", &JUDGE.true_positive.to_string())
        .replace("{false_positive}", &JUDGE.false_positive.to_string())
        .replace("{synthesis}", &task.synthesis.to_string())
        .replace("{revision}", &task.revision.to_string())
        .replace("{formulation}", &task.formulation.to_string())
        .replace("{separation}", &format!("{separation:.2}"))
        .replace("{words}", &words);
    out.write_all(filled.as_bytes())
}

fn main_table(rows: &[&Row], table: Table, out: &mut impl Write) -> io::Result<()> {
    write!(out, "| approach | calls | depth | tokens |")?;
    for accuracy in ACCURACIES {
        write!(out, " p = {accuracy} | vote (k) |")?;
    }
    writeln!(
        out,
        "\n|---|--:|--:|--:|{}",
        "--:|--:|".repeat(ACCURACIES.len())
    )?;
    let merit =
        |row: &Row| Ranked::of(row, rows, &[table]).map_or(f64::INFINITY, |ranked| ranked.merit());
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| merit(b).total_cmp(&merit(a)));
    for row in sorted {
        let Some(middle) = at(row, table) else {
            continue;
        };
        write!(
            out,
            "| `{}` | {:.1} | {:.1} | {:.0} |",
            row.slug, middle.calls, row.depth, middle.tokens
        )?;
        for figure in row.figures.iter().filter(|figure| figure.table == table) {
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
        let [Some(blind), Some(above), Some(perfect)] =
            [Table::Blind, Table::Systematic, Table::Perfect].map(|table| at(row, table))
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

/// What the tables leave out, and why.
fn not_simulated(all: &[(&str, Option<&Row>)], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n## What a simulated model cannot show\n\n\
        The accuracy of these approaches would say nothing, so the tables leave them out.\n\n\
        | approach | calls | tokens | why |\n|---|--:|--:|---|"
    )?;
    for (slug, row) in all {
        let why = NOT_SIMULATED
            .iter()
            .find(|(left_out, _)| left_out == slug)
            .map(|(_, why)| (*why).to_owned());
        let refused = || row.and_then(|row| row.refused.as_ref());
        let why = match row {
            None => Some("it is not measured yet".to_owned()),
            Some(_) => why.or_else(|| Some(format!("the model lacks {}", refused()?))),
        };
        let Some(why) = why else { continue };
        let price = row.and_then(|row| at(row, Table::Independent)).map_or_else(
            || " | ".to_owned(),
            |figure| format!("{:.1} | {:.0}", figure.calls, figure.tokens),
        );
        writeln!(out, "| `{slug}` | {price} | {why} |")?;
    }
    degraded(all, out)
}

fn degraded(all: &[(&str, Option<&Row>)], out: &mut impl Write) -> io::Result<()> {
    let degraded: Vec<String> = all
        .iter()
        .filter_map(|(slug, row)| {
            let causes = &(*row)?.degraded;
            let causes: Vec<&str> = causes.iter().map(String::as_str).collect();
            (!causes.is_empty()).then(|| format!("- `{slug}`: {}", causes.join(", ")))
        })
        .collect();
    if degraded.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nSome answers had to do without something that was asked for:\n\n{}",
        degraded.join("\n")
    )
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

/// `text` behind `mark`, in lines of at most 100 letters.
fn wrapped(mark: &str, text: &str) -> String {
    let mut lines = vec![mark.trim_end().to_owned()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{}{word}", " ".repeat(mark.len()))),
        }
    }
    lines.join("\n")
}
