//! The tokens of one line.

use super::Refusal;
use super::exact::Exact;

/// Most digits of a number.
const MOST_DIGITS: usize = 100;
/// Greatest power of ten behind a number's `e`, whatever its sign.
const MOST_POWER: i64 = 64;

/// The longer ones first.
const SIGNS: [&str; 13] = [
    "**", "//", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", "=",
];

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Number(Exact),
    Sign(&'static str),
    /// A text between quotes, whatever it says.
    Text,
}

/// The tokens of a line, without its comment.
pub(super) fn tokens(line: &str) -> Result<Vec<Token<'_>>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
        let (token, behind) = if first == '#' {
            break;
        } else if matches!(first, '"' | '\'') {
            (Token::Text, text(rest, first)?)
        } else if first.is_ascii_digit() || first == '.' {
            let (number, behind) = number(rest)?;
            (Token::Number(number), behind)
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let (name, behind) = rest.split_at(end.unwrap_or(rest.len()));
            (Token::Name(name), behind)
        } else if let Some(sign) = sign {
            let behind = rest.strip_prefix(sign).unwrap_or_default();
            (Token::Sign(sign), behind)
        } else {
            return Err(Refusal::Syntax);
        };
        tokens.push(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

/// What follows the text that stands between two `quote`s at the beginning.
fn text(rest: &str, quote: char) -> Result<&str, Refusal> {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return rest.get(at + 1..).ok_or(Refusal::Syntax);
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    Err(Refusal::Syntax)
}

/// The number at the beginning, and what follows it.
fn number(text: &str) -> Result<(Exact, &str), Refusal> {
    let (whole, mut rest) = digits(text)?;
    let mut behind = String::new();
    let mut is_whole = true;
    if let Some(after) = rest.strip_prefix('.') {
        (behind, rest) = digits(after)?;
        is_whole = false;
    }
    let mut power = 0;
    if let Some(after) = rest.strip_prefix(['e', 'E']) {
        (power, rest) = exponent(after)?;
        is_whole = false;
    }
    let written = whole + &behind;
    // Python reads no `007`, which elsewhere would be octal.
    let is_octal = is_whole && written.starts_with('0') && written.contains(|c| c != '0');
    let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
    if written.is_empty() || is_octal || goes_on {
        return Err(Refusal::Syntax);
    }
    if written.len() > MOST_DIGITS {
        return Err(Refusal::TooLarge);
    }
    let places = i64::try_from(behind.len()).map_err(|_long| Refusal::TooLarge)?;
    Ok((Exact::decimal(&written, power - places)?, rest))
}

/// Digits without the underscores between them, and what follows; there may be none.
fn digits(text: &str) -> Result<(String, &str), Refusal> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_');
    let (run, rest) = text.split_at(end.unwrap_or(text.len()));
    if run.starts_with('_') || run.ends_with('_') || run.contains("__") {
        return Err(Refusal::Syntax);
    }
    Ok((run.replace('_', ""), rest))
}

/// The power of ten behind an `e`, and what follows it.
fn exponent(text: &str) -> Result<(i64, &str), Refusal> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, rest) = digits(unsigned)?;
    if digits.is_empty() {
        return Err(Refusal::Syntax);
    }
    let power: i64 = digits.parse().map_err(|_far| Refusal::TooLarge)?;
    if power > MOST_POWER {
        return Err(Refusal::TooLarge);
    }
    Ok((if is_negative { -power } else { power }, rest))
}
