//! Lines of a program.

use std::iter::Peekable;
use std::vec;

use super::Refusal;
use super::exact::Exact;
use super::lexer::{Token, tokens};

/// Deepest nesting of parentheses, signs and exponents.
const MOST_DEPTH: u32 = 32;

/// What a line does.
#[derive(Debug, Clone)]
pub(super) enum Line<'a> {
    Assign(&'a str, Expression<'a>),
    Print(Expression<'a>),
}

/// An expression. Operators of one rank stand in one list, so it is never deeper than its text is
/// nested.
#[derive(Debug, Clone)]
pub(super) enum Expression<'a> {
    /// By its name, which the program may have given another meaning.
    Call(&'a str, Function, Vec<Self>),
    /// From left to right.
    Chain(Box<Self>, Vec<(Operator, Self)>),
    Name(&'a str),
    Negated(Box<Self>),
    Number(Exact),
    Power(Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Divide,
    FloorDivide,
    Modulo,
    Multiply,
    Subtract,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Absolute,
    Greatest,
    Least,
    Number,
    Round,
    Sum,
    Truncate,
}

const FUNCTIONS: [(&str, Function); 7] = [
    ("abs", Function::Absolute),
    ("float", Function::Number),
    ("int", Function::Truncate),
    ("max", Function::Greatest),
    ("min", Function::Least),
    ("round", Function::Round),
    ("sum", Function::Sum),
];

impl Function {
    /// Whether it takes the items of a list.
    fn takes_list(self) -> bool {
        matches!(self, Self::Greatest | Self::Least | Self::Sum)
    }
}

/// Reads a line; none if it is blank or a comment.
pub(super) fn line(text: &str) -> Result<Option<Line<'_>>, Refusal> {
    let mut parser = Parser {
        rest: tokens(text)?.into_iter().peekable(),
        depth: 0,
    };
    let line = match parser.rest.next() {
        None => return Ok(None),
        Some(Token::Name("print")) => Line::Print(parser.printed()?),
        Some(Token::Name(name)) => {
            parser.expect("=")?;
            Line::Assign(name, parser.sum()?)
        }
        Some(_) => return Err(Refusal::Syntax),
    };
    if parser.rest.next().is_some() {
        return Err(Refusal::Syntax);
    }
    Ok(Some(line))
}

struct Parser<'a> {
    rest: Peekable<vec::IntoIter<Token<'a>>>,
    depth: u32,
}

type Read<'a> = Result<Expression<'a>, Refusal>;

impl<'a> Parser<'a> {
    fn takes(&mut self, sign: &'static str) -> bool {
        self.rest.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), Refusal> {
        if self.takes(sign) {
            Ok(())
        } else {
            Err(Refusal::Syntax)
        }
    }

    /// The one number among what is printed.
    fn printed(&mut self) -> Read<'a> {
        self.expect("(")?;
        let mut printed = None;
        while !self.takes(")") {
            if self.rest.next_if_eq(&Token::Text).is_none()
                && printed.replace(self.sum()?).is_some()
            {
                return Err(Refusal::Syntax);
            }
            if !self.takes(",") {
                self.expect(")")?;
                break;
            }
        }
        printed.ok_or(Refusal::Syntax)
    }

    fn sum(&mut self) -> Read<'a> {
        let signs = [("+", Operator::Add), ("-", Operator::Subtract)];
        self.chain(&signs, Self::product)
    }

    fn product(&mut self) -> Read<'a> {
        let signs = [
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("//", Operator::FloorDivide),
            ("%", Operator::Modulo),
        ];
        self.chain(&signs, Self::factor)
    }

    fn chain(
        &mut self,
        signs: &[(&'static str, Operator)],
        operand: fn(&mut Self) -> Read<'a>,
    ) -> Read<'a> {
        let first = operand(self)?;
        let mut others = Vec::new();
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| self.takes(sign)) {
            others.push((*operator, operand(self)?));
        }
        Ok(if others.is_empty() {
            first
        } else {
            Expression::Chain(Box::new(first), others)
        })
    }

    /// Everything that nests comes through here.
    fn factor(&mut self) -> Read<'a> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Refusal::TooLarge);
        }
        let factor = if self.takes("-") {
            Expression::Negated(Box::new(self.factor()?))
        } else if self.takes("+") {
            self.factor()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(factor)
    }

    fn power(&mut self) -> Read<'a> {
        let base = self.atom()?;
        if !self.takes("**") {
            return Ok(base);
        }
        // To the right, and with a sign of its own.
        Ok(Expression::Power(Box::new(base), Box::new(self.factor()?)))
    }

    fn atom(&mut self) -> Read<'a> {
        match self.rest.next() {
            Some(Token::Number(number)) => Ok(Expression::Number(number)),
            Some(Token::Name(name)) if self.takes("(") => {
                let known = FUNCTIONS.iter().find(|(known, _)| *known == name);
                let (_, function) = known.ok_or(Refusal::Unknown)?;
                Ok(Expression::Call(
                    name,
                    *function,
                    self.arguments(*function)?,
                ))
            }
            Some(Token::Name(name)) => Ok(Expression::Name(name)),
            Some(Token::Sign("(")) => {
                let inner = self.sum()?;
                self.expect(")")?;
                Ok(inner)
            }
            _ => Err(Refusal::Syntax),
        }
    }

    fn arguments(&mut self, of: Function) -> Result<Vec<Expression<'a>>, Refusal> {
        if !(of.takes_list() && self.takes("[")) {
            return self.items(")");
        }
        let items = self.items("]")?;
        self.expect(")")?;
        Ok(items)
    }

    /// Expressions between commas, and what closes them.
    fn items(&mut self, close: &'static str) -> Result<Vec<Expression<'a>>, Refusal> {
        let mut items = Vec::new();
        while !self.takes(close) {
            items.push(self.sum()?);
            if !self.takes(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(items)
    }
}
