//! A large JSON answer, read while it passes: nothing of it is kept but its report.

use hone_strategies::chat::{Written, is_text_name, tokens_of_bytes};

/// What of Google's answers is no text, or no text of the model's.
const GOOGLES_LABELS: [&str; 12] = [
    "avgLogprobs",
    "citationMetadata",
    "fileData",
    "finishMessage",
    "finishReason",
    "groundingMetadata",
    "inlineData",
    "logprobsResult",
    "mimeType",
    "safetyRatings",
    "thoughtSignature",
    "urlContextMetadata",
];

/// A report above this is none, in bytes.
const LARGEST_REPORT: usize = 4096;
/// No name that matters is longer.
const LONGEST_NAME: usize = 24;
/// What nests deeper is no provider's answer.
const DEEPEST: u32 = 128;

/// What a member of the outermost object is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Other,
    /// Its text is counted, an element of a list at a time.
    Text,
    Usage,
}

/// Reads an answer in pieces. It checks no more of the grammar than it needs.
#[derive(Debug)]
pub(super) struct Passing {
    /// Whose text is counted.
    text_member: &'static str,
    /// Where use is reported.
    usage_member: &'static str,
    /// Brackets around each answer: 1 in a list of them.
    around: u32,
    /// The last byte outside of strings that is no space.
    last: u8,
    /// Whether an answer has said that it ends.
    ends: bool,
    depth: u32,
    /// The open brackets, the last one lowest: 1 for an object's.
    objects: u128,
    string: Option<Text>,
    /// Whether the next string is a name.
    is_name: bool,
    name: Vec<u8>,
    member: Member,
    /// In an object of this depth the value of a label, which is no text.
    label: Option<u32>,
    report: Vec<u8>,
    /// Text bytes of the element under way.
    bytes: u64,
    /// Of all elements before it.
    before: u64,
    written: Option<Written>,
    /// It is no object, or deeper than it may be.
    is_odd: bool,
}

/// A string under way.
#[derive(Debug, Clone, Copy, Default)]
struct Text {
    /// Characters of an escape that are still to come, and the number that those of `\u` spell.
    escape: u8,
    code: u16,
}

impl Passing {
    /// A reader that counts the text of the outermost object's member of this name.
    pub(super) fn new(text_member: &'static str) -> Self {
        Self {
            text_member,
            usage_member: "usage",
            around: 0,
            last: 0,
            ends: false,
            depth: 0,
            objects: 0,
            string: None,
            is_name: false,
            name: Vec::new(),
            member: Member::Other,
            label: None,
            report: Vec::new(),
            bytes: 0,
            before: 0,
            written: None,
            is_odd: false,
        }
    }

    /// A reader of an answer of Google's, or of a list of them: a stream without events. Of several
    /// reports the last one is kept.
    pub(super) fn of_google() -> Self {
        Self {
            usage_member: "usageMetadata",
            ..Self::new("candidates")
        }
    }

    /// Whether it reads Google's, which may be a list of answers.
    fn is_googles(&self) -> bool {
        self.usage_member != "usage"
    }

    /// What has been told up to here: the last report, the bytes of text, and whether the answer
    /// has said that it ends.
    pub(super) fn told(&self) -> (Option<&[u8]>, u64, bool) {
        let report = self.report.trim_ascii_start().strip_prefix(b":");
        let report = report.filter(|report| report.len() < LARGEST_REPORT);
        (report, self.before.saturating_add(self.bytes), self.ends)
    }

