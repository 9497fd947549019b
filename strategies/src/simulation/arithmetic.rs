//! Arithmetic in anybody's words: an expression, or a short story of a few numbers.
//!
//! A story is calculated from left to right: each number is added to what there is, taken from it,
//! or multiplied, by the words around it. What speaks of halves, percentages or comparisons is not
//! read: a wrong answer would be worse than none.

/// What was asked, calculated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    /// The calculation, e.g. `12 * 9 + 4`.
    pub(super) working: String,
    pub(super) value: i64,
}

/// Longer lines are no questions of arithmetic.
const LONGEST: usize = 2000;
/// Larger results are not exact.
const LARGEST: f64 = 1e15;

/// Words for operators, the longer first.
const OPERATORS: [(&str, &str); 9] = [
    (" multiplied by ", " * "),
    (" divided by ", " / "),
    (" plus ", " + "),
    (" minus ", " - "),
    (" times ", " * "),
    ("×", "*"),
    ("÷", "/"),
    ("−", "-"),
    ("·", "*"),
];
/// Words for numbers.
const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
];
/// Words before a number that is taken away.
const TAKES: [&str; 30] = [
    "ate", "breaks", "broke", "donates", "drops", "eat", "eats", "fewer", "gave", "give", "gives",
    "lends", "less", "lose", "loses", "lost", "pays", "removes", "sell", "sells", "sold", "spend",
    "spends", "spent", "takes", "throws", "thrown", "use", "used", "uses",
];
/// Words with which a story is not read.
const BEYOND: [&str; 12] = [
    "%", "average", "double", "half", "percent", "quarter", "ratio", "third", "triple", "twice",
    "as many", "as much",
];

/// The last line of `text` that asks for something that can be calculated.
pub(super) fn asked_in(text: &str) -> Option<Sum> {
    text.lines().rev().find_map(read)
}

fn read(line: &str) -> Option<Sum> {
    if line.len() > LONGEST || !line.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let line = line.to_lowercase();
    expression(&line).or_else(|| story(&line))
}

/// An expression in a line that asks for its value, or is nothing else.
fn expression(line: &str) -> Option<Sum> {
    let mut said = format!(" {line} ");
    for (word, operator) in OPERATORS {
        said = said.replace(word, operator);
    }
    let is_part = |c: char| c.is_ascii_digit() || " +-*/^().".contains(c);
    let asks = [
        "what is",
        "what's",
        "calculate",
        "compute",
        "evaluate",
        "how much is",
    ];
    let asks = asks.iter().any(|word| said.contains(word)) || said.chars().all(is_part);
    let mut parts = said
        .split(|c| !is_part(c))
        .map(|part| part.trim_matches(|c: char| !c.is_ascii_digit() && !"()".contains(c)));
    let working = parts.find(|part| part.contains(|c| "+-*/^".contains(c)))?;
    let value = asks.then(|| Parser::whole(working))??;
    Some(Sum {
        working: working.to_owned(),
        value,
    })
}

/// What a story comes to whose last question is how many.
fn story(line: &str) -> Option<Sum> {
    let asks = line.contains("how many") || line.contains("how much");
    if !asks || BEYOND.iter().any(|word| line.contains(word)) {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |word: &&str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let named = NUMBERS.iter().position(|name| *name == bare);
        let digits = bare.replace(',', "").parse::<i64>().ok();
        digits.or_else(|| i64::try_from(named?).ok())
    };
    let at: Vec<(usize, i64)> = words
        .iter()
        .enumerate()
        .filter_map(|(at, word)| Some((at, number(word)?)))
        .collect();
    let ((_, first), others) = at.split_first()?;
    let ends = others.iter().skip(1).map(|(at, _)| *at);
    let ends = ends.chain([words.len()]);
    let (mut value, mut working) = (*first, first.to_string());
    let mut from = at.first()?.0 + 1;
    for ((at, number), end) in others.iter().zip(ends) {
        let before = words.get(from..*at)?;
        let after = words.get(at + 1..end)?;
        let (operator, next) = match operation(before, after) {
            Operation::Add => ('+', value.checked_add(*number)?),
            Operation::Take => ('-', value.checked_sub(*number)?),
            Operation::Multiply => ('*', value.checked_mul(*number)?),
        };
        value = next;
        working = format!("{working} {operator} {number}");
        from = at + 1;
    }
    (!others.is_empty()).then_some(Sum { working, value })
}

enum Operation {
    Add,
    Take,
    Multiply,
}

