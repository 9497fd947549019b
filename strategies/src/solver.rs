//! The port through which a solver is reached, and what its answers say. The embedding application
//! implements the port.

pub mod smt;

use std::time::Duration;

use futures_util::future::BoxFuture;

use self::smt::{Script, Sexpr};

/// A solver for SMT-LIB 2 scripts. It gets nothing but a checked [`Script`].
///
/// # Cancel safety
///
/// Dropping a returned future must stop the solver.
pub trait Solver: Send + Sync {
    /// Runs the script and gives what the solver printed, in at most `limit`. Memory and the size
    /// of the output are the implementation's to bound.
    fn solve<'a>(
        &'a self,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<String, SolverError>>;
}

/// Why a solver gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SolverError {
    /// It could not be run, or is busy with others.
    #[error("the solver is unavailable: {detail}")]
    Unavailable {
        /// What failed.
        detail: String,
    },
    /// It took longer than allowed.
    #[error("no result in time")]
    TimedOut,
    /// It printed more than allowed.
    #[error("more output than allowed")]
    TooMuchOutput,
}

/// What a solver found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Satisfiability,
    /// What it printed, without errors that only say that there is no model to show.
    pub(crate) text: String,
    /// The values it gave, without the names they were asked by: what formulations with names of
    /// their own have in common.
    pub(crate) values: Vec<String>,
}

/// The answer to the last question of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Satisfiability {
    Sat,
    Unsat,
}

/// Why what a solver printed is no finding, in words for the script's author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Objection(pub(crate) String);

impl Finding {
    /// Reads what a solver printed.
    pub(crate) fn read(output: &str) -> Result<Self, Objection> {
        let mut verdict = None;
        let mut kept = Vec::new();
        let mut errors = Vec::new();
        for line in output.lines() {
            match line.trim() {
                "sat" => verdict = Some(Ok(Satisfiability::Sat)),
                "unsat" => verdict = Some(Ok(Satisfiability::Unsat)),
                "unknown" | "timeout" => verdict = Some(Err(())),
                line if line.starts_with("(error") => {
                    errors.push(line.to_owned());
                    continue;
                }
                _ => {}
            }
            kept.push(line);
        }
        // Asking for a model where there is none is no mistake: the script could not know.
        let shows_nothing = |error: &String| error.contains("is not available");
        let mistakes: Vec<_> = errors
            .into_iter()
            .filter(|error| verdict == Some(Ok(Satisfiability::Sat)) || !shows_nothing(error))
            .collect();
        if !mistakes.is_empty() {
            return Err(Objection(mistakes.join("\n")));
        }
        match verdict {
            Some(Ok(verdict)) => {
                let text = kept.join("\n").trim().to_owned();
                Ok(Self {
                    verdict,
                    values: values(&text),
                    text,
                })
            }
            Some(Err(())) => Err(Objection("unknown: the solver could not decide".to_owned())),
            None => Err(Objection("The solver printed no result.".to_owned())),
        }
    }
}

/// The values in lists of pairs, such as `((x 4) (y (- 2)))`, in their order.
fn values(text: &str) -> Vec<String> {
    let pair = |part: &Sexpr| match part {
        Sexpr::List(pair) => match pair.as_slice() {
            [_, value] => Some(value.to_string()),
            _ => None,
        },
        Sexpr::Atom(_) => None,
    };
    let read = smt::parse(text).unwrap_or_default();
    read.iter()
        .filter_map(|(_, expression)| match expression {
            Sexpr::List(parts) => parts.iter().map(pair).collect::<Option<Vec<_>>>(),
            Sexpr::Atom(_) => None,
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_without_their_names() {
        let found = Finding::read("sat\n((x 4)\n (y (- 2)))\n((|a b| (/ 1.0 3.0)))\n").unwrap();
        assert_eq!(
            (found.verdict, found.values),
            (
                Satisfiability::Sat,
                vec!["4".to_owned(), "(- 2)".to_owned(), "(/ 1.0 3.0)".to_owned()]
            )
        );
    }

    #[test]
    fn a_model_that_does_not_exist_is_no_mistake_and_every_other_error_is() {
        let found =
            Finding::read("unsat\n(error \"line 4 column 10: model is not available\")").unwrap();
        assert_eq!(
            (found.verdict, found.text.as_str()),
            (Satisfiability::Unsat, "unsat")
        );
        let objection =
            Finding::read("(error \"line 2 column 20: unknown constant y\")\nsat").unwrap_err();
        assert!(objection.0.contains("unknown constant y"));
    }

    #[test]
    fn undecided_and_silent_solvers_found_nothing() {
        for output in ["unknown", "timeout\n", "", "sat\nunknown"] {
            assert!(Finding::read(output).is_err(), "{output:?}");
        }
        assert_eq!(
            Finding::read("unknown\nsat").unwrap().verdict,
            Satisfiability::Sat,
            "the last question counts"
        );
    }
}
