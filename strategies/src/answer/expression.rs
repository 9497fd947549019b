//! Arithmetic in cleaned notation: numbers, `+ - * / ^`, fractions, roots, π and parentheses.
//! Anything else is not a number.

use super::number::{Number, Ratio};

/// Longest expression, in bytes.
const MAX_BYTES: usize = 256;
/// Deepest nesting of parentheses, fractions, roots and signs.
const MAX_DEPTH: usize = 12;
/// Most digits of one literal.
const MAX_DIGITS: usize = 30;

/// The value of `text`, which [`super::latex::clean`] has made; none if it is not arithmetic.
pub(super) fn evaluate(text: &str) -> Option<Number> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    let value = parser.sum(0)?;
    (parser.at == parser.tokens.len()).then_some(value)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(Ratio),
    /// An operator, a bracket, `√`, `π`, or a part of a typeset fraction `⦅a⁄b⦆`.
    Sign(char),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        if c.is_ascii_digit() || c == '.' {
            let (value, behind) = literal(rest)?;
            tokens.push(Token::Literal(value));
            rest = behind;
        } else {
            let (sign, behind) = sign(c, rest, &tokens)?;
            tokens.push(Token::Sign(sign));
            rest = behind;
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

fn sign<'a>(c: char, rest: &'a str, before: &[Token]) -> Option<(char, &'a str)> {
    for (word, sign) in [("sqrt", '√'), ("pi", 'π'), ("**", '^')] {
        if let Some(behind) = rest.strip_prefix(word) {
            return Some((sign, behind));
        }
    }
    let behind = rest.get(c.len_utf8()..)?;
    let between_numbers = matches!(before.last(), Some(Token::Literal(_)))
        && behind
            .trim_start()
            .starts_with(|c: char| c.is_ascii_digit());
    match c {
        'x' if between_numbers => Some(('*', behind)),
        '−' => Some(('-', behind)),
        '+' | '-' | '*' | '/' | '^' | '(' | ')' | '{' | '}' | '[' | ']' | '√' | 'π' | '⦅' | '⁄'
        | '⦆' => Some((c, behind)),
        _ => None,
    }
}

/// A literal at the beginning of `rest`: digits with thousands separators, a decimal point, an
/// exponent.
fn literal(rest: &str) -> Option<(Ratio, &str)> {
    let (whole, mut rest) = grouped_digits(rest);
    let mut digits = whole;
    let mut scale = 0;
    if let Some(behind) = rest.strip_prefix('.') {
        let length = behind.bytes().take_while(u8::is_ascii_digit).count();
        digits.push_str(behind.get(..length)?);
        scale = length;
        rest = behind.get(length..)?;
    }
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    let mut exponent = -i32::try_from(scale).ok()?;
    if let Some((stated, behind)) = exponent_of(rest) {
        exponent = exponent.checked_add(stated)?;
        rest = behind;
    }
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let digits: i128 = digits.parse().ok()?;
    let value = if exponent < 0 {
        Ratio::new(digits, power)?
    } else {
        Ratio::int(digits.checked_mul(power)?)
    };
    Some((value, rest))
}

/// The digits at the beginning of `rest` without separators. `1,234` and `1 234` are one number,
/// `1,23` is not.
fn grouped_digits(rest: &str) -> (String, &str) {
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (first, mut rest) = rest.split_at(length);
    let mut digits = first.to_owned();
    if !(1..=3).contains(&length) || first.starts_with('0') {
        return (digits, rest);
    }
    for separator in [',', ' '] {
        while let Some(group) = rest
            .strip_prefix(separator)
            .filter(|group| group.bytes().take_while(u8::is_ascii_digit).count() == 3)
        {
            let (group, behind) = group.split_at(3);
            digits.push_str(group);
            rest = behind;
        }
    }
    (digits, rest)
}

