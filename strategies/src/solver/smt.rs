//! SMT-LIB 2 scripts: a strict parser, and the commands that a script may hold.
//!
//! Scripts are written by a model, which may repeat what a stranger told it. A solver's language
//! has commands that read and write files, so a script is never passed on as text: it is parsed,
//! each command is checked against a list, and what the solver gets is printed anew from the parsed
//! form. Commands that neither state nor ask anything are left out.
//!
//! ```
//! use hone_strategies::smt::Script;
//! let text = "(declare-const x Int) ; a number\n(assert (> x 3))(check-sat)";
//! let script = Script::parse(text).unwrap();
//! assert_eq!(script.to_string(), "(declare-const x Int)\n(assert (> x 3))\n(check-sat)\n");
//! assert!(Script::parse("(include \"/etc/passwd\")(check-sat)").is_err());
//! ```

mod error;
mod lexer;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::error::SmtError;
use self::error::{MOST_BYTES, MOST_CHECKS, MOST_DEPTH};
use self::lexer::{Lexer, Token};

/// Most scopes opened by one command.
const MOST_SCOPES: u32 = 64;

/// What a script may state and ask.
const ALLOWED: [&str; 26] = [
    "assert",
    "assert-soft",
    "check-sat",
    "check-sat-assuming",
    "declare-const",
    "declare-datatype",
    "declare-datatypes",
    "declare-fun",
    "declare-sort",
    "define-const",
    "define-fun",
    "define-fun-rec",
    "define-funs-rec",
    "define-sort",
    "eval",
    "get-model",
    "get-objectives",
    "get-unsat-assumptions",
    "get-unsat-core",
    "get-value",
    "maximize",
    "minimize",
    "pop",
    "push",
    "set-logic",
    "set-option",
];

/// What may stand alone.
const WITHOUT_ARGUMENTS: [&str; 6] = [
    "check-sat",
    "get-model",
    "get-objectives",
    "get-unsat-core",
    "pop",
    "push",
];

/// What is left out without a word: it changes no result, or would put words into the solver's
/// mouth.
const LEFT_OUT: [&str; 5] = ["echo", "exit", "get-info", "get-option", "set-info"];

/// Options that change what may be asked or how it is answered. Others name files or tune the
/// solver, and are left out.
const OPTIONS: [&str; 4] = [
    ":opt.priority",
    ":produce-models",
    ":produce-unsat-assumptions",
    ":produce-unsat-cores",
];

/// A script whose every command is on the list. Its text is the only thing that a solver gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    commands: Vec<Sexpr>,
}

/// An s-expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sexpr {
    /// A symbol, keyword, number or text, as it was written.
    Atom(String),
    /// A list in parentheses.
    List(Vec<Self>),
}

impl Script {
    /// Reads and checks a script.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it. The messages are written for the model that wrote the
    /// script.
    pub fn parse(text: &str) -> Result<Self, SmtError> {
        if text.len() > MOST_BYTES {
            return Err(SmtError::TooLong);
        }
        let mut commands = Vec::new();
        for (line, expression) in parse(text)? {
            let Sexpr::List(parts) = &expression else {
                return Err(SmtError::Stray { line });
            };
            let Some((Sexpr::Atom(name), arguments)) = parts.split_first() else {
                return Err(SmtError::Stray { line });
            };
            if is_kept(name, arguments)? {
                commands.push(expression);
            }
        }
        match commands
            .iter()
            .filter(|command| {
                command
                    .name()
                    .is_some_and(|name| name.starts_with("check-sat"))
            })
            .count()
        {
            0 => Err(SmtError::NothingAsked),
            checks if checks > MOST_CHECKS => Err(SmtError::TooLong),
            _ => Ok(Self { commands }),
        }
    }

    /// The commands.
    pub fn commands(&self) -> &[Sexpr] {
        &self.commands
    }
}

/// Whether a command is passed on; an error if a script must not hold it.
fn is_kept(name: &str, arguments: &[Sexpr]) -> Result<bool, SmtError> {
    if LEFT_OUT.contains(&name) {
        return Ok(false);
    }
    if !ALLOWED.contains(&name) {
        return Err(SmtError::Command(name.to_owned()));
    }
    let wrong = || SmtError::Arguments(name.to_owned());
    match (name, arguments) {
        ("set-option", [Sexpr::Atom(option), Sexpr::Atom(_)]) => {
            Ok(OPTIONS.contains(&option.as_str()))
        }
        ("set-logic", [Sexpr::Atom(_)]) => Ok(true),
        (name, []) if WITHOUT_ARGUMENTS.contains(&name) => Ok(true),
        ("push" | "pop", [Sexpr::Atom(scopes)])
            if scopes
                .parse()
                .is_ok_and(|scopes: u32| scopes <= MOST_SCOPES) =>
        {
            Ok(true)
        }
        ("set-option" | "set-logic" | "push" | "pop" | "check-sat" | "get-model", _) => {
            Err(wrong())
        }
        _ => Ok(true),
    }
}

/// The expressions of a text with the lines on which they begin.
pub fn parse(text: &str) -> Result<Vec<(usize, Sexpr)>, SmtError> {
    let mut found = Vec::new();
    let mut open: Vec<(usize, Vec<Sexpr>)> = Vec::new();
    let mut lexer = Lexer::new(text);
    while let Some(token) = lexer.next()? {
        let line = lexer.line();
        let (line, finished) = match token {
            Token::Open if open.len() >= MOST_DEPTH => return Err(SmtError::Deep),
            Token::Open => {
                open.push((line, Vec::new()));
                continue;
            }
            Token::Close => open
                .pop()
                .map(|(line, parts)| (line, Sexpr::List(parts)))
                .ok_or(SmtError::Stray { line })?,
            Token::Atom(text) => (line, Sexpr::Atom(text.to_owned())),
        };
        match open.last_mut() {
            Some((_, parts)) => parts.push(finished),
            None => found.push((line, finished)),
        }
    }
    if open.is_empty() {
        Ok(found)
    } else {
        Err(SmtError::Unclosed)
    }
}

impl Sexpr {
    /// The first atom of a list.
    fn name(&self) -> Option<&str> {
        match self {
            Self::List(parts) => match parts.first() {
                Some(Self::Atom(name)) => Some(name),
                _ => None,
            },
            Self::Atom(_) => None,
        }
    }
}

impl fmt::Display for Script {
    /// One command a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.commands
            .iter()
            .try_for_each(|command| writeln!(f, "{command}"))
    }
}

impl fmt::Display for Sexpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atom(text) => f.write_str(text),
            Self::List(parts) => {
                f.write_str("(")?;
                for (at, part) in parts.iter().enumerate() {
                    let space = if at > 0 { " " } else { "" };
                    write!(f, "{space}{part}")?;
                }
                f.write_str(")")
            }
        }
    }
}
