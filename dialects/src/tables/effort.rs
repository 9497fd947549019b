//! How much a model is to think, in the words and numbers of each dialect.

/// One row for each word of the middle's `reasoning_effort`, from least to most.
struct Row {
    word: &'static str,
    /// Anthropic's `output_config.effort`; nothing where thinking is disabled instead.
    anthropic: Option<&'static str>,
    /// Anthropic's `budget_tokens`.
    anthropic_budget: Budget,
    /// Google's `thinkingBudget`.
    gemini_budget: i64,
    /// Google's `thinkingLevel`.
    gemini_level: &'static str,
}

/// Tokens for thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Half of what the whole answer may have.
    Half,
    /// None: thinking is off.
    Off,
    /// So many.
    Tokens(u64),
}

const ROWS: [Row; 7] = [
    row("none", None, Budget::Off, 0, "MINIMAL"),
    row("minimal", Some("low"), Budget::Tokens(1024), 512, "MINIMAL"),
    row("low", Some("low"), Budget::Tokens(2048), 1024, "LOW"),
    row(
        "medium",
        Some("medium"),
        Budget::Tokens(8192),
        8192,
        "MEDIUM",
    ),
    row("high", Some("high"), Budget::Tokens(16_384), 24_576, "HIGH"),
    row(
        "xhigh",
        Some("xhigh"),
        Budget::Tokens(32_768),
        24_576,
        "XHIGH",
    ),
    row("max", Some("max"), Budget::Half, -1, "XHIGH"),
];

const fn row(
    word: &'static str,
    anthropic: Option<&'static str>,
    anthropic_budget: Budget,
    gemini_budget: i64,
    gemini_level: &'static str,
) -> Row {
    Row {
        word,
        anthropic,
        anthropic_budget,
        gemini_budget,
        gemini_level,
    }
}

/// Up to so many tokens a budget is this word.
const WORDS_OF_BUDGETS: [(u64, &str); 4] = [
    (1024, "minimal"),
    (2048, "low"),
    (8192, "medium"),
    (24_576, "high"),
];

fn find(word: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.word == word)
}

/// Whether `word` is an effort that is known here.
pub fn is_known(word: &str) -> bool {
    find(word).is_some()
}

/// `word`, or the nearest lower one that is not `refused`. Nothing if all of those are.
pub fn allowed(word: &str, refused: &[String]) -> Option<&'static str> {
    let at = ROWS.iter().position(|row| row.word == word)?;
    let lower = ROWS.get(..=at)?.iter().rev().map(|row| row.word);
    let mut allowed = lower.filter(|word| !refused.iter().any(|refused| refused == word));
    allowed.next()
}

/// Anthropic's word; nothing where thinking is disabled, or for an unknown one.
pub fn to_anthropic(word: &str) -> Option<&'static str> {
    find(word)?.anthropic
}

/// Anthropic's budget.
pub fn to_anthropic_budget(word: &str) -> Option<Budget> {
    find(word).map(|row| row.anthropic_budget)
}

/// Google's budget: -1 leaves it to the model.
pub fn to_gemini_budget(word: &str) -> Option<i64> {
    find(word).map(|row| row.gemini_budget)
}

/// Google's level.
pub fn to_gemini_level(word: &str) -> Option<&'static str> {
    find(word).map(|row| row.gemini_level)
}

/// The middle's word for Anthropic's `effort`, if it is one.
pub fn from_anthropic(word: &str) -> Option<&'static str> {
    let row = ROWS.iter().rev().find(|row| row.anthropic == Some(word));
    row.map(|row| row.word)
}

/// The middle's word for a level of Google's, in any case.
pub fn from_gemini_level(level: &str) -> Option<&'static str> {
    let mut rows = ROWS.iter().filter(|row| row.anthropic.is_some());
    let row = rows.find(|row| row.gemini_level.eq_ignore_ascii_case(level));
    row.map(|row| row.word)
}

/// The middle's word for a number of tokens. -1 leaves it to the model, and is no word.
pub fn of_budget(tokens: i64) -> Option<&'static str> {
    let tokens = u64::try_from(tokens).ok()?;
    if tokens == 0 {
        return Some("none");
    }
    let mut words = WORDS_OF_BUDGETS.iter();
    let word = words.find(|(most, _)| tokens <= *most);
    Some(word.map_or("xhigh", |(_, word)| word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_become_words_by_their_bounds() {
        let words = [-1, 0, 1, 1024, 1025, 2048, 8192, 8193, 24_576, 24_577].map(of_budget);
        let expected = [
            None,
            Some("none"),
            Some("minimal"),
            Some("minimal"),
            Some("low"),
            Some("low"),
            Some("medium"),
            Some("high"),
            Some("high"),
            Some("xhigh"),
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_refused_word_gives_way_to_the_nearest_lower_one() {
        let refused = ["max".to_owned(), "xhigh".to_owned()];
        assert_eq!(allowed("max", &refused), Some("high"));
        assert_eq!(allowed("low", &refused), Some("low"));
        assert_eq!(allowed("loud", &[]), None);
        assert_eq!(allowed("none", &["none".to_owned()]), None);
    }

    #[test]
    fn words_come_back_from_each_dialect() {
        for word in ["low", "medium", "high", "xhigh", "max"] {
            let there = to_anthropic(word).and_then(from_anthropic);
            assert_eq!(there, Some(word));
        }
        for word in ["minimal", "low", "medium", "high", "xhigh"] {
            let there = to_gemini_level(word).and_then(from_gemini_level);
            assert_eq!(there, Some(word));
        }
        assert_eq!(to_anthropic("none"), None);
        assert_eq!(to_anthropic_budget("max"), Some(Budget::Half));
        assert_eq!(to_gemini_budget("max"), Some(-1));
    }
}
