//! `hone strategies`: what there is to choose from.

use std::io::{self, Write};

use hone_strategies::catalogue::{COMMON_PARAMS, ParamKind};
use hone_strategies::{ParamSpec, STRATEGIES};

use super::status::Status;
use crate::solver::Z3;

/// Writes every strategy with its source, cost and parameters.
pub(super) fn run(out: &mut impl Write) -> io::Result<Status> {
    writeln!(
        out,
        "Choose by model name (SLUG-MODEL), by the body field optillm_approach, or by the header \
            x-hone-approach."
    )?;
    writeln!(
        out,
        "Join slugs: a&b (b works on a's answer), a|b (both, one choice each)."
    )?;
    for entry in STRATEGIES {
        writeln!(out, "\n{}  {}", entry.slug, entry.name)?;
        writeln!(out, "  {}", entry.summary)?;
        writeln!(out, "  source  {}", entry.paper)?;
        writeln!(out, "  cost    {}", entry.cost)?;
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
        run(&mut out).unwrap();
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
}
