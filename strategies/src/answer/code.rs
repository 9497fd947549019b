//! Code as an answer: the last fenced block, compared without its layout.

/// The content of the last complete fenced block.
pub(super) fn last_block(text: &str) -> Option<&str> {
    let mut fences = text.rmatch_indices("```").filter(|(at, _)| {
        text.get(..*at)
            .is_some_and(|before| before.is_empty() || before.ends_with('\n'))
    });
    let (end, _) = fences.next()?;
    let (start, _) = fences.next()?;
    let block = text.get(start..end)?;
    block.split_once('\n').map(|(_, content)| content)
}

/// The code with its indentation kept and all other spacing reduced, without blank lines.
pub(super) fn tokens(code: &str) -> String {
    let lines = code.lines().filter(|line| !line.trim().is_empty());
    let lines = lines.map(|line| {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{:indent$}{}", "", words.join(" "))
    });
    lines.collect::<Vec<_>>().join("\n")
}
