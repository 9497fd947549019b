//! Cutting a long text into pieces that a model can read one at a time.

/// What ends a sentence, in the scripts that mark it.
const SENTENCE_ENDS: [char; 8] = ['.', '?', '!', ';', '。', '？', '！', '；'];

/// The text in pieces of at most `most` bytes and of about the same size, which together spell it.
///
/// A piece ends with a paragraph if it can, else with a line, a sentence, a word, or, in a text
/// without any of them, anywhere between two characters. Only a single character may be longer than
/// `most`. Linear in the text.
pub(crate) fn chunks(text: &str, most: usize) -> Vec<&str> {
    let most = most.max(1);
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > most {
        let ideal = rest.len().div_ceil(rest.len().div_ceil(most));
        let limit = most.min(ideal + ideal / 8);
        let (head, _) = split(rest, limit);
        let (piece, after) = split(rest, end_of_piece(head));
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// The same pieces, each but the first with up to `overlap` bytes of what comes before it, so that
/// no sentence loses its beginning.
pub(crate) fn overlapping(text: &str, most: usize, overlap: usize) -> Vec<&str> {
    let mut end = 0;
    let mut found = Vec::new();
    for piece in chunks(text, most) {
        let start = end;
        end += piece.len();
        let earliest = text.floor_char_boundary(start.saturating_sub(overlap));
        let before = text.get(earliest..start).unwrap_or_default();
        let shared = if earliest == 0 {
            before
        } else {
            after_first_break(before)
        };
        found.extend(text.get(start - shared.len()..end));
    }
    found
}

/// Splits at the character boundary at or before `at`, but behind the first character.
fn split(text: &str, at: usize) -> (&str, &str) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    text.split_at_checked(text.floor_char_boundary(at).max(first))
        .unwrap_or((text, ""))
}

/// Where a piece that begins `head` best ends: as late as it can, but not in the first half.
fn end_of_piece(head: &str) -> usize {
    let least = head.len() / 2;
    let behind = |mark: &str| {
        head.rfind(mark)
            .map(|at| at + mark.len())
            .filter(|end| *end > least)
    };
    let word = || {
        head.rfind(char::is_whitespace)
            .and_then(|at| Some(at + head.get(at..)?.chars().next()?.len_utf8()))
    };
    behind("\n\n")
        .or_else(|| behind("\n"))
        .or_else(|| last_sentence_end(head).filter(|end| *end > least))
        .or_else(|| word().filter(|end| *end > least))
        .unwrap_or(head.len())
}

/// The end of the last sentence that is followed by something, white space behind it included.
pub(crate) fn last_sentence_end(text: &str) -> Option<usize> {
    let mut next: Option<(usize, char)> = None;
    for (at, c) in text.char_indices().rev() {
        // A Latin mark ends a sentence only before white space: "3.14" goes on.
        let ends = SENTENCE_ENDS.contains(&c)
            && next.is_some_and(|(_, next)| !c.is_ascii() || next.is_whitespace());
        if let (true, Some((behind, next))) = (ends, next) {
            return Some(if next.is_whitespace() {
                behind + next.len_utf8()
            } else {
                behind
            });
        }
        next = Some((at, c));
    }
    None
}

fn after_first_break(text: &str) -> &str {
    let at = text.find('\n').or_else(|| text.find(char::is_whitespace));
    at.and_then(|at| text.get(at..))
        .map_or(text, str::trim_start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_end_with_paragraphs_before_lines_before_sentences_before_words() {
        assert_eq!(
            chunks("one two\n\nthree four", 12),
            ["one two\n\n", "three four"]
        );
        assert_eq!(
            chunks("one two\nthree four", 12),
            ["one two\n", "three four"]
        );
        assert_eq!(
            chunks("Is it 3.1? Yes. It is so.", 18),
            ["Is it 3.1? ", "Yes. It is so."]
        );
        assert_eq!(chunks("one two three four", 12), ["one two ", "three four"]);
        assert_eq!(chunks("一。二三四五六七", 18), ["一。二三", "四五六七"]);
        assert_eq!(chunks("aaaaaaaa", 4), ["aaaa", "aaaa"]);
    }

    #[test]
    fn the_last_piece_is_not_a_scrap() {
        let text = "word ".repeat(205);
        let sizes: Vec<usize> = chunks(&text, 1000)
            .iter()
            .map(|piece| piece.len())
            .collect();
        assert!(sizes.len() == 2 && sizes[1] > 400, "{sizes:?}");
    }

    proptest! {
        #[test]
        fn pieces_spell_the_text_and_none_is_too_long(text in "([a-z。é]{0,12}[ .\n]{0,2}){0,60}",
            most in 1..90_usize) {
            let pieces = chunks(&text, most);
            prop_assert_eq!(pieces.concat(), text.clone());
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()
                && (piece.len() <= most || piece.chars().count() == 1)));
        }

        #[test]
        fn an_overlap_repeats_the_end_of_the_piece_before(text in "([a-zé]{0,12}[ .\n\
            ]{0,2}){0,60}", most in 1..90_usize, overlap in 0..40_usize) {
            let (plain, shared) = (chunks(&text, most), overlapping(&text, most, overlap));
            prop_assert_eq!(plain.len(), shared.len());
            for (plain, shared) in plain.iter().zip(&shared) {
                prop_assert!(shared.ends_with(plain) && shared.len() <= plain.len() + overlap + 3);
            }
        }
    }
}
