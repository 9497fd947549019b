//! Finds sequences in a text that comes in pieces, with one look at each byte of it (Knuth, Morris
//! and Pratt, 1977).

/// What to look for; never empty.
#[derive(Debug)]
pub(super) struct Needle {
    text: String,
    /// For each beginning of `text`, how long the longest is that it also ends with.
    borders: Vec<usize>,
}

/// How far a text has come.
#[derive(Debug)]
pub(super) struct Scan {
    /// How much of each needle the text ends with.
    reached: Vec<usize>,
    /// What the longest of these is.
    held: String,
}

/// What may be said of a piece, with what was held back before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The piece as it is.
    All,
    /// This, up to what is held back from now on.
    Some(String),
    /// This, up to a needle. Nothing is held back.
    Cut(String, String),
}

impl Needle {
    pub(super) fn new(text: String) -> Self {
        let mut needle = Self {
            borders: Vec::with_capacity(text.len()),
            text,
        };
        let mut reached = 0;
        for at in 0..needle.text.len() {
            if let (true, Some(byte)) = (at > 0, needle.text.as_bytes().get(at).copied()) {
                reached = needle.next(reached, byte);
            }
            needle.borders.push(reached);
        }
        needle
    }

    /// How much the text ends with that ended with `reached` before `byte`.
    fn next(&self, mut reached: usize, byte: u8) -> usize {
        let bytes = self.text.as_bytes();
        while bytes.get(reached) != Some(&byte) {
            let Some(shorter) = reached.checked_sub(1) else {
                return 0;
            };
            reached = self.borders.get(shorter).copied().unwrap_or(0);
        }
        reached + 1
    }

    /// Where in `text` the first one ends.
    fn end_in(&self, reached: &mut usize, text: &[u8]) -> Option<usize> {
        let first = self.text.as_bytes().first().copied()?;
        let skipped = if *reached == 0 {
            memchr::memchr(first, text)?
        } else {
            0
        };
        for (at, byte) in text.iter().enumerate().skip(skipped) {
            *reached = self.next(*reached, *byte);
            if *reached == self.text.len() {
                return Some(at + 1);
            }
        }
        None
    }
}

impl Scan {
    pub(super) fn new(needles: usize) -> Self {
        Self {
            reached: vec![0; needles],
            held: String::new(),
        }
    }

    /// The next piece. The needle that ends first counts, and of several that end there the
    /// longest.
    pub(super) fn push(&mut self, needles: &[Needle], text: &str) -> Found {
        let mut first: Option<(usize, &str)> = None;
        for (needle, reached) in needles.iter().zip(&mut self.reached) {
            let Some(end) = needle.end_in(reached, text.as_bytes()) else {
                continue;
            };
            let is_earlier = |(known, stop): (usize, &str)| {
                end < known || end == known && needle.text.len() > stop.len()
            };
            if first.is_none_or(is_earlier) {
                first = Some((end, &needle.text));
            }
        }
        if let Some((end, stop)) = first {
            let end = self.held.len() + end;
            let mut said = self.flush();
            said.push_str(text);
            said.truncate(end.saturating_sub(stop.len()));
            return Found::Cut(said, stop.to_owned());
        }
        let held = self.reached.iter().copied().max().unwrap_or(0);
        if held == 0 && self.held.is_empty() {
            return Found::All;
        }
        self.held.push_str(text);
        let held = self.held.len().saturating_sub(held);
        let rest = self.held.split_off(held);
        Found::Some(std::mem::replace(&mut self.held, rest))
    }

    /// What is held back. A needle that has begun is forgotten.
    pub(super) fn flush(&mut self) -> String {
        self.reached.fill(0);
        std::mem::take(&mut self.held)
    }
}
