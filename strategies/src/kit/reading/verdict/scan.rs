//! The pieces of a verdict: labels, what may stand between a label and its number, and numbers.

/// Bytes behind a label in which its number must stand.
const REACH: usize = 160;
/// Bytes of a remark in parentheses between a label and its number, as in `Score (0 to 10): 8`.
const REMARK: usize = 48;
/// Words that may stand between a label and its number.
const FILLERS: [&str; 9] = [
    "is",
    "of",
    "as",
    "number",
    "no",
    "candidate",
    "response",
    "answer",
    "boxed",
];

/// What stands where a verdict may stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reading {
    /// Nothing that looks like a verdict.
    Absent,
    /// A verdict that cannot be used: negative, a range, or several at once.
    Invalid,
    /// A number.
    Value(f64),
}

impl Reading {
    pub(super) fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        if self == Self::Absent { other() } else { self }
    }
}

/// The number behind the last label that has one.
pub(super) fn last_labelled(text: &str, labels: &[&[&str]], end: f64) -> Reading {
    last_behind_label(text, labels, |rest| score(rest, end))
}

/// The number of a candidate behind the last label that has one.
pub(super) fn last_choice(text: &str, labels: &[&[&str]]) -> Reading {
    last_behind_label(text, labels, choice)
}

/// Whether a label is followed by a colon, with only markup between them.
pub(super) fn has_label_with_colon(text: &str, labels: &[&[&str]]) -> bool {
    behind_labels(text, labels)
        .any(|rest| rest.trim_start_matches(is_markup).starts_with([':', '：']))
}

/// The last `[[8]]`.
pub(super) fn last_in_double_brackets(text: &str, end: f64) -> Reading {
    let mut pieces = text.rsplit("[[");
    let piece = pieces.find(|piece| {
        piece
            .split_once("]]")
            .is_some_and(|(inner, _)| bare(inner, end) != Reading::Absent)
    });
    match piece.and_then(|piece| piece.split_once("]]")) {
        Some((inner, _)) if text.contains("[[") => bare(inner, end),
        _ => Reading::Absent,
    }
}

/// The last `**8**`.
pub(super) fn last_in_bold(line: &str, end: f64) -> Reading {
    let pieces: Vec<&str> = line.split("**").collect();
    let inside = pieces
        .iter()
        .skip(1)
        .step_by(2)
        .map(|inner| bare(inner, end));
    inside
        .rev()
        .find(|reading| *reading != Reading::Absent)
        .unwrap_or(Reading::Absent)
}

/// The last `8/10` or `8 out of 10` whose maximum is the scale's: other fractions are arithmetic.
pub(super) fn last_out_of(text: &str, end: f64) -> Reading {
    let starts = text.char_indices().scan(' ', |before, (at, c)| {
        let begins =
            c.is_ascii_digit() && !before.is_alphanumeric() && !matches!(*before, '.' | ',' | '/');
        let negative = matches!(*before, '-' | '−');
        *before = c;
        Some((at, begins, negative))
    });
    let readings = starts
        .filter(|(_, begins, _)| *begins)
        .filter_map(|(at, _, negative)| {
            let (value, rest) = number(text.get(at..)?)?;
            let (maximum, _) = maximum(rest)?;
            let same = (maximum - end).abs() < f64::EPSILON;
            same.then_some(if negative {
                Reading::Invalid
            } else {
                Reading::Value(value)
            })
        });
    readings.last().unwrap_or(Reading::Absent)
}

/// A text that is one number, apart from markup.
pub(super) fn bare(text: &str, end: f64) -> Reading {
    let inner = text.trim_matches(|c| is_markup(c) || matches!(c, '.' | ',' | '!'));
    let Some(last) = inner.chars().next_back() else {
        return Reading::Absent;
    };
    let only_a_number = inner.chars().all(|c| {
        c.is_ascii_digit() || matches!(c, '.' | ',' | '/' | '%' | '-' | '−' | '–' | '+' | ' ')
    });
    if only_a_number && (last.is_ascii_digit() || last == '%') {
        score(inner, end)
    } else {
        Reading::Absent
    }
}

/// A line that is the number of one candidate, apart from markup.
pub(super) fn bare_choice(line: &str) -> Reading {
    let inner = line.trim_matches(|c| is_markup(c) || c == '.');
    let only_digits = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    if only_digits {
        choice(inner)
    } else {
        Reading::Absent
    }
}

fn last_behind_label(text: &str, labels: &[&[&str]], read: impl Fn(&str) -> Reading) -> Reading {
    let readings = behind_labels(text, labels).map(|rest| read(skip_filler(rest)));
    readings
        .filter(|reading| *reading != Reading::Absent)
        .last()
        .unwrap_or(Reading::Absent)
}

/// What follows each label, at most [`REACH`] bytes of it.
fn behind_labels<'a>(text: &'a str, labels: &[&[&str]]) -> impl Iterator<Item = &'a str> {
    let mut before = "";
    let mut at = 0;
    text.split_inclusive(|c: char| !c.is_alphanumeric())
        .filter_map(move |piece| {
            let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
            let behind = at + word.len();
            at += piece.len();
            if word.is_empty() {
                return None;
            }
            let found = labels.iter().any(|label| match **label {
                [only] => word.eq_ignore_ascii_case(only),
                [first, second] => {
                    before.eq_ignore_ascii_case(first) && word.eq_ignore_ascii_case(second)
                }
                _ => false,
            });
            before = word;
            let rest = text.get(behind..).filter(|_| found)?;
            rest.get(..rest.floor_char_boundary(REACH))
        })
}

