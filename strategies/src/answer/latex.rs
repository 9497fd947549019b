//! Rewrites LaTeX and typographic characters to one plain notation.
//!
//! Fractions become `⦅a⁄b⦆`, roots `√{a}`, set braces `⦃…⦄`; grouping braces stay. Commands that
//! are not about the value disappear, unknown ones stay.

/// Nesting of commands' arguments that is followed; deeper text stays as it is.
const MAX_DEPTH: usize = 6;

/// Commands that stand for one character.
const SYMBOLS: [(&str, char); 31] = [
    ("approx", '≈'),
    ("cdot", '*'),
    ("circ", '°'),
    ("cup", '∪'),
    ("degree", '°'),
    ("div", '/'),
    ("emptyset", '∅'),
    ("ge", '≥'),
    ("geq", '≥'),
    ("gt", '>'),
    ("implies", '⇒'),
    ("in", '∈'),
    ("infty", '∞'),
    ("langle", '⟨'),
    ("lbrace", '⦃'),
    ("ldots", '…'),
    ("le", '≤'),
    ("leq", '≤'),
    ("lt", '<'),
    ("ne", '≠'),
    ("neq", '≠'),
    ("pi", 'π'),
    ("pm", '±'),
    ("qquad", ' '),
    ("quad", ' '),
    ("rangle", '⟩'),
    ("rbrace", '⦄'),
    ("therefore", ' '),
    ("times", '*'),
    ("to", '→'),
    ("varnothing", '∅'),
];

/// Commands whose argument is the text itself.
const WRAPPERS: [&str; 16] = [
    "boldsymbol",
    "boxed",
    "emph",
    "fbox",
    "mathbb",
    "mathbf",
    "mathit",
    "mathrm",
    "mathsf",
    "mbox",
    "operatorname",
    "text",
    "textbf",
    "textit",
    "textrm",
    "texttt",
];

/// Commands that only place or size what follows.
const LAYOUT: [&str; 9] = [
    "left",
    "right",
    "big",
    "Big",
    "bigl",
    "bigr",
    "displaystyle",
    "limits",
    "rm",
];

/// The text in plain notation. Dollar signs in pairs delimit formulas; one too many is the
/// currency.
pub(super) fn clean(text: &str) -> String {
    let delimiters = text.matches('$').count() - text.matches("\\$").count();
    let cleaned = if delimiters.is_multiple_of(2) {
        clean_at(text, 0)
    } else {
        clean_at(&text.replace('$', "\\$").replace("\\\\$", "\\$"), 0)
    };
    if !cleaned.contains(['{', '^']) {
        return cleaned;
    }
    cleaned
        .replace("{,}", ",")
        .replace("^{°}", "°")
        .replace("^°", "°")
}

/// What stands between a brace that was just opened and the one that closes it, and what follows.
/// Escaped braces do not count.
pub(super) fn balanced(behind_open: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, c) in behind_open.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' if depth == 0 => return Some((behind_open.get(..at)?, behind_open.get(at + 1..)?)),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn clean_at(text: &str, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == '\\' {
            rest = command(behind, &mut out, depth);
        } else {
            character(c, &mut out);
            rest = behind;
        }
    }
    out
}

fn character(c: char, out: &mut String) {
    match c {
        '$' | '\u{200b}' | '\u{feff}' => {}
        '\u{a0}' | '\u{2009}' | '\u{202f}' | '\t' | '\n' | '\r' => out.push(' '),
        '−' => out.push('-'),
        '×' | '·' | '⋅' | '∗' => out.push('*'),
        '÷' => out.push('/'),
        '，' => out.push(','),
        '（' => out.push('('),
        '）' => out.push(')'),
        '％' => out.push('%'),
        '½' => out.push_str("⦅1⁄2⦆"),
        '⅓' => out.push_str("⦅1⁄3⦆"),
        '⅔' => out.push_str("⦅2⁄3⦆"),
        '¼' => out.push_str("⦅1⁄4⦆"),
        '¾' => out.push_str("⦅3⁄4⦆"),
        '²' => out.push_str("^{2}"),
        '³' => out.push_str("^{3}"),
        _ => out.push(c),
    }
}

