//! As much of a shell as the documents use: quotes, continued lines, comments, pipes, redirections.

/// The commands of a script, each as its words. Each part of a pipe or of `a && b` is a command.
pub(super) fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = script.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => {
                while letters.next_if(|next| *next != '\n').is_some() {}
            }
            (None, '\n' | '|' | ';' | '&') => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            (Some(_) | None, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    commands.push(words);
    let mut commands: Vec<_> = commands.into_iter().map(without_redirections).collect();
    commands.retain(|command| !command.is_empty());
    assert!(quote.is_none(), "a quote stays open: {script}");
    commands
}

fn without_redirections(words: Vec<String>) -> Vec<String> {
    words
        .into_iter()
        .take_while(|word| !matches!(word.as_str(), ">" | ">>" | "2>" | "<"))
        .collect()
}

#[test]
fn a_script_is_read_as_a_shell_would() {
    let script = "a 'b c' \"d\" # e\n# f\ng \\\n  h | i > j\n\nk && l\n";
    let read = commands(script);
    let expected: [&[&str]; 5] = [&["a", "b c", "d"], &["g", "h"], &["i"], &["k"], &["l"]];
    assert_eq!(read, expected);
}
