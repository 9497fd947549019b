//! Additions in any order: one block is open at a time, numbers have no gap, nothing is empty, and
//! all text comes out.
#![no_main]

use hone_dialects::blocks::{Blocks, Kind, Piece, Step};
use libfuzzer_sys::fuzz_target;

/// Larger than what any input has held back.
const BOUND: usize = 1 << 24;

/// A line is a piece: what its first byte says, then its text.
fn piece(line: &str) -> Option<Piece<'_>> {
    let mut letters = line.chars();
    let first = letters.next()?;
    let text = letters.as_str();
    Some(match first {
        'r' => Piece::Text(Kind::Reasoning, text),
        'f' => Piece::Text(Kind::Refusal, text),
        't' => Piece::Text(Kind::Text, text),
        'n' => Piece::Native(None, text.into()),
        'N' => Piece::Native(Some(Kind::Text), text.into()),
        '0'..='9' => Piece::Tool {
            index: first.to_digit(10)?,
            id: Some("id"),
            name: (!text.starts_with('-')).then_some("name"),
            arguments: text.strip_prefix('-').unwrap_or(text),
        },
        _ => return None,
    })
}

fuzz_target!(|input: &str| {
    let mut blocks = Blocks::new(BOUND);
    let (mut steps, mut said) = (Vec::new(), 0);
    for piece in input.lines().filter_map(piece) {
        if let Piece::Text(_, text) = piece {
            said += text.len();
        }
        blocks.push(piece, &mut steps).expect("the input is small");
    }
    blocks.finish(&mut steps);
    assert_eq!(follow(&steps), (blocks.count(), said));
    let mut none = Vec::new();
    blocks.finish(&mut none);
    assert_eq!(none, [], "an end ends once");
});

/// Follows the steps: how many blocks there are, and how much text they hold beside calls.
fn follow(steps: &[Step]) -> (usize, usize) {
    let (mut open, mut next, mut said) = (None, 0, 0);
    for step in steps {
        match step {
            Step::Open { block, kind, call } => {
                assert_eq!((open, *block), (None, next));
                assert_eq!(call.is_some(), matches!(kind, Kind::Tool(_)));
                (open, next) = (Some((*block, *kind)), next + 1);
            }
            Step::Append { block, kind, text } => {
                assert_eq!(open, Some((*block, *kind)));
                assert!(!text.is_empty());
                said += if matches!(kind, Kind::Tool(_)) {
                    0
                } else {
                    text.len()
                };
            }
            Step::Close { block, kind, .. } => {
                assert_eq!(open.take(), Some((*block, *kind)));
            }
            Step::Whole { block, .. } => {
                assert_eq!((open, *block), (None, next));
                next += 1;
            }
        }
    }
    assert_eq!(open, None, "all is closed");
    (next, said)
}
