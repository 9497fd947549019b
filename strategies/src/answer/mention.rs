//! Numbers in prose: with their signs, their units, and typeset ones.

use super::value::AnswerValue;

/// Longest formula, in bytes, that is looked at, and how many of them, from the last.
const MAX_FORMULA: usize = 400;
const FORMULAS: usize = 64;
/// Longest number with a unit glued to it, in bytes.
const MAX_QUANTITY: usize = 32;
/// Most words behind a number that name its unit: `miles per hour`.
const UNIT_WORDS: usize = 3;

/// The number in a text that contains exactly one.
pub(super) fn only(text: &str) -> Option<AnswerValue> {
    let mut mentions = mentions(text);
    let only = mentions.next()?;
    if mentions.next().is_some() {
        None
    } else {
        only.value(text)
    }
}

/// The last number of a text: a plain one, a typeset one, or what its last line ends with.
pub(super) fn last(text: &str) -> Option<AnswerValue> {
    if let Some(value) = typeset_end(text) {
        return Some(value);
    }
    let plain = mentions(text).last();
    let typeset = formulas(text)
        .into_iter()
        .rev()
        .take(FORMULAS)
        .find_map(|(at, formula)| Some((at + formula.len(), number(formula)?)));
    match (plain, typeset) {
        (Some(plain), Some((end, _))) if plain.end > end => plain.value(text),
        (_, Some((_, value))) => Some(value),
        (Some(plain), None) => plain.value(text),
        (None, None) => None,
    }
}

/// The formulas of a text and where each begins: between `\(` and `\)`, `\[` and `\]`, or dollar
/// signs. A sign that stands before a price opens none. Only formulas of up to 400 bytes count.
pub fn formulas(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some((open, close)) = [("\\(", "\\)"), ("\\[", "\\]"), ("$", "$")]
            .into_iter()
            .filter_map(|(open, close)| Some((rest.find(open)? + open.len(), close)))
            .min()
        else {
            break;
        };
        let inner = rest.get(open..).unwrap_or_default();
        let inner = inner
            .get(..inner.floor_char_boundary(MAX_FORMULA))
            .unwrap_or_default();
        let length = if close == "$" {
            dollar_end(inner)
        } else {
            inner.find(close)
        };
        match length.and_then(|length| inner.get(..length)) {
            Some(formula) => {
                found.push((at + open, formula));
                at += open + formula.len() + close.len();
            }
            None => at += open,
        }
    }
    found
}

/// Where a formula behind a dollar sign ends: no space before the sign that closes it, and no digit
/// behind, as Pandoc has it.
fn dollar_end(inner: &str) -> Option<usize> {
    if inner.starts_with(char::is_whitespace) {
        return None;
    }
    let line = inner.split('\n').next().unwrap_or_default();
    line.match_indices('$').map(|(at, _)| at).find(|at| {
        let (before, behind) = line.split_at(*at);
        !before.is_empty()
            && !before.ends_with(char::is_whitespace)
            && !behind
                .get(1..)
                .unwrap_or_default()
                .starts_with(|c: char| c.is_ascii_digit())
    })
}

/// What the last line ends with behind `=` or `is`, if that is a number in LaTeX's notation.
fn typeset_end(text: &str) -> Option<AnswerValue> {
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    let links = ["=", "≈", " is ", " are ", " equals ", ":"];
    let from = links
        .iter()
        .filter_map(|link| Some(line.rfind(link)? + link.len()))
        .max()
        .unwrap_or(0);
    let end = line.get(from..)?.trim();
    if !end.contains(['\\', '√', '⁄', '½', '¼', '¾', '⅓', '⅔']) {
        return None;
    }
    number(end).or_else(|| number(end.rsplit(' ').next()?))
}

fn number(text: &str) -> Option<AnswerValue> {
    AnswerValue::parse(text).filter(AnswerValue::is_number)
}

/// A number as written, by where it stands.
struct Mention {
    start: usize,
    end: usize,
}

impl Mention {
    /// Its value, with the currency before it and the unit behind it.
    fn value(&self, text: &str) -> Option<AnswerValue> {
        let written = text.get(self.start..self.end)?;
        let before = text.get(..self.start)?.chars().next_back();
        if let Some(sign) = before.filter(|sign| matches!(sign, '$' | '€' | '£')) {
            // Not both signs of a formula: one alone is a currency.
            return AnswerValue::parse(&format!("{sign}{written}")).filter(AnswerValue::is_number);
        }
        let with_unit = self.units(text).into_iter().rev().find_map(|end| {
            number(text.get(self.start..end)?).filter(|value| value.unit().is_some())
        });
        with_unit.or_else(|| AnswerValue::parse(written))
    }