/// Drops what may stand between a label and its number. A minus sign directly before a digit
/// belongs to the number.
fn skip_filler(mut rest: &str) -> &str {
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches(|c| is_markup(c) || matches!(c, ':' | '：' | '='));
        if let Some(behind) = rest.strip_prefix(['-', '–', '—'])
            && behind.starts_with(char::is_whitespace)
        {
            rest = behind;
        }
        if let Some(behind) = remark(rest) {
            rest = behind;
        }
        let word = rest
            .split(|c: char| !c.is_alphabetic())
            .next()
            .unwrap_or_default();
        if FILLERS
            .iter()
            .any(|filler| filler.eq_ignore_ascii_case(word))
        {
            rest = rest.get(word.len()..).unwrap_or_default();
        } else if word.eq_ignore_ascii_case("out")
            && let Some((_, behind)) = maximum(rest)
        {
            rest = behind;
        }
        if rest.len() == before {
            return rest;
        }
    }
}

/// What follows a remark in parentheses that is not itself a number.
fn remark(rest: &str) -> Option<&str> {
    let (inner, behind) = rest.strip_prefix('(')?.split_once(')')?;
    let is_number = bare(inner, 1.0) != Reading::Absent;
    (inner.len() <= REMARK && !inner.contains('\n') && !is_number).then_some(behind)
}

fn is_markup(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '*' | '_'
                | '`'
                | '['
                | ']'
                | '{'
                | '}'
                | '<'
                | '>'
                | '"'
                | '\''
                | '#'
                | '|'
                | '~'
                | '$'
                | '\\'
        )
}

/// A rating at the beginning of `text`, converted to a scale that ends at `end` when it states
/// another maximum.
fn score(text: &str, end: f64) -> Reading {
    let text = text.strip_prefix('(').unwrap_or(text);
    if is_negative(text) {
        return Reading::Invalid;
    }
    let Some((value, rest)) = number(text) else {
        return Reading::Absent;
    };
    if rest.starts_with(char::is_alphanumeric) {
        return Reading::Absent;
    }
    let rest = rest.trim_start_matches([' ', '*', '_', '`', ']', '}', '"', '$', ')']);
    if is_range(rest) {
        return Reading::Invalid;
    }
    if rest.starts_with(['%', '\\']) && rest.trim_start_matches('\\').starts_with('%') {
        return Reading::Value(value * end / 100.0);
    }
    match maximum(rest) {
        Some((maximum, _)) if maximum > 0.0 => Reading::Value(value * end / maximum),
        Some(_) => Reading::Invalid,
        None => Reading::Value(value),
    }
}

/// A single candidate's number at the beginning of `text`.
fn choice(text: &str) -> Reading {
    let text = text.strip_prefix('(').unwrap_or(text);
    if is_negative(text) {
        return Reading::Invalid;
    }
    let Some((value, rest)) = number(text) else {
        return Reading::Absent;
    };
    if rest.starts_with(char::is_alphanumeric) {
        return Reading::Absent;
    }
    let rest = rest.trim_start_matches(|c| is_markup(c) || c == ')');
    let next = ["and", "or", "&", ",", "/", "+"]
        .iter()
        .find_map(|joint| rest.strip_prefix(joint));
    let several = next.is_some_and(|next| number(skip_filler(next)).is_some());
    if several || is_range(rest) {
        Reading::Invalid
    } else {
        Reading::Value(value)
    }
}

fn is_negative(text: &str) -> bool {
    text.strip_prefix(['-', '−'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

/// Whether what follows a number makes it a range, as in `7-8` or `7 to 8`.
fn is_range(rest: &str) -> bool {
    let upper = rest
        .strip_prefix(['-', '–', '—', '−', '~'])
        .or_else(|| rest.strip_prefix("to "));
    upper.is_some_and(|upper| upper.trim_start().starts_with(|c: char| c.is_ascii_digit()))
}

/// The maximum in `/10` or `out of 10` at the beginning of `rest`, and what follows it.
fn maximum(rest: &str) -> Option<(f64, &str)> {
    let rest = rest.trim_start();
    let behind = rest
        .strip_prefix('/')
        .or_else(|| rest.strip_prefix("out of"))
        .or_else(|| rest.strip_prefix("Out of"))?;
    number(behind.trim_start_matches(is_markup))
}

/// A decimal number without sign, with a point or a decimal comma, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let whole = digits(text);
    let mut end = whole;
    let rest = text.get(whole..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        end += if length > 0 { 1 + length } else { 0 };
    } else if let Some(fraction) = rest.strip_prefix(',')
        && (1..=2).contains(&digits(fraction))
    {
        end += 1 + digits(fraction);
    }
    let value = text.get(..end)?.replace(',', ".").parse().ok()?;
    Some((value, text.get(end..)?))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}
