//! Where a JSON object ends that comes in pieces.

/// A look at an object as it comes. What does not begin as one never ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Object {
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
}

impl Object {
    /// Looks at `more`; gives the offset in it behind the brace that ends the object.
    pub(super) fn push(&mut self, more: &str) -> Option<usize> {
        for (at, byte) in more.bytes().enumerate() {
            if self.is_in_text {
                self.text(byte);
                continue;
            }
            match byte {
                b'"' => self.is_in_text = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if self.depth == 1 => return Some(at + 1),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        None
    }

    fn text(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => self.is_in_text = false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_ends_at_its_own_brace() {
        let end = |pieces: &[&str]| {
            let mut object = Object::default();
            pieces
                .iter()
                .map(|piece| object.push(piece))
                .collect::<Vec<_>>()
        };
        assert_eq!(end(&["{}x"]), [Some(2)]);
        assert_eq!(
            end(&[" {\"a\":", "{\"}\\\"", "\"}}"]),
            [None, None, Some(3)]
        );
        assert_eq!(end(&["\"{}\"", "no"]), [None, None]);
        assert_eq!(end(&["}}}", "]"]), [None, None]);
    }
}