    /// What an element must be preceded by that is put here, if one can be: into a list, between
    /// two of its answers.
    pub(super) fn gap(&self) -> Option<&'static str> {
        let is_between = self.around == 1 && self.depth == 1 && self.string.is_none();
        (is_between && !self.is_odd).then_some(if self.last == b'}' { "," } else { "" })
    }

    /// Reads the next piece.
    pub(super) fn read(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !self.is_odd
            && let Some((byte, after)) = rest.split_first()
        {
            let was_report = self.member == Member::Usage;
            let before = rest;
            rest = match &mut self.string {
                Some(text) if text.escape > 0 => {
                    self.escaped(*byte);
                    after
                }
                Some(_) => self.string(rest),
                None => {
                    self.mark(*byte);
                    after
                }
            };
            let is_report = self.member == Member::Usage;
            if was_report && is_report && self.report.len() <= LARGEST_REPORT {
                let passed = before.len() - rest.len();
                self.report.extend(before.iter().take(passed));
            }
        }
    }

    /// What the answer told: its report as it was written, from its colon on, what was written, and
    /// the bytes of that. `None` if this was not all of it.
    pub(super) fn finish(self) -> Option<(Option<Vec<u8>>, Option<Written>, u64)> {
        let is_whole = !self.is_odd && self.depth == 0 && self.string.is_none();
        let has_report = (1..=LARGEST_REPORT).contains(&self.report.len());
        is_whole.then_some((has_report.then_some(self.report), self.written, self.before))
    }

    /// Of a string: what there is of it up to its end or an escape.
    fn string<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let length = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        let (plain, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if self.is_name {
            let room = (LONGEST_NAME + 1).saturating_sub(self.name.len());
            self.name.extend(plain.iter().take(room));
        } else {
            self.count(length as u64);
        }
        match rest.split_first() {
            Some((b'"', rest)) => {
                self.string = None;
                if std::mem::take(&mut self.is_name) {
                    self.named();
                }
                rest
            }
            Some((_backslash, rest)) => {
                self.string = Some(Text { escape: 1, code: 0 });
                rest
            }
            None => rest,
        }
    }

    /// The next character of an escape.
    fn escaped(&mut self, byte: u8) {
        let Some(text) = &mut self.string else { return };
        match (text.escape, byte) {
            (1, b'u') => text.escape = 5,
            (1, _) => {
                text.escape = 0;
                self.count(1);
            }
            (left, digit) => {
                let digit = char::from(digit).to_digit(16).unwrap_or(0);
                text.code = (text.code << 4) | u16::try_from(digit).unwrap_or(0);
                text.escape = if left == 2 { 0 } else { left - 1 };
                if left == 2 {
                    // As UTF-8; the halves of a pair have four bytes between them.
                    let bytes = match text.code {
                        0..=0x7f => 1,
                        0x80..=0x7ff | 0xd800..=0xdfff => 2,
                        _ => 3,
                    };
                    self.count(bytes);
                }
            }
        }
        if self.is_name {
            // No name that matters is written with escapes.
            self.name.resize(LONGEST_NAME + 1, b'\\');
        }
    }

    fn count(&mut self, bytes: u64) {
        if self.member == Member::Text && self.label.is_none() && !self.is_name {
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// A name has ended.
    fn named(&mut self) {
        let name = std::str::from_utf8(&self.name).unwrap_or_default();
        if self.depth == 1 + self.around {
            self.member = if name == self.usage_member {
                self.report.clear();
                Member::Usage
            } else if name == self.text_member {
                Member::Text
            } else {
                // It is all that Google says of a prompt that it refuses.
                self.ends |= name == "promptFeedback";
                Member::Other
            };
        } else if self.label.is_none() {
            let is_candidates = self.member == Member::Text && self.depth == 3 + self.around;
            self.ends |= is_candidates && name == "finishReason";
            let is_label = self.is_googles() && GOOGLES_LABELS.contains(&name);
            self.label = (is_label || !is_text_name(name)).then_some(self.depth);
        }
        self.name.clear();
    }

    /// What stands outside of strings.
    fn mark(&mut self, byte: u8) {
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        match byte {
            b'"' => self.string = Some(Text::default()),
            b'{' | b'[' => {
                let is_list = self.depth == 0 && byte == b'[';
                self.around |= u32::from(is_list && self.is_googles());
                self.is_odd |= self.depth >= DEEPEST || (is_list && !self.is_googles());
                self.depth += 1;
                self.objects = (self.objects << 1) | u128::from(byte == b'{');
                self.is_name = byte == b'{';
            }
            b'}' | b']' => {
                self.value_ends();
                self.objects >>= 1;
                self.is_odd |= self.depth == 0;
                self.depth = self.depth.saturating_sub(1);
                self.is_name = false;
            }
            b',' => {
                self.value_ends();
                self.is_name = self.objects & 1 == 1;
            }
            _ => self.is_odd |= self.depth == 0 && !byte.is_ascii_whitespace(),
        }
    }

    /// A value in what is open has ended, and with it what was said of it.
    fn value_ends(&mut self) {
        if self.label == Some(self.depth) {
            self.label = None;
        }
        let top = 1 + self.around;
        let is_element = self.depth == top + 1 && self.objects & 1 == 0;
        if self.member == Member::Text && (self.depth == top || is_element) {
            let bytes = std::mem::take(&mut self.bytes);
            self.before = self.before.saturating_add(bytes);
            let tokens = tokens_of_bytes(bytes);
            let sum = self.written.get_or_insert(Written {
                first: tokens,
                all: 0,
            });
            sum.all = sum.all.saturating_add(tokens);
        }
        if self.depth == top {
            self.member = Member::Other;
        }
    }
}