/// The exponent in `e5` or `E-3`.
fn exponent_of(rest: &str) -> Option<(i32, &str)> {
    let behind = rest.strip_prefix(['e', 'E'])?;
    let signed = behind.strip_prefix(['-', '+']).unwrap_or(behind);
    let digits = signed.bytes().take_while(u8::is_ascii_digit).count();
    let length = behind.len() - signed.len() + digits;
    let exponent = behind.get(..length)?.parse().ok()?;
    (digits > 0).then_some((exponent, behind.get(length..)?))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn take(&mut self, sign: char) -> bool {
        let found = self.peek(0) == Some(Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn sum(&mut self, depth: usize) -> Option<Number> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut total = if self.take('-') {
            self.product(depth)?.neg()?
        } else {
            self.unsigned(depth)?
        };
        loop {
            if self.take('+') {
                total = total.add(&self.product(depth)?)?;
            } else if self.take('-') {
                total = total.add(&self.product(depth)?.neg()?)?;
            } else {
                return Some(total);
            }
        }
    }

    fn unsigned(&mut self, depth: usize) -> Option<Number> {
        self.take('+');
        self.product(depth)
    }

    fn product(&mut self, depth: usize) -> Option<Number> {
        let mut product = self.power(depth)?;
        loop {
            if self.take('*') {
                product = product.mul(&self.power(depth)?)?;
            } else if self.take('/') {
                product = product.mul(&self.power(depth)?.recip()?)?;
            } else if matches!(self.peek(0), Some(Token::Sign('(' | '√' | 'π' | '⦅' | '{'))) {
                product = product.mul(&self.power(depth)?)?;
            } else {
                return Some(product);
            }
        }
    }

    fn power(&mut self, depth: usize) -> Option<Number> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.take('-') {
            return self.power(depth + 1)?.neg();
        }
        let base = self.atom(depth)?;
        if self.take('^') {
            base.pow(&self.power(depth + 1)?)
        } else {
            Some(base)
        }
    }

    fn atom(&mut self, depth: usize) -> Option<Number> {
        let token = self.peek(0)?;
        self.at += 1;
        match token {
            Token::Literal(value) => self.mixed(value).or_else(|| Some(Number::from(value))),
            Token::Sign('(') => self.inside(')', depth),
            Token::Sign('{') => self.inside('}', depth),
            Token::Sign('⦅') => {
                let above = self.inside('⁄', depth)?;
                above.mul(&self.inside('⦆', depth)?.recip()?)
            }
            Token::Sign('√') => {
                let degree = if self.take('[') {
                    self.inside(']', depth)?.as_ratio()?.as_int()?
                } else {
                    2
                };
                self.atom_within(depth)?.root(degree)
            }
            Token::Sign('π') => Some(Number::pi()),
            Token::Sign(_) => None,
        }
    }

    fn atom_within(&mut self, depth: usize) -> Option<Number> {
        if depth >= MAX_DEPTH {
            return None;
        }
        self.atom(depth + 1)
    }

    fn inside(&mut self, close: char, depth: usize) -> Option<Number> {
        let value = self.sum(depth + 1)?;
        self.take(close).then_some(value)
    }

    /// The rest of a mixed number such as `1 1/2` or `1⦅1⁄2⦆`, after its whole part.
    fn mixed(&mut self, whole: Ratio) -> Option<Number> {
        whole.as_int()?;
        let (above, below, length) = match (
            self.peek(0)?,
            self.peek(1)?,
            self.peek(2)?,
            self.peek(3),
            self.peek(4),
        ) {
            (Token::Literal(above), Token::Sign('/'), Token::Literal(below), ..) => {
                (above, below, 3)
            }
            (
                Token::Sign('⦅'),
                Token::Literal(above),
                Token::Sign('⁄'),
                Some(Token::Literal(below)),
                Some(Token::Sign('⦆')),
            ) => (above, below, 5),
            _ => return None,
        };
        let fraction = Ratio::new(above.as_int()?, below.as_int()?)?;
        self.at += length;
        Some(Number::from(whole.add(fraction)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_have_the_value_of_arithmetic() {
        let same = [
            ("1/2", "0.5"),
            ("2+3*4", "14"),
            ("(2+3)*4", "20"),
            ("-2^2", "-4"),
            ("(-2)^2", "4"),
            ("2^-1", "1/2"),
            ("1 1/2", "1.5"),
            ("1⦅1⁄2⦆", "3/2"),
            ("1,234,567", "1234567"),
            ("1 000 000", "10^6"),
            ("1.5e3", "1500"),
            ("1.5 x 10^3", "1500"),
            ("2√3", "√12"),
            ("√(8)/2", "√2"),
            ("2π/4", "π/2"),
            ("√[3]{27}", "3"),
            ("4^(1/2)", "2"),
            (".5", "0.50"),
            ("2(3)", "6"),
            ("1/√2", "√2/2"),
            ("1+√2", "√2+1"),
            ("1/(1+√2)", "√2-1"),
            ("√2", "1.41421356"),
            ("--2", "2"),
        ];
        for (left, right) in same {
            assert!(
                evaluate(left).unwrap().same(&evaluate(right).unwrap()),
                "{left} {right}"
            );
        }
    }

    #[test]
    fn what_is_not_arithmetic_has_no_value() {
        for text in [
            "", "x", "1/0", "2+", "(2", "2)", "1,23", "1..2", "√", "2 3", "5!", "1011_2",
            "10^1000", "√(-1)", "9.9.9", "1e99", ",",
        ] {
            assert!(evaluate(text).is_none(), "{text}");
        }
        assert!(evaluate(&"(".repeat(200)).is_none());
        assert!(evaluate(&"-".repeat(200)).is_none());
        assert!(evaluate(&"√".repeat(80)).is_none());
    }
}
