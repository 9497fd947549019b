//! From the text of an answer to its value.

use super::number::{Number, Ratio};
use super::value::{AnswerValue, Kind};
use super::{expression, latex, unit};

/// Longest text, in bytes, that is read as anything but words.
const MAX_FORMAL: usize = 400;
/// Deepest nesting of tuples and sets.
const MAX_DEPTH: usize = 4;
/// Most items of a tuple or set.
const MAX_ITEMS: usize = 32;
/// Longest left side of an equation, in bytes, whose right side is the answer.
const MAX_LEFT_SIDE: usize = 48;

impl AnswerValue {
    /// Reads an answer's text: a number with or without unit, a date, yes or no, a tuple, a set, an
    /// interval, an equation's right side, else words. None if nothing is left without markup.
    ///
    /// ```
    /// use hone_strategies::answer::{AnswerValue, equivalent};
    /// let read = |text| AnswerValue::parse(text).unwrap();
    /// assert!(equivalent(&read(r"$x = \frac{1}{2}$"), &read("0.50")));
    /// assert!(!equivalent(&read("12"), &read("13")));
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let written = unwrap(text);
        if written.is_empty() {
            return None;
        }
        if written.len() > MAX_FORMAL {
            return Some(Self::new(written, Kind::Text(fold(written))));
        }
        let cleaned = latex::clean(written);
        let cleaned = unwrap(&cleaned);
        let kind = date(cleaned)
            .or_else(|| truth(cleaned))
            .or_else(|| formal(cleaned, 0));
        Some(Self::new(
            written,
            kind.unwrap_or_else(|| Kind::Text(fold(cleaned))),
        ))
    }
}

/// The text without the markup, quotes and punctuation around it.
pub(super) fn unwrap(text: &str) -> &str {
    let mut text = text;
    loop {
        let before = text.len();
        text = text
            .trim()
            .trim_matches(|c| matches!(c, '*' | '`' | '"' | '“' | '”'));
        text = text
            .trim_start_matches([':', '：', '='])
            .trim_end_matches([',', ';', ':', '.', '。', ' ']);
        for (open, close) in [
            ("__", "__"),
            ("$", "$"),
            ("'", "'"),
            ("\\(", "\\)"),
            ("\\[", "\\]"),
        ] {
            text = text
                .strip_prefix(open)
                .and_then(|inner| inner.strip_suffix(close))
                .unwrap_or(text);
        }
        if text.len() == before {
            return text;
        }
    }
}

/// Words in one form: lower case, single spaces, no leading article; formulas without spaces.
pub(super) fn fold(text: &str) -> String {
    let lower = text
        .to_lowercase()
        .replace(['⦅', '⦃'], "(")
        .replace(['⦆', '⦄'], ")")
        .replace('⁄', ")/(");
    let is_formula = lower.contains([
        '\\', '^', '=', '+', '*', '/', '_', '<', '>', '≤', '≥', '(', '{',
    ]);
    if is_formula {
        let dense: String = lower.chars().filter(|c| !c.is_whitespace()).collect();
        return bare_atoms(&dense.replace("<=", "≤").replace(">=", "≥"));
    }
    let mut words: Vec<&str> = lower.split_whitespace().collect();
    if words.len() > 1 && matches!(words.first(), Some(&("the" | "a" | "an"))) {
        words.remove(0);
    }
    words.join(" ")
}

/// Longest name or number, in bytes, that needs no parentheses around it.
const MAX_ATOM: usize = 16;

/// A formula without the parentheses and braces around single names and numbers, `f(x)` apart.
fn bare_atoms(formula: &str) -> String {
    let mut out = String::with_capacity(formula.len());
    let mut rest = formula;
    while let Some(c) = rest.chars().next() {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        let applied = c == '(' && out.ends_with(char::is_alphanumeric);
        let close = if c == '(' { ')' } else { '}' };
        // A bracket that closes further away encloses no atom; looking for it would take the square
        // of the time.
        let near = behind
            .get(..behind.floor_char_boundary(MAX_ATOM + close.len_utf8()))
            .unwrap_or_default();
        let atom = matches!(c, '(' | '{')
            .then(|| near.split_once(close))
            .flatten();
        rest = match atom {
            Some((inner, _))
                if !applied && !inner.is_empty() && inner.chars().all(char::is_alphanumeric) =>
            {
                out.push_str(inner);
                behind
                    .get(inner.len() + close.len_utf8()..)
                    .unwrap_or_default()
            }
            _ => {
                out.push(c);
                behind
            }
        };
    }
    out
}

