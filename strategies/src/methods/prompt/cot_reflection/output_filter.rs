//! Finds the answer in a text that thinks first, piece by piece as it arrives.

use crate::run::TextFilter;

/// The tags that matter, and what they do.
const TAGS: [(&str, Mark); 4] = [
    ("<thinking>", Mark::ThinkingOpens),
    ("</thinking>", Mark::ThinkingCloses),
    ("<output>", Mark::OutputOpens),
    ("</output>", Mark::OutputCloses),
];

const FENCE: &str = "```";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Fence,
    OutputCloses,
    OutputOpens,
    ThinkingCloses,
    ThinkingOpens,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// Nothing but perhaps a preamble.
    Start,
    Thinking,
    /// After the thinking.
    Between,
    Output,
    End,
}

/// Passes on what stands in the first `<output>` that is neither in the thinking nor in a code
/// block.
///
/// A tag inside code, and an `<output>` that the thinking only talks about, are text. Line breaks
/// and spaces at the edges of the output are dropped.
#[derive(Debug)]
pub(super) struct OutputFilter {
    text: String,
    /// How far `text` was read.
    at: usize,
    section: Section,
    is_in_code: bool,
    has_begun: bool,
    /// White space that is passed on only if something follows it.
    pending: String,
    /// Where the thinking ended.
    thought_until: usize,
}

impl OutputFilter {
    pub(super) fn new() -> Self {
        Self {
            text: String::new(),
            at: 0,
            section: Section::Start,
            is_in_code: false,
            has_begun: false,
            pending: String::new(),
            thought_until: 0,
        }
    }

    /// The next mark and what stands before it; `None` for the mark if the text ends first. What
    /// may be the beginning of a mark stays unread.
    fn step(&mut self) -> Option<(String, Option<Mark>)> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut from = 0;
        while let Some(found) = rest.get(from..).and_then(|tail| tail.find(['<', '`'])) {
            let start = from + found;
            match mark_at(rest.get(start..).unwrap_or_default()) {
                Lookahead::Mark(mark, length) => {
                    self.at += start + length;
                    return Some((rest.get(..start).unwrap_or_default().to_owned(), Some(mark)));
                }
                Lookahead::Unfinished => {
                    self.at += start;
                    return (start > 0)
                        .then(|| (rest.get(..start).unwrap_or_default().to_owned(), None));
                }
                Lookahead::Text => from = start + 1,
            }
        }
        self.at += rest.len();
        (!rest.is_empty()).then(|| (rest.to_owned(), None))
    }

    fn mark(&mut self, mark: Mark, out: &mut String) {
        match (self.section, mark) {
            (Section::Start, Mark::ThinkingOpens) => self.section = Section::Thinking,
            (Section::Start | Section::Thinking, Mark::ThinkingCloses) => {
                self.section = Section::Between;
                self.is_in_code = false;
                self.thought_until = self.at;
            }
            (Section::Start | Section::Between, Mark::OutputOpens) if !self.is_in_code => {
                self.section = Section::Output;
            }
            (Section::Output, Mark::OutputCloses) if !self.is_in_code => {
                self.section = Section::End;
            }
            (Section::Output, Mark::Fence) => {
                self.is_in_code = !self.is_in_code;
                self.pass(FENCE, out);
            }
            (Section::Start | Section::Between, Mark::Fence) => self.is_in_code = !self.is_in_code,
            (Section::Output, mark) => self.pass(word(mark), out),
            _ => {}
        }
    }

    fn pass(&mut self, text: &str, out: &mut String) {
        let text = if self.has_begun {
            text
        } else {
            text.trim_start()
        };
        if text.is_empty() {
            return;
        }
        self.has_begun = true;
        let solid = text.trim_end();
        if !solid.is_empty() {
            out.push_str(&std::mem::take(&mut self.pending));
            out.push_str(solid);
        }
        self.pending
            .push_str(text.get(solid.len()..).unwrap_or_default());
    }

    /// The answer of a text in which no output was found.
    fn fallback(&self, is_truncated: bool) -> &str {
        let after_last = last(&self.text, "<output>").map(|at| at + "<output>".len());
        let answer = match (self.section, after_last) {
            (Section::Between, _) => self.text.get(self.thought_until..),
            // The thinking was never closed: an output there is the best guess, unless the text was
            // cut off.
            (Section::Thinking, _) if is_truncated => None,
            (Section::Thinking, Some(at)) => self.text.get(at..),
            _ => Some(self.text.as_str()),
        };
        let answer = answer.unwrap_or_default().trim();
        let end = last(answer, "</output>")
            .filter(|_| self.section == Section::Thinking && after_last.is_some());
        answer
            .get(..end.unwrap_or(answer.len()))
            .unwrap_or_default()
            .trim()
    }
}

