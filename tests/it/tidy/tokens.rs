//! What can be found among tokens that only a macro understands: paths and functions.

use proc_macro2::{Delimiter, Ident, Literal, TokenStream, TokenTree};

use super::names::segments;

/// A path, as its segments, and the line on which it begins.
#[derive(Debug)]
pub struct Found {
    pub path: Vec<String>,
    pub line: usize,
}

/// The paths among `tokens`. A single word is a path too.
pub fn paths(tokens: TokenStream) -> Vec<Found> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut found = Vec::new();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = match first {
            TokenTree::Ident(word) => path(&[], word, after, &mut found),
            TokenTree::Group(group) => {
                found.extend(paths(group.stream()));
                after
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => after,
        };
    }
    found
}

/// Reads the path that goes on with `word`, and gives back what stands behind it.
fn path<'t>(
    above: &[String],
    word: &Ident,
    mut rest: &'t [TokenTree],
    found: &mut Vec<Found>,
) -> &'t [TokenTree] {
    let line = word.span().start().line;
    let mut path = above.to_vec();
    if path.is_empty() || word != "self" {
        path.push(word.to_string());
    }
    while let [
        TokenTree::Punct(one),
        TokenTree::Punct(two),
        next,
        after @ ..,
    ] = rest
        && (one.as_char(), two.as_char()) == (':', ':')
    {
        match next {
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Punct(star) if star.as_char() == '*' => path.push("*".to_owned()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                branches(&path, group.stream(), found);
                return after;
            }
            _ => break,
        }
        rest = after;
    }
    found.push(Found { path, line });
    rest
}

/// The paths of a `use` tree's braces.
fn branches(above: &[String], tokens: TokenStream, found: &mut Vec<Found>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
    for branch in tokens.split(is_comma) {
        if let [TokenTree::Ident(word), rest @ ..] = branch {
            path(above, word, rest, found);
        }
    }
}

/// The string literals among `tokens` that are paths.
pub fn quoted_paths(tokens: TokenStream) -> Vec<Found> {
    let tokens = tokens.into_iter();
    tokens
        .flat_map(|token| match token {
            TokenTree::Group(group) => quoted_paths(group.stream()),
            TokenTree::Literal(literal) => quoted_path(&literal).into_iter().collect(),
            TokenTree::Ident(_) | TokenTree::Punct(_) => Vec::new(),
        })
        .collect()
}

fn quoted_path(literal: &Literal) -> Option<Found> {
    let text: syn::LitStr = syn::parse_str(&literal.to_string()).ok()?;
    let path: syn::Path = text.parse().ok()?;
    Some(Found {
        path: segments(&path),
        line: literal.span().start().line,
    })
}

/// A function: where it begins, and over how many lines it goes.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// The functions among `tokens`, and those in their bodies.
pub fn functions(tokens: TokenStream) -> Vec<Function> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut found = Vec::new();
    let mut begun: Option<(&Ident, usize)> = None;
    for pair in tokens.windows(2) {
        if let [TokenTree::Ident(word), TokenTree::Ident(name)] = pair
            && word == "fn"
        {
            begun = Some((name, word.span().start().line));
        }
        match &pair[1] {
            TokenTree::Punct(mark) if mark.as_char() == ';' => begun = None,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                if let Some((name, line)) = begun.take() {
                    found.push(Function {
                        name: name.to_string(),
                        line,
                        lines: group.span_close().end().line + 1 - line,
                    });
                }
            }
            _ => {}
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            found.extend(functions(group.stream()));
        }
    }
    found
}