/// A date as in ISO 8601, with `-` or `/`.
fn date(text: &str) -> Option<Kind> {
    let separator = text.chars().nth(4).filter(|c| matches!(c, '-' | '/'))?;
    let parts: Vec<&str> = text.split(separator).collect();
    let [year, month, day] = parts.as_slice() else {
        return None;
    };
    let all_digits = text.chars().all(|c| c.is_ascii_digit() || c == separator);
    let lengths = (year.len(), month.len(), day.len()) == (4, 2, 2);
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    (all_digits && lengths && (1..=12).contains(&month) && (1..=31).contains(&day))
        .then_some(Kind::Date(year, month, day))
}

fn truth(text: &str) -> Option<Kind> {
    let is = |words: [&str; 2]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["yes", "true"]) {
        Some(Kind::Truth(true))
    } else {
        is(["no", "false"]).then_some(Kind::Truth(false))
    }
}

/// A value of mathematical form.
fn formal(text: &str, depth: usize) -> Option<Kind> {
    let text = text.trim();
    if depth > MAX_DEPTH || text.is_empty() {
        return None;
    }
    if let Some(quantity) = quantity(text) {
        return Some(quantity);
    }
    solutions(text, depth)
        .or_else(|| right_side(text).and_then(|(_, right)| item(right, depth)))
        .or_else(|| either_sign(text))
        .or_else(|| union(text, depth))
        .or_else(|| brackets(text, depth))
        .or_else(|| bare_list(text, depth))
}

/// A part of a larger value: formal if it can be, else words.
fn item(text: &str, depth: usize) -> Option<Kind> {
    let text = text.trim();
    let formal = formal(text, depth + 1);
    formal.or_else(|| (!text.is_empty()).then(|| Kind::Text(fold(text))))
}

/// A number with what stands before and behind it.
fn quantity(text: &str) -> Option<Kind> {
    if let Some(number) = expression::evaluate(text) {
        return Some(Kind::Number { number, unit: None });
    }
    let (negative, unsigned) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest.trim_start()));
    let sign = unsigned.chars().next()?;
    if let Some(currency) = unit::currency(sign) {
        let Kind::Number { number, .. } = quantity(unsigned.get(sign.len_utf8()..)?.trim_start())?
        else {
            return None;
        };
        return Some(Kind::Number {
            number: if negative { number.neg()? } else { number },
            unit: Some(currency.to_owned()),
        });
    }
    let (number, behind) = split_unit(text)?;
    let glued = !number.ends_with(char::is_whitespace);
    let suffix = unit::suffix(behind, glued)?;
    let number = expression::evaluate(number)?.mul(&Number::from(Ratio::int(suffix.factor)))?;
    Some(Kind::Number {
        number,
        unit: suffix.unit,
    })
}

/// Splits before the first word or sign that no number contains.
fn split_unit(text: &str) -> Option<(&str, &str)> {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = text.get(at..)?;
        let begins_word = c.is_alphabetic() && c != 'π' && !before.is_alphabetic();
        let behind = rest.get(c.len_utf8()..)?;
        let in_number = ["sqrt", "pi"].iter().any(|name| rest.starts_with(name))
            || (matches!(c, 'e' | 'E')
                && before.is_ascii_digit()
                && behind.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
            || (c == 'x'
                && behind
                    .trim_start()
                    .starts_with(|c: char| c.is_ascii_digit()));
        if matches!(c, '%' | '°' | '$' | '€' | '£' | '¢') || (begins_word && !in_number) {
            return text
                .split_at_checked(at)
                .filter(|(number, _)| !number.is_empty());
        }
        before = c;
    }
    None
}