fn word(mark: Mark) -> &'static str {
    TAGS.iter()
        .find(|(_, other)| *other == mark)
        .map_or(FENCE, |(tag, _)| tag)
}

enum Lookahead {
    Mark(Mark, usize),
    Text,
    /// It may become a mark.
    Unfinished,
}

/// What begins at the start of `text`.
fn mark_at(text: &str) -> Lookahead {
    let candidates = TAGS.iter().copied().chain([(FENCE, Mark::Fence)]);
    for (word, mark) in candidates {
        let length = word.len().min(text.len());
        let begins = text.as_bytes().get(..length).is_some_and(|begin| {
            begin.eq_ignore_ascii_case(word.as_bytes().get(..length).unwrap_or_default())
        });
        if begins && length == word.len() {
            return Lookahead::Mark(mark, length);
        }
        if begins {
            return Lookahead::Unfinished;
        }
    }
    Lookahead::Text
}

/// Where `tag` stands last, in any case. The text is not copied for that.
fn last(text: &str, tag: &str) -> Option<usize> {
    let mut places = text.as_bytes().windows(tag.len());
    places.rposition(|place| place.eq_ignore_ascii_case(tag.as_bytes()))
}

impl TextFilter for OutputFilter {
    fn push(&mut self, text: &str) -> String {
        self.text.push_str(text);
        let mut out = String::new();
        while let Some((before, mark)) = self.step() {
            if self.section == Section::Output {
                self.pass(&before, &mut out);
            }
            match mark {
                Some(mark) => self.mark(mark, &mut out),
                None => break,
            }
        }
        out
    }

    fn finish(&mut self, is_truncated: bool) -> String {
        match self.section {
            Section::End => String::new(),
            Section::Output => {
                let mut out = String::new();
                let rest = self.text.get(self.at..).unwrap_or_default().to_owned();
                self.pass(&rest, &mut out);
                out
            }
            Section::Start | Section::Thinking | Section::Between => {
                self.fallback(is_truncated).to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filtered(pieces: &[&str], is_truncated: bool) -> String {
        let mut filter = OutputFilter::new();
        let mut out: String = pieces.iter().map(|piece| filter.push(piece)).collect();
        out.push_str(&filter.finish(is_truncated));
        out
    }

    const CASES: [(&str, &str); 11] = [
        ("<thinking>6*7</thinking><output>\n42\n</output>", "42"),
        ("<THINKING>hm</THINKING>\n<Output>42</OUTPUT> bye", "42"),
        (
            "<thinking>I will write <output>no</output> later</thinking><output>42</output>",
            "42",
        ),
        (
            "<thinking>a</thinking>```\n<output>\n```\n<output>42</output>",
            "42",
        ),
        (
            "<thinking>a</thinking><output>```\n</output>\n```\n42</output>x",
            "```\n</output>\n```\n42",
        ),
        (
            "<thinking>a</thinking><output>if a < b, then `x`</output>",
            "if a < b, then `x`",
        ),
        ("<thinking>a</thinking><output>42", "42"),
        ("<thinking>a</thinking> 42", "42"),
        ("no tags, 42", "no tags, 42"),
        ("rest of it</thinking><output>42</output>", "42"),
        ("<thinking>a <output>42</output>", "42"),
    ];

    #[test]
    fn the_output_is_found_in_every_form() {
        for (text, expected) in CASES {
            assert_eq!(filtered(&[text], false), expected, "{text}");
        }
    }

    #[test]
    fn thinking_that_was_cut_off_is_never_shown() {
        assert_eq!(filtered(&["<thinking>so I try <output>41"], true), "");
        assert_eq!(filtered(&["<thinking>a</thinking><output>4"], true), "4");
    }

    #[test]
    fn the_answer_streams_before_it_is_complete() {
        let mut filter = OutputFilter::new();
        assert_eq!(filter.push("<thinking>a</thinking><out"), "");
        assert_eq!(filter.push("put>forty "), "forty");
        assert_eq!(filter.push("two</out"), " two");
        assert_eq!(filter.push("put> trailing"), "");
        assert_eq!(filter.finish(false), "");
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same_answer(case in 0..CASES.len(),
            cuts in prop::collection::vec(0.0..1.0_f64, 0..6)) {
            let (text, expected) = CASES[case];
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss,
                clippy::cast_precision_loss, reason = "a place in a short text")]
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * text.len() as f64) as usize)
                .filter(|cut| text.is_char_boundary(*cut)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).filter_map(|pair| text.get(pair[0]..pair[1]))
                .collect();
            prop_assert_eq!(filtered(&pieces, false), expected);
        }

        #[test]
        fn no_text_makes_it_panic(
            pieces in prop::collection::vec(
                "(<thinking>|</thinking>|<output>|</output>|```|\\PC{0,5}|<)",
                0..12,
            ),
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            filtered(&pieces, true);
        }
    }
}
