//! What a reply to a wish for a formulation says.

use crate::solver::Satisfiability;

/// A problem stated for a solver, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Formulation {
    /// A solver does not apply.
    Inapplicable,
    /// It applies, but the script is missing.
    Missing,
    /// A script, not yet checked, and the result that an answer presupposes.
    Script {
        script: String,
        expected: Option<Satisfiability>,
    },
}

impl Formulation {
    /// Reads a reply without its reasoning. A script counts even where the line that announces it
    /// is missing; without both, a solver does not apply.
    pub(super) fn read(reply: &str) -> Self {
        let word = |label: &str| {
            reply
                .lines()
                .filter_map(|line| labelled(line, label))
                .next_back()
        };
        let applies = word("solver:").map(|word| {
            !(word.contains("not") || word.starts_with("no") || word.starts_with("false"))
        });
        let expected = word("expected:").and_then(|word| {
            match (word.starts_with("sat"), word.starts_with("unsat")) {
                (true, _) => Some(Satisfiability::Sat),
                (_, true) => Some(Satisfiability::Unsat),
                _ => None,
            }
        });
        match (applies, script(reply)) {
            (Some(false), _) | (None, None) => Self::Inapplicable,
            (Some(true), None) => Self::Missing,
            (_, Some(script)) => Self::Script {
                script: script.to_owned(),
                expected: expected.filter(|_| !is_either(reply)),
            },
        }
    }
}

/// Whether the reply repeats the form of the line or names both results.
fn is_either(reply: &str) -> bool {
    reply
        .lines()
        .filter_map(|line| labelled(line, "expected:"))
        .next_back()
        .is_some_and(|word| word.contains(','))
}

/// What stands behind `label` in a line, in lower case and without decoration.
fn labelled(line: &str, label: &str) -> Option<String> {
    let plain: String = line.chars().filter(|c| !"*_`#[]<>".contains(*c)).collect();
    Some(
        plain
            .trim()
            .to_lowercase()
            .strip_prefix(label)?
            .trim()
            .to_owned(),
    )
}

/// The last fenced block that asks a solver something.
fn script(reply: &str) -> Option<&str> {
    let mut found = None;
    let mut rest = reply;
    while let Some((_, after)) = rest.split_once("```") {
        let (block, behind) = after.split_once("```")?;
        let (language, body) = block.split_once('\n').unwrap_or(("", block));
        let is_smt = matches!(
            language.trim().to_lowercase().as_str(),
            "" | "smt" | "smt2" | "smt-lib" | "smtlib" | "smtlib2" | "lisp" | "z3"
        );
        if is_smt && body.contains("(check-sat") {
            found = Some(body);
        }
        rest = behind;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: &str = "```smt2\n(check-sat)\n```";

    #[test]
    fn markers_are_read_in_every_form_that_models_write() {
        for line in [
            "Solver: applies",
            "**Solver:** Applies.",
            "solver: [applies]",
            "Solver: <applies>",
            "### Solver: APPLIES",
            "`Solver: applies`",
            "",
        ] {
            let read = Formulation::read(&format!("{line}\n**Expected: sat**\n{BLOCK}"));
            assert_eq!(
                read,
                Formulation::Script {
                    script: "(check-sat)\n".to_owned(),
                    expected: Some(Satisfiability::Sat)
                },
                "{line}"
            );
        }
        for line in [
            "Solver: does not apply",
            "**Solver:** *does not apply*",
            "Solver: doesn't apply (not solvable)",
            "Solver: no",
            "Solver: False",
        ] {
            assert_eq!(
                Formulation::read(&format!("{line}\n{BLOCK}")),
                Formulation::Inapplicable,
                "{line}"
            );
        }
    }

    #[test]
    fn the_expected_result_may_be_either() {
        for (line, expected) in [
            ("Expected: unsat", Some(Satisfiability::Unsat)),
            ("Expected: either", None),
            ("Expected: sat, unsat or either", None),
            ("Nothing.", None),
        ] {
            let Formulation::Script { expected: read, .. } =
                Formulation::read(&format!("Solver: applies\n{line}\n{BLOCK}"))
            else {
                panic!("{line}")
            };
            assert_eq!(read, expected, "{line}");
        }
    }

    #[test]
    fn the_last_block_that_asks_something_is_the_script() {
        let reply = format!(
            "Solver: applies\n```python\nprint(1)\n(check-sat)\n```\n{BLOCK}\n```smt2\n\
                (assert true)\n(check-sat)\n```\n```\nsat\n```"
        );
        let Formulation::Script { script, .. } = Formulation::read(&reply) else {
            panic!()
        };
        assert_eq!(script, "(assert true)\n(check-sat)\n");
        assert_eq!(
            Formulation::read("Solver: applies\n```smt2\n(check-sat)"),
            Formulation::Missing,
            "cut off"
        );
        assert_eq!(
            Formulation::read("It is a poem."),
            Formulation::Inapplicable
        );
    }

    proptest! {
        #[test]
        fn no_reply_makes_reading_panic(reply in "(Solver:|Expected:|```|smt2|\n\
            |\\(check-sat\\)|\\PC| ){0,30}") {
            let _read = Formulation::read(&reply);
        }
    }
}
