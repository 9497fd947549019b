//! The words of an s-expression text.

use super::error::SmtError;

pub(super) enum Token<'a> {
    Open,
    Close,
    /// A symbol, keyword, number, text or quoted symbol, as it was written.
    Atom(&'a str),
}

pub(super) struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            line: 1,
        }
    }

    /// The line of the last token.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The next token; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, SmtError> {
        self.skip_blanks();
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        let token = match first {
            '(' => self.take(1).map(|_| Token::Open),
            ')' => self.take(1).map(|_| Token::Close),
            '"' => Some(Token::Atom(self.text()?)),
            '|' => Some(Token::Atom(self.quoted()?)),
            first if is_plain(first) || matches!(first, ':' | '#') => {
                Some(Token::Atom(self.plain()))
            }
            character => {
                return Err(SmtError::Character {
                    character,
                    line: self.line,
                });
            }
        };
        Ok(token)
    }

    fn skip_blanks(&mut self) {
        while let Some(first) = self.rest.chars().next() {
            let length = match first {
                ';' => self.rest.find('\n').unwrap_or(self.rest.len()),
                '\n' => {
                    self.line += 1;
                    1
                }
                ' ' | '\t' | '\r' => 1,
                _ => return,
            };
            self.take(length);
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// A text: `""` in it stands for a quotation mark.
    fn text(&mut self) -> Result<&'a str, SmtError> {
        let mut from = 1;
        loop {
            let end = self.closed_by('"', from)?;
            if self.rest.as_bytes().get(end) == Some(&b'"') {
                from = end + 1;
            } else {
                return self.take(end).ok_or(SmtError::Unclosed);
            }
        }
    }

    /// A symbol between bars.
    fn quoted(&mut self) -> Result<&'a str, SmtError> {
        let end = self.closed_by('|', 1)?;
        self.take(end).ok_or(SmtError::Unclosed)
    }

    /// The end of what `mark` closes from `from` on. Between the marks only what can be printed may
    /// stand, and no backslash before a bar's end.
    fn closed_by(&self, mark: char, from: usize) -> Result<usize, SmtError> {
        let inner = self.rest.get(from..).ok_or(SmtError::Unclosed)?;
        let length = inner.find(mark).ok_or(SmtError::Unclosed)?;
        let is_odd = |c: &char| c.is_control() || (mark == '|' && *c == '\\');
        match inner.get(..length).unwrap_or_default().chars().find(is_odd) {
            Some(character) => Err(SmtError::Character {
                character,
                line: self.line,
            }),
            None => Ok(from + length + 1),
        }
    }

    fn plain(&mut self) -> &'a str {
        let length = self
            .rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| !is_plain(*c))
            .map_or(self.rest.len(), |(at, _)| at);
        self.take(length).unwrap_or_default()
    }
}

/// The characters of symbols and numbers in SMT-LIB 2.6.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "~!@$%^&*_-+=<>.?/".contains(c)
}