/// What becomes of a number, by the words between the one before and it, and those behind it.
fn operation(before: &[&str], after: &[&str]) -> Operation {
    let bare = |word: &&str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let has = |words: &[&str], wanted: &[&str]| {
        words
            .iter()
            .any(|word| wanted.contains(&bare(word).as_str()))
    };
    let near = after.get(..4).unwrap_or(after);
    let is_group = before.last().is_some_and(|word| *word == "of") && before.len() <= 3;
    if is_group || has(near, &["each", "apiece", "times"]) || has(before, &["each", "every"]) {
        Operation::Multiply
    } else if has(before, &TAKES) || has(near.get(..1).unwrap_or(near), &["fewer", "less"]) {
        Operation::Take
    } else {
        Operation::Add
    }
}

/// Reads an expression by precedence.
struct Parser<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    numbers: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// The value of all of `text`, if it is whole and has at least two numbers.
    fn whole(text: &'a str) -> Option<i64> {
        let mut parser = Self {
            rest: text.chars().peekable(),
            numbers: 0,
            depth: 0,
        };
        let value = parser.sum()?;
        let is_whole = parser.next_is(|_| true).is_none() && parser.numbers > 1;
        let rounded = value.round();
        let is_exact = (value - rounded).abs() < 1e-9 && value.abs() < LARGEST;
        let text = format!("{rounded:.0}");
        (is_whole && is_exact).then(|| text.parse().ok())?
    }

    fn next_is(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        self.rest.next_if(|c| wanted(*c))
    }

    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product()?;
        while let Some(sign) = self.next_is(|c| matches!(c, '+' | '-')) {
            let other = self.product()?;
            value += if sign == '+' { other } else { -other };
        }
        Some(value)
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.power()?;
        while let Some(sign) = self.next_is(|c| matches!(c, '*' | '/')) {
            let other = self.power()?;
            if sign == '/' && other == 0.0 {
                return None;
            }
            value = if sign == '*' {
                value * other
            } else {
                value / other
            };
        }
        Some(value)
    }

    fn power(&mut self) -> Option<f64> {
        let base = self.atom()?;
        match self.next_is(|c| c == '^') {
            None => Some(base),
            Some(_) => Some(base.powf(self.atom()?)),
        }
    }

    fn atom(&mut self) -> Option<f64> {
        if self.next_is(|c| c == '-').is_some() {
            return self.number().map(|value| -value);
        }
        if self.next_is(|c| c == '(').is_none() {
            return self.number();
        }
        self.depth += 1;
        let value = if self.depth > 16 { None } else { self.sum() };
        self.depth -= 1;
        self.next_is(|c| c == ')')?;
        value
    }

    fn number(&mut self) -> Option<f64> {
        let mut digits: String = self.next_is(|c| c.is_ascii_digit())?.into();
        while let Some(digit) = self.rest.next_if(|c| c.is_ascii_digit() || *c == '.') {
            digits.push(digit);
        }
        self.numbers += 1;
        digits.trim_end_matches('.').parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<i64> {
        asked_in(text).map(|sum| sum.value)
    }

    #[test]
    fn expressions_are_calculated() {
        for (text, right) in [
            ("What is 12 * 9 + 4?", 112),
            ("What is 17 * 3?", 51),
            ("What is 2 + 3? Only the number.", 5),
            ("17 × 3", 51),
            ("Calculate (2 + 3) * 4 - 6 / 2.", 17),
            ("What is 6 times 7?", 42),
            ("How much is 2^10 minus 24?", 1000),
            (
                "[user 0a1b]\nWhat's 7 - 10?\n[end of user 0a1b]\nScore: <number>",
                -3,
            ),
        ] {
            assert_eq!(value(text), Some(right), "{text}");
        }
    }

    #[test]
    fn stories_are_calculated_from_left_to_right() {
        for (text, right) in [
            ("Tom has 3 apples and buys 4 more. How many?", 7),
            ("Ann has 12 eggs and eats 5. How many are left?", 7),
            (
                "A box holds 3 bags of 6 sweets. How many sweets are there?",
                18,
            ),
            ("3 apples at 40 cents each: how many cents?", 120),
            (
                "Ben has five books, gives 2 away and gets 10. How many has he?",
                13,
            ),
        ] {
            assert_eq!(value(text), Some(right), "{text}");
        }
    }

    #[test]
    fn what_is_no_arithmetic_is_not_read() {
        for text in [
            "What is the capital of France?",
            "Rate it from 0 to 10.",
            "In 1984, who was 40?",
            "Tom has 3 apples, twice as many as Ann. How many has Ann?",
            "What is 7 / 2?",
            "What is 1 / 0?",
            "What is 3 +?",
            "I am 5. How many are you?",
            "",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
