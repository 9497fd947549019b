//! Arithmetic that a model writes as a program, calculated exactly and without a sandbox.
//!
//! Papers: Gao et al., *PAL: Program-aided Language Models* (2022, arXiv 2211.10435); Chen et al.,
//! *Program of Thoughts Prompting* (2022, arXiv 2211.12588). Models state a calculation more often
//! right than they carry it out, so they state it and the numbers are computed here.
//!
//! A program is straight lines `name = E`, then `print(E)`; blank lines and `#` comments count for
//! nothing. E has numbers, names, `+ - * / // % **`, parentheses, `min`, `max`, `round`, `abs`,
//! `sum`, `int` and `float`, with Python's precedence and meaning: `-2**2` is -4, `//` floors, `%`
//! has the sign of its right side, `round` takes a half to the even neighbour. Two things are not
//! Python's: all numbers are rational, so `0.1 + 0.2` is 0.3; and `sum(a, b)` adds its arguments.
//!
//! What counts is the number printed last; texts beside it (`print("Total:", x)`) are passed over.
//! Without any `print` it is the last line's, if that gives a value to `answer` or `result`.
//! Everything else has no result: formatted strings, loops, roots, two numbers in one `print`.
//!
//! Nothing a program says can cost much: its length, its nesting, its exponents and the size of
//! every number are bounded, and a number is measured before it is computed.

mod block;
mod evaluate;
mod exact;
mod lexer;
mod syntax;
#[cfg(test)]
mod tests;

pub use block::find;
pub use exact::Exact;

use super::value::AnswerValue;

/// Longest program, in bytes.
pub const MOST_BYTES: usize = 4096;
/// Most lines of a program that are neither blank nor comments.
pub const MOST_LINES: usize = 64;

/// Why a program has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It divides by zero.
    #[error("a division by zero")]
    DivisionByZero,
    /// An exponent or a number of places that is no whole number.
    #[error("a whole number is wanted")]
    Fractional,
    /// It prints nothing.
    #[error("nothing is printed")]
    NoResult,
    /// It is no straight line of arithmetic.
    #[error("not a line of arithmetic")]
    Syntax,
    /// It, its nesting or a number in it is beyond a bound.
    #[error("beyond a bound")]
    TooLarge,
    /// A name without a value.
    #[error("a name without a value")]
    Unknown,
}

/// The result of a program.
///
/// ```
/// use hone_strategies::program::run;
/// let result = run("eggs = 3 * 12\nprint(eggs / 7)  # a share").unwrap();
/// assert_eq!(result.to_string(), "36/7");
/// assert_eq!(run("print(0.1 + 0.2)").unwrap().to_string(), "0.3");
/// ```
///
/// # Errors
///
/// Why there is none.
pub fn run(program: &str) -> Result<Exact, Refusal> {
    if program.len() > MOST_BYTES {
        return Err(Refusal::TooLarge);
    }
    let mut lines = Vec::new();
    for line in program.lines() {
        lines.extend(syntax::line(line)?);
        if lines.len() > MOST_LINES {
            return Err(Refusal::TooLarge);
        }
    }
    evaluate::result(&lines)
}

/// The result of the program in a model's reply, as an answer that votes with others.
///
/// ```
/// use hone_strategies::answer::{AnswerValue, equivalent};
/// use hone_strategies::program::answer;
/// let reply = "First the eggs:\n```python\neggs = 3 * 12\nprint(eggs / 8)\n```";
/// let told = AnswerValue::parse("4.50 dollars").unwrap();
/// assert!(equivalent(&answer(reply).unwrap(), &told));
/// ```
pub fn answer(reply: &str) -> Option<AnswerValue> {
    run(find(reply)?).ok()?.answer()
}
