//! Answers that people speak rather than mark: a leading yes, a letter in a sentence.

use hone_strategies::answer::{AnswerValue, Question};

/// Words before a letter by which it is refused.
const REFUSING: [&str; 13] = [
    "not",
    "than",
    "over",
    "unlike",
    "out",
    "eliminate",
    "exclude",
    "reject",
    "except",
    "isn't",
    "against",
    "without",
    "nor",
];
/// Words before a letter by which it is chosen.
const CHOOSING: [&str; 25] = [
    "with",
    "choose",
    "pick",
    "select",
    "answer",
    "option",
    "choice",
    "be",
    "is",
    "it's",
    "say",
    "chose",
    "picked",
    "selected",
    "for",
    "guess",
    "letter",
    "going",
    "therefore",
    "so",
    "leaves",
    "leaving",
    "remains",
    "means",
    "being",
];
/// Words behind `is` by which a letter is refused.
const WRONG: [&str; 6] = ["wrong", "incorrect", "false", "not", "out", "impossible"];
/// Words that begin a conclusion.
const CONCLUDING: [&str; 8] = [
    "so",
    "therefore",
    "thus",
    "hence",
    "overall",
    "answer",
    "conclusion",
    "consequently",
];

/// The option that the last line with a letter settles on: the last that is chosen, else the last
/// that is not refused.
pub(super) fn letter(text: &str, shape: &Question) -> Option<AnswerValue> {
    text.lines()
        .rev()
        .find_map(|line| letter_of(line, shape))
        .map(AnswerValue::option)
}

fn letter_of(line: &str, shape: &Question) -> Option<char> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let plain: Vec<String> = words.iter().map(|word| lower(word)).collect();
    let word = |at: Option<usize>| at.and_then(|at| plain.get(at)).map_or("", String::as_str);
    let mut last = None;
    let mut chosen = None;
    for (at, written) in words.iter().enumerate() {
        let before = word(at.checked_sub(1));
        let named = matches!(before, "option" | "choice" | "answer");
        let Some(letter) = single_letter(written, named)
            .filter(|letter| shape.options().any(|known| known == *letter))
        else {
            continue;
        };
        let (next, after) = (word(Some(at + 1)), word(Some(at + 2)));
        let ends = !written.ends_with(|c: char| c.is_alphanumeric());
        let is_word = match letter {
            // An article or a pronoun, unless it is what something is said of.
            'A' => !(ends || next.is_empty() || is_verb(next) || named),
            'I' => !(ends || next.is_empty() || named),
            _ => false,
        };
        let refused = REFUSING.contains(&before)
            || (named && REFUSING.contains(&word(at.checked_sub(2))))
            || (is_verb(next) && WRONG.contains(&after))
            || next.ends_with("n't");
        if is_word || refused {
            continue;
        }
        last = Some(letter);
        if CHOOSING.contains(&before)
            || (is_verb(next) && matches!(after, "correct" | "right" | "the" | "best"))
        {
            chosen = Some(letter);
        }
    }
    chosen.or(last)
}

/// The letter of a word that is nothing else: `B`, `(B)`, `**B**`, `B.`, and `b` where it is named.
fn single_letter(word: &str, named: bool) -> Option<char> {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let mut chars = bare.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    // `b)` is the mark of an option, `b` in a sentence is not.
    let is_marked = named || letter.is_ascii_uppercase() || word.ends_with(')');
    let is_letter = chars.next().is_none() && is_marked;
    is_letter.then(|| letter.to_ascii_uppercase())
}

fn is_verb(word: &str) -> bool {
    matches!(
        word,
        "is" | "was" | "would" | "seems" | "fits" | "must" | "because" | "since" | "looks"
    )
}

fn lower(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric())
        .replace('’', "'")
        .to_lowercase()
}

/// The yes or no of a reply: that of a conclusion at its end, else the word that it begins with,
/// else what its last sentence says.
pub(super) fn truth(head: &str, tail: &str) -> Option<AnswerValue> {
    let sentences: Vec<&str> = tail
        .split(['.', '!', '?', '\n', ';'])
        .filter(|sentence| sentence.contains(char::is_alphanumeric))
        .collect();
    let concludes = |sentence: &&&str| {
        let first: Vec<String> = sentence.split_whitespace().take(3).map(lower).collect();
        first.iter().any(|word| CONCLUDING.contains(&word.as_str()))
    };
    let conclusion = || {
        let last = sentences.iter().rev().take(2);
        last.filter(concludes)
            .find_map(|sentence| polarity(sentence))
    };
    let leading = || {
        let mut words =
            head.split(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | ':' | ';'));
        affirms(&lower(
            words.find(|word| word.contains(char::is_alphabetic))?,
        ))
    };
    let said = conclusion()
        .or_else(leading)
        .or_else(|| polarity(sentences.last()?))?;
    AnswerValue::parse(if said { "yes" } else { "no" })
}

fn affirms(word: &str) -> Option<bool> {
    match word {
        "yes" | "true" | "yep" | "yeah" | "correct" | "certainly" | "absolutely" => Some(true),
        "no" | "false" | "nope" | "incorrect" => Some(false),
        _ => None,
    }
}

/// What a sentence says by its last yes, no, true or false; `not true` is false.
fn polarity(sentence: &str) -> Option<bool> {
    let words: Vec<String> = sentence.split_whitespace().map(lower).collect();
    let (at, said) = words.iter().enumerate().rev().find_map(|(at, word)| {
        // `no` is an answer only where it is not said of something: `there is no such number`.
        let counts = word != "no" || at == 0 || at + 1 == words.len();
        affirms(word).filter(|_| counts).map(|said| (at, said))
    })?;
    let before = words.iter().take(at).rev().take(3);
    let is_negated = before
        .into_iter()
        .any(|word| matches!(word.as_str(), "not" | "never" | "cannot") || word.ends_with("n't"));
    Some(said != is_negated)
}

/// What stands in bold, last in a line.
pub(super) fn bold(line: &str) -> Option<&str> {
    let (before, _) = line.rsplit_once("**")?;
    let (_, inner) = before.rsplit_once("**")?;
    Some(inner).filter(|inner| !inner.trim().is_empty())
}

/// What a line says of its subject, behind the last `is`, `was`, `are` or colon.
pub(super) fn predicate(line: &str) -> Option<&str> {
    [" is ", " was ", " are ", " were ", ": ", " = "]
        .into_iter()
        .filter_map(|link| Some(line.rfind(link)? + link.len()))
        .max()
        .and_then(|from| line.get(from..))
}
