//! What a refusal says of the room for an answer in a model's context window.

/// Whether `text` refuses a call because its prompt and its ceiling do not fit the context window.
pub(super) fn is_refusal(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "context length",
        "context limit",
        "context size",
        "context window",
        "context_length",
        "context_window",
        "max_model_len",
        "maximum context",
        "n_ctx",
    ];
    let text = text.to_ascii_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// The tokens that a refusal says are left for an answer for which `ceiling` was asked, if it can
/// be made out and is less.
///
/// Servers write it in many ways, but of the same figures: the window, the prompt, the ceiling, and
/// some of them the sum of the two. Which is which follows from their sizes.
pub(super) fn room(text: &str, ceiling: u64) -> Option<u64> {
    let mut figures = figures(text);
    remove(&mut figures, ceiling)?;
    let sum = |prompt: &u64| {
        prompt
            .checked_add(ceiling)
            .filter(|sum| figures.contains(sum))
    };
    let summed = figures.iter().copied().find(|prompt| sum(prompt).is_some());
    let (window, prompt) = if let Some(prompt) = summed {
        remove(&mut figures, prompt);
        remove(&mut figures, prompt + ceiling);
        (figures.iter().copied().max()?, prompt)
    } else {
        let window = figures.iter().copied().max()?;
        let prompt = figures
            .iter()
            .copied()
            .filter(|figure| *figure < window)
            .max()?;
        (window, prompt)
    };
    let room = window.checked_sub(prompt)?;
    (1..ceiling).contains(&room).then_some(room)
}

/// Removes one `figure`, if it is there.
fn remove(figures: &mut Vec<u64>, figure: u64) -> Option<()> {
    let at = figures.iter().position(|other| *other == figure)?;
    figures.swap_remove(at);
    Some(())
}

/// The whole numbers of a text; thousands may be set off by commas.
fn figures(text: &str) -> Vec<u64> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ',');
    text.split(|c| !is_part(c))
        .filter_map(|word| word.trim_matches([',', '-']).replace(',', "").parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_found_in_the_words_of_many_servers() {
        for (text, room_left) in [
            (
                "This model's maximum context length is 4096 tokens. However, you requested 4300 \
                 tokens (204 in the messages, 4096 in the completion).",
                Some(3892),
            ),
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum \
                 context length is 4096 tokens and your request has 204 input tokens \
                 (4096 > 4096 - 204).",
                Some(3892),
            ),
            (
                "input length and `max_tokens` exceed context limit: 190,000 + 4096 > 192,000, \
                 decrease input length or `max_tokens`",
                Some(2000),
            ),
            ("the request exceeds the available context size", None),
            (
                "context length 4096, but the messages have 5000 tokens",
                None,
            ),
        ] {
            assert!(is_refusal(text), "{text}");
            assert_eq!(room(text, 4096), room_left, "{text}");
        }
        assert!(!is_refusal("Unknown name \"max_completion_tokens\"."));
    }
}
