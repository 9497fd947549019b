//! The bounds of a script, and why a text is none.

/// Longest script, in bytes.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// Deepest nesting. A solver may recurse on it.
pub(super) const MOST_DEPTH: usize = 200;
/// Most questions to the solver in one script.
pub(super) const MOST_CHECKS: usize = 16;

/// Why a text is no script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SmtError {
    /// A character that has no place in a script.
    #[error("line {line}: {character:?} has no place in a script")]
    Character {
        /// The character.
        character: char,
        /// Its line, from 1.
        line: usize,
    },
    /// A command that is not on the list.
    #[error("the command `{0}` is not available here")]
    Command(String),
    /// A command without its arguments.
    #[error("the command `{0}` has wrong arguments")]
    Arguments(String),
    /// More nesting than allowed.
    #[error("parentheses are nested more than {MOST_DEPTH} deep")]
    Deep,
    /// Nothing is asked.
    #[error("the script never says (check-sat)")]
    NothingAsked,
    /// Something else than a command in parentheses.
    #[error("line {line}: a command in parentheses was expected")]
    Stray {
        /// Its line, from 1.
        line: usize,
    },
    /// More than a solver is given.
    #[error("the script is longer than {MOST_BYTES} bytes or asks more than {MOST_CHECKS} times")]
    TooLong,
    /// The text ends in the middle of something.
    #[error("the script ends before a parenthesis, text or symbol is closed")]
    Unclosed,
}
