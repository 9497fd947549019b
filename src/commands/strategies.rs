//! `hone strategies`: what there is to choose from.

use std::io::{self, Write};

use hone_strategies::catalogue::{COMMON_PARAMS, ParamKind};
use hone_strategies::chat::Message;
use hone_strategies::{
    ChatRequest, Demand, Entry, Expr, ParamSpec, Params, PlanLimits, STRATEGIES, plan,
};
use serde_json::{Value, json};

use super::status::Status;
use crate::solver::Z3;

/// Which strategies to list, and how.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct StrategiesArgs {
    /// Only those with this in their slug, name or summary
    #[arg(value_name = "WORD")]
    word: Option<String>,
    /// A JSON object a line instead of text
    #[arg(long)]
    json: bool,
}

impl StrategiesArgs {
    fn fits(&self, entry: &Entry) -> bool {
        self.word.as_ref().is_none_or(|word| {
            let word = word.to_lowercase();
            [entry.slug, entry.name, entry.summary]
                .iter()
                .any(|text| text.to_lowercase().contains(&word))
        })
    }
}

/// Writes strategies with their source, cost and parameters.
pub(super) fn run(args: &StrategiesArgs, out: &mut impl Write) -> io::Result<Status> {
    let listed: Vec<&Entry> = STRATEGIES.iter().filter(|entry| args.fits(entry)).collect();
    if args.json {
        for entry in listed {
            writeln!(out, "{}", object(entry))?;
        }
        return Ok(Status::Done);
    }
    if listed.is_empty() {
        let word = args.word.as_deref().unwrap_or_default();
        writeln!(out, "no strategy has `{word}` in its slug, name or summary")?;
        return Ok(Status::Failed);
    }
    writeln!(
        out,
        "Choose by model name (SLUG-MODEL), by the body field optillm_approach, or by the header \
            x-hone-approach."
    )?;
    writeln!(
        out,
        "Join slugs: a&b (b works on a's answer), a|b (both, one choice each)."
    )?;
    writeln!(
        out,
        "Costs are those of calls that honour n, and of verdicts that can be read: one call more \
            for each that cannot."
    )?;
    for entry in listed {
        writeln!(out, "\n{}  {}", entry.slug, entry.name)?;
        writeln!(out, "  {}", entry.summary)?;
        writeln!(out, "  source  {}", entry.paper)?;
        writeln!(out, "  cost    {}", entry.cost)?;
        if let Some(Demand {
            calls, max_calls, ..
        }) = demand(entry)
        {
            writeln!(
                out,
                "  calls   {calls} for a short question by default, at most {max_calls}"
            )?;
        }
        if entry.needs_solver() {
            match Z3::find() {
                Some(z3) => writeln!(out, "  needs   z3, found at {}", z3.path().display())?,
                None => writeln!(
                    out,
                    "  needs   z3, which is not installed: unavailable until `apt-get install z3`, \
                        or a `solver` in the configuration"
                )?,
            }
        }
        params(entry.params(), out)?;
    }
    writeln!(out, "\nWith every strategy:")?;
    params(COMMON_PARAMS.iter(), out)?;
    Ok(Status::Done)
}

/// What a strategy with its defaults needs for a short question.
fn demand(entry: &Entry) -> Option<Demand> {
    let expr = Expr::parse(entry.slug).ok()?;
    let plan = plan(&expr, &Params::new(), &PlanLimits::default()).ok()?;
    let question = Message::user("What is 2 + 3?");
    Some(plan.demand(&ChatRequest::new("m", [question])))
}

fn object(entry: &Entry) -> Value {
    let demand = demand(entry).unwrap_or_default();
    let params = entry.params().flat_map(rows).map(|(name, param)| {
        json!({"name": name, "default": param.default().to_string(),
            "range": param.range(), "help": param.help})
    });
    json!({"slug": entry.slug, "name": entry.name, "summary": entry.summary, "source": entry.paper,
        "cost": entry.cost, "calls": demand.calls, "max_calls": demand.max_calls,
        "needs_solver": entry.needs_solver(),
        "params": params.collect::<Vec<_>>()})
}

/// A table of body fields.
fn params(
    params: impl Iterator<Item = &'static ParamSpec>,
    out: &mut impl Write,
) -> io::Result<()> {
    let rows: Vec<(String, &ParamSpec)> = params.flat_map(rows).collect();
    let width = rows
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for (name, param) in rows {
        match param.kind {
            ParamKind::Object { .. } => {
                writeln!(out, "  {name:width$}  an object: {}", param.help)?;
            }
            _ => writeln!(
                out,
                "  {name:width$}  {} (default {}): {}",
                param.range(),
                param.default(),
                param.help
            )?,
        }
    }
    Ok(())
}

/// A field, and the members of an object below it.
fn rows(param: &ParamSpec) -> Vec<(String, &ParamSpec)> {
    let mut rows = vec![(param.name.to_owned(), param)];
    if let ParamKind::Object { members } = param.kind {
        rows.extend(
            members
                .iter()
                .map(|member| (format!("{}.{}", param.name, member.name), member)),
        );
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_and_parameter_is_listed() {
        let mut out = Vec::new();
        run(&StrategiesArgs::default(), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        for entry in STRATEGIES {
            assert!(
                out.contains(&format!("\n{}  {}\n", entry.slug, entry.name)),
                "{}",
                entry.slug
            );
            for param in entry.params().chain(COMMON_PARAMS) {
                assert!(out.contains(&format!("  {}", param.name)), "{}", param.name);
            }
        }
    }
    fn listed(word: &str, json: bool) -> (Status, String) {
        let args = StrategiesArgs {
            word: Some(word.to_owned()),
            json,
        };
        let mut out = Vec::new();
        let status = run(&args, &mut out).unwrap();
        (status, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_word_picks_strategies_and_json_is_one_object_a_line() {
        let (_, out) = listed("moa", false);
        assert!(out.contains("\nmoa  ") && !out.contains("\nbon  "), "{out}");
        let (_, out) = listed("bon", false);
        assert!(
            out.contains("calls   4 for a short question by default, at most 12"),
            "{out}"
        );
        let (status, out) = listed("", true);
        assert_eq!(
            (status, out.lines().count()),
            (Status::Done, STRATEGIES.len())
        );
        for line in out.lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            assert!(
                object["slug"].is_string() && object["params"].is_array(),
                "{line}"
            );
        }
        assert_eq!(listed("no such thing", false).0, Status::Failed);
    }
}
