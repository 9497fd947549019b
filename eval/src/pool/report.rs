//! A pool's report: a table, files for programs and spreadsheets, and a page with the frontier.

mod page;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::rows::{Against, ModelRows, Row, Test};
use crate::report::{p_value, percent};
use crate::summary::Verdict;

/// Most rows that a sentence names.
const NAMED: usize = 5;

/// How to read the figures.
const NOTES: [&str; 6] = [
    "accuracy: mean over questions of the mean over seeded subsamples, with a 95 % interval by the \
        bootstrap over questions.",
    "spend: cost by --prices, else weighted tokens: a token read counts 1, one that the provider \
        had read before 0.25, one that was generated 4. The first call of a vote reads what is not \
        cached yet.",
    "vote at equal spend, at equal tokens: the plain vote that the row's spend buys, interpolated \
        between whole numbers, at the temperature where it is best (at 0 one answer is all); + \
        where it would buy more than were drawn.",
    "A row beats or loses to the vote only if it does in both columns, with p < 0.05 in both \
        (paired bootstrap over questions).",
    "Rows are exploratory. Only hypotheses, which were named before, are findings: their p is \
        adjusted by Holm's procedure.",
    "discrimination: how often, for one question, a right candidate scores above a wrong one; 0.5 \
        is chance. With a 90 % interval.",
];

#[derive(Serialize)]
struct Document<'a> {
    settings: &'a Value,
    assumptions: [&'static str; 6],
    models: &'a [ModelRows],
}

/// Writes the table to `out`, and the files into `directory`.
///
/// # Errors
///
/// When one cannot be written.
pub(super) fn write(
    settings: &Value,
    models: &[ModelRows],
    directory: &Path,
    out: &mut impl Write,
) -> io::Result<()> {
    let document = Document {
        settings,
        assumptions: NOTES,
        models,
    };
    let paths = super::places(directory);
    let [json, csv, html] = &paths;
    fs::write(json, serde_json::to_vec_pretty(&document)?)?;
    fs::write(csv, table(models)?)?;
    fs::write(html, page::of(settings, models, &NOTES).into_string())?;
    for model in models {
        tell(model, out)?;
    }
    for note in NOTES {
        writeln!(out, "{note}")?;
    }
    writeln!(out)?;
    paths
        .iter()
        .try_for_each(|path| writeln!(out, "{}", path.display()))
}

/// What beats the plain vote and what does not, in one sentence.
pub(super) fn conclusion(tests: &[Test], rows: &[Row]) -> String {
    if !tests.is_empty() {
        let told: Vec<String> = tests.iter().map(tested).collect();
        return format!("{}.", told.join("; "));
    }
    let of = |verdict| {
        let its = rows.iter().filter(|row| row.verdict == Some(verdict));
        its.map(|row| format!("`{}`", row.name)).collect::<Vec<_>>()
    };
    let beats = of(Verdict::Beats);
    let unclear = of(Verdict::Unclear).len();
    let loses = of(Verdict::Loses).len();
    let rest = format!("{unclear} rows are not shown to, and {loses} lose to it");
    if beats.is_empty() {
        return format!("Nothing beats a plain vote at equal spend in both columns: {rest}.");
    }
    format!(
        "{} beat{} a plain vote at equal spend in both columns, as far as rows that nobody named \
            before can show; {rest}.",
        listed(&beats),
        if beats.len() == 1 { "s" } else { "" }
    )
}

fn listed(names: &[String]) -> String {
    let named: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    match names.len().checked_sub(NAMED) {
        None | Some(0) => named.join(", "),
        Some(more) => format!("{} and {more} more", named.join(", ")),
    }
}

/// A hypothesis and what came of it.
fn tested(test: &Test) -> String {
    let other = match &test.hypothesis.against {
        None => "a plain vote at equal spend".to_owned(),
        Some(other) => format!("`{other}`"),
    };
    let says = match test.verdict {
        Verdict::Beats => "beats",
        Verdict::Loses => "loses to",
        Verdict::Unclear => "is not shown to beat",
    };
    let [money, tokens] = test.estimates;
    let points = |difference: f64| format!("{:+.1}", 100.0 * difference);
    let differences = if test.hypothesis.against.is_some() {
        let [money, tokens] = test.spend;
        let spend = format!("at {money:.2} times its spend, {tokens:.2} times its tokens");
        format!("{} points {spend}", points(tokens_or(test)))
    } else {
        let tokens = points(tokens.difference);
        format!(
            "{} points at equal spend, {tokens} at equal tokens",
            points(money.difference)
        )
    };
    format!(
        "`{}` {says} {other} ({differences}, p {})",
        test.hypothesis.row,
        p_value(test.p)
    )
}

/// The difference, which is the same in both columns.
fn tokens_or(test: &Test) -> f64 {
    let [_, tokens] = test.estimates;
    tokens.difference
}