    /// Where each of the words behind it ends, up to the end of its sentence.
    fn units(&self, text: &str) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut at = self.end;
        for _ in 0..UNIT_WORDS {
            let rest = text.get(at..).unwrap_or_default();
            let word = rest.trim_start_matches([' ', '\u{a0}', '*', '\\', '-']);
            let start = at + rest.len() - word.len();
            let length = word.find(char::is_whitespace).unwrap_or(word.len());
            let whole = word.get(..length).unwrap_or_default();
            let bare = whole.trim_end_matches(|c: char| {
                c.is_ascii_punctuation() && !matches!(c, '%' | '$' | '}')
            });
            if bare.is_empty() {
                break;
            }
            ends.push(start + bare.len());
            at = start + bare.len();
            if bare.len() < whole.len() {
                break;
            }
        }
        ends
    }
}

/// The numbers of a text as written, with sign, separators, fraction bar and percent sign.
fn mentions(text: &str) -> impl Iterator<Item = Mention> {
    let mut at = 0;
    let is_part = |c: char| {
        c.is_alphanumeric() || matches!(c, '.' | ',' | '/' | '-' | '−' | '%' | '_' | '°' | 'µ')
    };
    let mut whole: Option<Mention> = None;
    let mut found = Vec::new();
    for piece in text.split_inclusive(|c: char| !is_part(c)) {
        let start = at;
        at += piece.len();
        let piece = piece.trim_end_matches(|c: char| !is_part(c));
        let Some(mut mention) = mention(piece, start) else {
            whole = None;
            continue;
        };
        let written = text.get(mention.start..mention.end).unwrap_or_default();
        // `1 1/2` is one number.
        if let Some(before) = whole.take()
            && mention.start == before.end + 1
            && is_proper_fraction(written)
        {
            found.pop();
            mention.start = before.start;
        } else if written.bytes().all(|byte| byte.is_ascii_digit()) {
            whole = Some(Mention { ..mention });
        }
        found.push(mention);
    }
    found.into_iter()
}

fn mention(piece: &str, start: usize) -> Option<Mention> {
    let number = piece
        .trim_end_matches(['.', ',', '/', '_'])
        .trim_end_matches(['-', '−']);
    let skipped = number.len() - number.trim_start_matches(['.', ',', '/', '_']).len();
    let number = number.get(skipped..)?;
    let unsigned = number.trim_start_matches(['-', '−']);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let is_bare = unsigned
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '/' | '%'));
    // `60km/h` is one; `12th` and `3x` are none.
    let is_short = number.len() <= MAX_QUANTITY;
    let is_quantity = || AnswerValue::parse(number).is_some_and(|value| value.unit().is_some());
    (is_bare || (is_short && is_quantity())).then_some(Mention {
        start: start + skipped,
        end: start + skipped + number.len(),
    })
}

fn is_proper_fraction(written: &str) -> bool {
    let parsed = |text: &str| text.parse::<u32>().ok();
    written
        .split_once('/')
        .and_then(|(above, below)| Some(parsed(above)? < parsed(below)?))
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: Option<AnswerValue>) -> (String, Option<String>) {
        let value = value.expect("a number");
        (value.to_string(), value.unit().map(str::to_owned))
    }

    #[test]
    fn a_number_in_prose_keeps_its_unit() {
        for (text, written, unit) in [
            (
                "It moves at 60 miles per hour.",
                "60 miles per hour",
                Some("mi/h"),
            ),
            ("It moves at 60 km/h on average.", "60 km/h", Some("km/h")),
            ("It moves at 60km/h.", "60km/h", Some("km/h")),
            ("She pays $5.50 for it.", "$5.50", Some("$")),
            ("He has 5 apples left.", "5", None),
            ("You need 1 1/2 cups of it.", "1 1/2 cups", Some("cup")),
            ("That leaves −3 of them.", "−3", None),
            (
                "It is 20 degrees Celsius there.",
                "20 degrees Celsius",
                Some("°C"),
            ),
            ("About 12% of all.", "12%", Some("%")),
            ("It took 90 minutes, not 2 days.", "2 days", Some("day")),
        ] {
            let found = said(last(text));
            assert_eq!(
                found,
                (written.to_owned(), unit.map(str::to_owned)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_typeset_number_is_a_number() {
        for (text, written) in [
            (r"The result is \(\tfrac34\).", r"\tfrac34"),
            (r"So we get $\frac{1}{2}$ in all", r"\frac{1}{2}"),
            (r"Its length is 2\sqrt{3}.", r"2\sqrt{3}"),
            (r"\[ x = \dfrac{5}{7} \]", r"\dfrac{5}{7} \]"),
            ("From \\(x^2 = 4\\) it follows that there are 2.", "2"),
            ("It costs $5 and then $6.", "$6"),
            ("That makes ¾", "¾"),
        ] {
            assert_eq!(said(last(text)).0.trim(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "the 12th", "3x", "$", "\\(", "$ 5 $x", "A4b"] {
            assert!(only(text).is_none() || text == "$ 5 $x", "{text}");
        }
        assert!(last("nothing at all").is_none());
    }
}
