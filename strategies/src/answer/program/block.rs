//! Finds the program in a reply.

use super::{MOST_BYTES, syntax};

/// Bytes at the end of a reply that are looked at.
const REACH: usize = 64 << 10;
const FENCE: &str = "```";

/// The program in a reply, of which only the last 64 KiB are looked at: its last block of Python,
/// else its last block that names no language, else its last lines in a row that can be read.
///
/// A block that is not closed goes on to the end. One that holds the output of a program names no
/// language, so a block of Python before it is preferred.
pub fn find(reply: &str) -> Option<&str> {
    let from = reply.ceil_char_boundary(reply.len().saturating_sub(REACH));
    let reply = reply.get(from..)?;
    let blocks = blocks(reply);
    let last = |language: Language| {
        let mut blocks = blocks.iter().rev();
        blocks.find(|block| block.language == language)
    };
    match last(Language::Python).or_else(|| last(Language::Unnamed)) {
        Some(block) => Some(block.body),
        None => readable(reply),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Other,
    Python,
    Unnamed,
}

struct Block<'a> {
    language: Language,
    body: &'a str,
}

fn language(name: &str) -> Language {
    match name.trim().to_ascii_lowercase().as_str() {
        "" => Language::Unnamed,
        "py" | "python" | "python3" => Language::Python,
        _ => Language::Other,
    }
}

fn blocks(reply: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<(Language, usize)> = None;
    let mut at = 0;
    for line in reply.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(name) = line.trim_start().strip_prefix(FENCE) else {
            continue;
        };
        match open.take() {
            None => open = Some((language(name), at)),
            Some((language, from)) => {
                let body = reply.get(from..start).unwrap_or_default();
                blocks.push(Block { language, body });
            }
        }
    }
    if let Some((language, from)) = open {
        let body = reply.get(from..).unwrap_or_default();
        blocks.push(Block { language, body });
    }
    blocks
}

/// The last lines in a row of which each can be read, without the blank ones around them.
fn readable(reply: &str) -> Option<&str> {
    let mut end = reply.len();
    let mut found: Option<(usize, usize)> = None;
    for line in reply.split_inclusive('\n').rev() {
        let start = end - line.len();
        let read = if line.len() > MOST_BYTES {
            None
        } else {
            syntax::line(line).ok()
        };
        match (read, found) {
            (Some(Some(_)), None) => found = Some((start, end)),
            (Some(Some(_)), Some((_, last))) => found = Some((start, last)),
            (Some(None), _) | (None, None) => {}
            (None, Some(_)) => break,
        }
        end = start;
    }
    reply.get(found?.0..found?.1)
}