fn tell(model: &ModelRows, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}, {}\n", model.model, questions(model))?;
    let width = model
        .rows
        .iter()
        .map(|row| row.name.chars().count())
        .max()
        .unwrap_or(0);
    writeln!(
        out,
        "{:width$}  {:>20}  {:>6}  {:>8}  {:>9}  {:>40}  {:>40}  verdict",
        "row",
        "accuracy (95 %)",
        "calls",
        "tokens",
        "spend",
        "vote at equal spend",
        "at equal tokens"
    )?;
    for row in &model.rows {
        let [money, tokens] = cells(row);
        writeln!(
            out,
            "{:width$}  {:>20}  {:>6.2}  {:>8.0}  {:>9}  {money:>40}  {tokens:>40}  {}",
            row.name,
            accuracy(row.accuracy, row.interval),
            row.calls,
            row.tokens,
            spend(row, model.has_prices),
            row.verdict.map_or("", Verdict::words)
        )?;
    }
    writeln!(out)?;
    for line in signals(model) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\n{}\n", model.conclusion)
}

fn questions(model: &ModelRows) -> String {
    let some = |count: usize, what: &str| (count > 0).then(|| format!("; {count} {what}"));
    [
        Some(format!("{} questions", model.questions)),
        some(model.incomplete, "lack samples"),
        some(model.uncountable, "have answers that cannot be counted"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A line for each signal that the model told.
fn signals(model: &ModelRows) -> Vec<String> {
    let line = |row: &super::rows::SignalRow| {
        let found = row.discrimination?;
        let (low, high) = found.interval;
        Some(format!(
            "discrimination of {} at {}: {:.3} ({low:.3} – {high:.3}) over {} questions",
            row.signal, row.temperature, found.mean, found.questions
        ))
    };
    model.signals.iter().filter_map(line).collect()
}

fn accuracy(share: f64, (low, high): (f64, f64)) -> String {
    format!("{} ({} – {})", percent(share), percent(low), percent(high))
}

fn spend(row: &Row, has_prices: bool) -> String {
    if has_prices {
        format!("{:.6}", row.money)
    } else {
        format!("{:.0}", row.money)
    }
}

/// The votes of both columns.
fn cells(row: &Row) -> [String; 2] {
    row.against
        .as_ref()
        .map_or_else(Default::default, |pair| pair.each_ref().map(cell))
}

fn cell(against: &Against) -> String {
    let more = if against.is_capped { "+" } else { "" };
    format!(
        "{} ({:.1}{more}@{}) {:+.1} p {}",
        percent(against.accuracy),
        against.votes,
        against.temperature,
        100.0 * against.estimate.difference,
        p_value(against.estimate.p)
    )
}

/// What is told of the vote at equal spend in each column.
const OF_VOTE: [&str; 7] = [
    "votes",
    "temperature",
    "accuracy",
    "difference",
    "low",
    "high",
    "p",
];

fn table(models: &[ModelRows]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let own = [
        "model",
        "row",
        "accuracy",
        "low",
        "high",
        "calls",
        "tokens",
        "weighted_tokens",
        "spend",
    ];
    let of_votes = ["spend", "tokens"]
        .into_iter()
        .flat_map(|column| OF_VOTE.map(|name| format!("equal_{column}_{name}")));
    let head = own.into_iter().map(str::to_owned).chain(of_votes);
    let head: Vec<String> = head.chain(["verdict".to_owned()]).collect();
    writer.write_record(&head).map_err(io::Error::other)?;
    for model in models {
        for row in &model.rows {
            writer
                .write_record(record(&model.model, row))
                .map_err(io::Error::other)?;
        }
    }
    writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))
}

fn record(model: &str, row: &Row) -> Vec<String> {
    let mut cells = vec![model.to_owned(), row.name.clone()];
    let (low, high) = row.interval;
    let figures = [
        row.accuracy,
        low,
        high,
        row.calls,
        row.tokens,
        row.weighted_tokens,
        row.money,
    ];
    cells.extend(figures.map(|figure| figure.to_string()));
    match &row.against {
        None => cells.extend(vec![String::new(); 2 * OF_VOTE.len()]),
        Some(pair) => cells.extend(pair.iter().flat_map(of_vote)),
    }
    cells.push(
        row.verdict
            .map_or_else(String::new, |verdict| verdict.words().to_owned()),
    );
    cells
}

fn of_vote(against: &Against) -> [String; 7] {
    let estimate = against.estimate;
    let (low, high) = estimate.interval;
    [
        against.votes.to_string(),
        against.temperature.to_string(),
        against.accuracy.to_string(),
        estimate.difference.to_string(),
        low.to_string(),
        high.to_string(),
        estimate.p.to_string(),
    ]
}