/// The variable and the value in `x = 5`, `x ≈ 5` or `x ∈ S`.
fn right_side(text: &str) -> Option<(&str, &str)> {
    let ordered = ["<=", ">=", "!=", "==", "≤", "≥", "≠", "<", ">"]
        .iter()
        .any(|sign| text.contains(sign));
    let (left, right) = text.rsplit_once(['=', '≈', '∈']).filter(|_| !ordered)?;
    let (left, right) = (left.trim(), right.trim());
    (!left.is_empty() && left.len() <= MAX_LEFT_SIDE && !right.is_empty()).then_some((left, right))
}

/// Several equations: the values of one variable as a set, the values of several in the order of
/// their names.
fn solutions(text: &str, depth: usize) -> Option<Kind> {
    let parts = list(text)?;
    let mut sides = Vec::with_capacity(parts.len());
    for part in parts {
        sides.push(right_side(part)?);
    }
    let first = sides.first()?.0;
    let one_variable = sides.iter().all(|(left, _)| *left == first);
    if !one_variable {
        sides.sort_by_key(|(left, _)| *left);
    }
    let items = sides
        .iter()
        .map(|(_, right)| item(right, depth))
        .collect::<Option<Vec<Kind>>>()?;
    if one_variable {
        Kind::unordered(items)
    } else {
        Some(Kind::Ordered {
            open: '(',
            items,
            close: ')',
        })
    }
}

/// Both values of `a ± b`.
fn either_sign(text: &str) -> Option<Kind> {
    let (before, behind) = text.split_once('±')?;
    let values = ['+', '-'].map(|sign| {
        Some(Kind::Number {
            number: expression::evaluate(&format!("{before}{sign}{behind}"))?,
            unit: None,
        })
    });
    Kind::unordered(values.into_iter().collect::<Option<Vec<Kind>>>()?)
}

fn union(text: &str, depth: usize) -> Option<Kind> {
    let parts = split_top_level(text, '∪').filter(|parts| parts.len() > 1)?;
    Kind::unordered(
        parts
            .into_iter()
            .map(|part| item(part, depth))
            .collect::<Option<Vec<Kind>>>()?,
    )
}

/// A tuple, an interval, a list or a set in its brackets.
fn brackets(text: &str, depth: usize) -> Option<Kind> {
    let (open, close) = (text.chars().next()?, text.chars().next_back()?);
    let is_set = matches!((open, close), ('⦃', '⦄') | ('{', '}'));
    if !is_set && !matches!((open, close), ('(' | '[', ')' | ']') | ('⟨', '⟩')) {
        return None;
    }
    let inner = text.get(open.len_utf8()..text.len().checked_sub(close.len_utf8())?)?;
    let parts = split_top_level(inner, ',')
        .filter(|parts| parts.len() > 1 || (is_set && !inner.trim().is_empty()))?;
    let items = parts
        .into_iter()
        .map(|part| item(part, depth))
        .collect::<Option<Vec<Kind>>>()?;
    if is_set {
        Kind::unordered(items)
    } else {
        Some(Kind::Ordered { open, items, close })
    }
}

/// Values without brackets, as in `1, 2 and 3`: a set.
fn bare_list(text: &str, depth: usize) -> Option<Kind> {
    let items = list(text)?
        .into_iter()
        .map(|part| formal(part, depth + 1))
        .collect::<Option<Vec<Kind>>>()?;
    Kind::unordered(items)
}

/// The items of a list without brackets, at least two.
fn list(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    for part in split_top_level(text, ',')? {
        let part = part.trim();
        let part = part
            .strip_prefix("and ")
            .or_else(|| part.strip_prefix("or "))
            .unwrap_or(part);
        parts.extend(
            part.split(" and ")
                .flat_map(|part| part.split(" or "))
                .map(str::trim),
        );
    }
    ((2..=MAX_ITEMS).contains(&parts.len())).then_some(parts)
}

/// The parts between separators outside all brackets. None where brackets do not match or parts are
/// too many. Intervals may close with another bracket.
fn split_top_level(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' | '⦃' | '⟨' | '⦅' => depth += 1,
            ')' | ']' | '}' | '⦄' | '⟩' | '⦆' => depth = depth.checked_sub(1)?,
            _ if c == separator && depth == 0 => {
                parts.push(text.get(start..at)?);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (depth == 0 && parts.len() <= MAX_ITEMS).then_some(parts)
}