/// Writes what the command at the beginning of `rest`, behind its backslash, stands for, and gives
/// what follows it.
fn command<'a>(rest: &'a str, out: &mut String, depth: usize) -> &'a str {
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, behind) = rest.split_at(letters);
    if name.is_empty() {
        return escape(rest, out);
    }
    if let Some((_, symbol)) = SYMBOLS.iter().find(|(symbol, _)| *symbol == name) {
        out.push(*symbol);
        return behind.strip_prefix(' ').unwrap_or(behind);
    }
    if WRAPPERS.contains(&name) {
        let (inner, behind) = argument(behind);
        out.push(' ');
        out.push_str(&clean_at(inner, depth + 1));
        out.push(' ');
        return behind;
    }
    if LAYOUT.contains(&name) {
        return behind.strip_prefix('.').unwrap_or(behind);
    }
    match name {
        "frac" | "dfrac" | "tfrac" | "cfrac" => fraction(behind, out, depth),
        "sqrt" => root(behind, out, depth),
        _ => {
            out.push('\\');
            out.push_str(name);
            behind
        }
    }
}

/// An escaped character or a thin space.
fn escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(c) = rest.chars().next() else {
        return rest;
    };
    match c {
        '(' | ')' | '[' | ']' | ',' | ';' | ':' | '!' => {}
        '{' => out.push('⦃'),
        '}' => out.push('⦄'),
        '\\' => out.push(' '),
        _ => out.push(c),
    }
    rest.get(c.len_utf8()..).unwrap_or_default()
}

fn fraction<'a>(rest: &'a str, out: &mut String, depth: usize) -> &'a str {
    let (above, rest) = argument(rest);
    let (below, rest) = argument(rest);
    out.push('⦅');
    out.push_str(clean_at(above, depth + 1).trim());
    out.push('⁄');
    out.push_str(clean_at(below, depth + 1).trim());
    out.push('⦆');
    rest
}

fn root<'a>(rest: &'a str, out: &mut String, depth: usize) -> &'a str {
    let (degree, rest) = rest
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .unwrap_or(("", rest));
    let (of, rest) = argument(rest);
    out.push('√');
    if !degree.is_empty() {
        out.push('[');
        out.push_str(&clean_at(degree, depth + 1));
        out.push(']');
    }
    out.push('{');
    out.push_str(clean_at(of, depth + 1).trim());
    out.push('}');
    rest
}

/// The argument at the beginning of `rest`: a group, a command or one character.
fn argument(rest: &str) -> (&str, &str) {
    let rest = rest.trim_start();
    if let Some(behind) = rest.strip_prefix('{') {
        return balanced(behind).unwrap_or((behind, ""));
    }
    let length = match rest.strip_prefix('\\') {
        Some(name) => 1 + name.bytes().take_while(u8::is_ascii_alphabetic).count(),
        None => rest.chars().next().map_or(0, char::len_utf8),
    };
    rest.split_at_checked(length).unwrap_or((rest, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_one_value_become_one_text() {
        for (latex, plain) in [
            (r"\frac{1}{2}", "⦅1⁄2⦆"),
            (r"\dfrac12", "⦅1⁄2⦆"),
            (r"\sqrt2", "√{2}"),
            (r"\sqrt[3]{2}", "√[3]{2}"),
            (r"\frac{\sqrt{3}}{2}", "⦅√{3}⁄2⦆"),
            (r"$\left(1, 2\right)$", "(1, 2)"),
            (r"\{1, 2\}", "⦃1, 2⦄"),
            (r"90^\circ", "90°"),
            (r"90^{\circ}", "90°"),
            (r"1{,}234\,567", "1,234567"),
            (r"\(x\)", "x"),
            (r"3 \cdot 10^2", "3 *10^2"),
            (r"\theta", r"\theta"),
            ("2½", "2⦅1⁄2⦆"),
        ] {
            assert_eq!(clean(latex), plain);
        }
    }

    #[test]
    fn unfinished_commands_are_harmless() {
        for latex in [
            r"\",
            r"\frac",
            r"\frac{",
            r"\frac{1",
            r"\sqrt[",
            r"\text{",
            r"\sqrt{\sqrt{\sqrt{",
            r"\boxed",
        ] {
            clean(latex);
        }
        clean(&r"\frac{".repeat(10_000));
    }
}
