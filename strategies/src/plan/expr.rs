//! The grammar in which users ask for an approach: `expr := term ('|' term)*`, `term := slug ('&'
//! slug)*`, with parentheses.
//!
//! `&` binds tighter than `|`. Printing an expression and parsing it again gives the same
//! expression. Whether a slug exists is not decided here.

use std::fmt;
use std::str::FromStr;

/// Most slugs in one expression.
pub const MAX_SLUGS: usize = 8;
/// Deepest nesting of parentheses.
pub(crate) const MAX_DEPTH: usize = 4;
/// Longest expression, in bytes.
pub const MAX_BYTES: usize = 256;

/// An approach: one slug, a pipeline or branches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Expr {
    /// `a|b`: all run on the same request, one choice each. At least two.
    Parallel(Vec<Self>),
    /// `a&b`: each sees what the one before it made. At least two.
    Sequence(Vec<Self>),
    /// One strategy.
    Slug(String),
}

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// Parentheses nest deeper than hone allows.
    #[error("parentheses nest deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Longer than [`MAX_BYTES`].
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_SLUGS`] slugs.
    #[error("more than {MAX_SLUGS} strategies")]
    TooMany,
    /// Something else stands where a slug or an opening parenthesis must.
    #[error("expected the name of a strategy at byte {at}")]
    ExpectedSlug {
        /// Byte offset into the text.
        at: usize,
    },
    /// A complete expression is followed by something that does not continue it.
    #[error("unexpected `{found}` at byte {at}")]
    Unexpected {
        /// Byte offset into the text.
        at: usize,
        /// What stands there.
        found: char,
    },
    /// An opening parenthesis is never closed.
    #[error("a parenthesis is not closed")]
    Unclosed,
}

impl Expr {
    /// Reads an expression. Spaces around slugs and operators are ignored.
    ///
    /// ```
    /// use hone_strategies::Expr;
    /// let expr = Expr::parse("re2 & (bon | moa)").unwrap();
    /// assert_eq!(expr.to_string(), "re2&(bon|moa)");
    /// assert!(Expr::parse("re2 &").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        if text.len() > MAX_BYTES {
            return Err(ExprError::TooLong);
        }
        let mut parser = Parser {
            text,
            at: 0,
            slugs: 0,
        };
        let expr = parser.alternatives(0)?;
        match parser.peek() {
            None => Ok(expr),
            Some(found) => Err(ExprError::Unexpected {
                at: parser.at,
                found,
            }),
        }
    }

    /// The expression of the single strategy `slug`.
    pub fn slug(slug: impl Into<String>) -> Self {
        Self::Slug(slug.into())
    }

    /// Whether this is just `none`: forward, do not optimise.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Slug(slug) if slug == "none")
    }

    /// Every slug, from left to right, repeated ones included.
    pub fn slugs(&self) -> Vec<&str> {
        match self {
            Self::Parallel(parts) | Self::Sequence(parts) => {
                parts.iter().flat_map(Self::slugs).collect()
            }
            Self::Slug(slug) => vec![slug],
        }
    }
}

/// Whether `c` may stand in a slug.
pub(crate) fn is_slug_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    slugs: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is not a space, which is skipped.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(' ').len();
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn alternatives(&mut self, depth: usize) -> Result<Expr, ExprError> {
        let mut parts = vec![self.pipeline(depth)?];
        while self.take('|') {
            parts.push(self.pipeline(depth)?);
        }
        Ok(one_or(parts, Expr::Parallel))
    }

    fn pipeline(&mut self, depth: usize) -> Result<Expr, ExprError> {
        let mut parts = vec![self.operand(depth)?];
        while self.take('&') {
            parts.push(self.operand(depth)?);
        }
        Ok(one_or(parts, Expr::Sequence))
    }

    fn operand(&mut self, depth: usize) -> Result<Expr, ExprError> {
        if self.take('(') {
            if depth >= MAX_DEPTH {
                return Err(ExprError::TooDeep);
            }
            let inner = self.alternatives(depth + 1)?;
            return if self.take(')') {
                Ok(inner)
            } else {
                Err(self.unclosed())
            };
        }
        self.peek();
        let length = self
            .rest()
            .find(|c| !is_slug_char(c))
            .unwrap_or(self.rest().len());
        let slug = self.rest().get(..length).unwrap_or_default().to_owned();
        if slug.is_empty() {
            return Err(ExprError::ExpectedSlug { at: self.at });
        }
        self.at += length;
        self.slugs += 1;
        if self.slugs > MAX_SLUGS {
            return Err(ExprError::TooMany);
        }
        Ok(Expr::Slug(slug))
    }

    fn unclosed(&mut self) -> ExprError {
        match self.peek() {
            None => ExprError::Unclosed,
            Some(found) => ExprError::Unexpected { at: self.at, found },
        }
    }
}

/// The single part itself, or `many` of the parts.
fn one_or(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() > 1 {
        return many(parts);
    }
    parts.pop().unwrap_or_else(|| many(Vec::new()))
}

impl FromStr for Expr {
    type Err = ExprError;

    fn from_str(text: &str) -> Result<Self, ExprError> {
        Self::parse(text)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, operator) = match self {
            Self::Slug(slug) => return f.write_str(slug),
            Self::Parallel(parts) => (parts, "|"),
            Self::Sequence(parts) => (parts, "&"),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(operator)?;
            }
            match part {
                Self::Slug(slug) => f.write_str(slug)?,
                Self::Sequence(_) if operator == "|" => write!(f, "{part}")?,
                Self::Parallel(_) | Self::Sequence(_) => write!(f, "({part})")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expressions() -> impl Strategy<Value = Expr> {
        let slug = "[a-z][a-z0-9_]{0,6}".prop_map(Expr::Slug);
        slug.prop_recursive(2, 6, 2, |inner| {
            let parts = prop::collection::vec(inner, 2..3);
            prop_oneof![
                parts.clone().prop_map(Expr::Parallel),
                parts.prop_map(Expr::Sequence)
            ]
        })
    }

    proptest! {
        #[test]
        fn parsing_inverts_printing(expr in expressions()) {
            prop_assert_eq!(Expr::parse(&expr.to_string()), Ok(expr));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,300}") {
            if let Ok(expr) = Expr::parse(&text) {
                prop_assert!(expr.slugs().len() <= MAX_SLUGS);
            }
        }
    }

    #[test]
    fn pipelines_bind_tighter_than_branches() {
        let expr = Expr::parse("re2&bon|moa").unwrap();
        let pipeline = Expr::Sequence(vec![Expr::slug("re2"), Expr::slug("bon")]);
        assert_eq!(expr, Expr::Parallel(vec![pipeline, Expr::slug("moa")]));
    }

    #[test]
    fn what_is_not_an_expression_is_named() {
        assert_eq!(Expr::parse(""), Err(ExprError::ExpectedSlug { at: 0 }));
        assert_eq!(Expr::parse("bon&"), Err(ExprError::ExpectedSlug { at: 4 }));
        assert_eq!(Expr::parse("(bon"), Err(ExprError::Unclosed));
        assert_eq!(
            Expr::parse("bon)"),
            Err(ExprError::Unexpected { at: 3, found: ')' })
        );
        assert_eq!(Expr::parse("(((((bon)))))"), Err(ExprError::TooDeep));
        assert_eq!(Expr::parse("a|b|c|d|e|f|g|h|i"), Err(ExprError::TooMany));
        assert_eq!(Expr::parse(&"a".repeat(257)), Err(ExprError::TooLong));
    }
}
