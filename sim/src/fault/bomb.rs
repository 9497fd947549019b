//! JSON that becomes large.

use std::fmt::Write as _;

use super::Bomb;

/// A value of about so many bytes, or a little less.
pub(super) fn of(shape: Bomb, bytes: usize) -> String {
    match shape {
        Bomb::Deep => {
            let depth = (bytes / 2).max(1);
            format!("{}{}", "[".repeat(depth), "]".repeat(depth))
        }
        Bomb::Wide => format!("[{}0]", "[0],".repeat(bytes / 4)),
        Bomb::Names => {
            let mut object = String::from("{");
            let mut number = 0_u32;
            while object.len() < bytes {
                // Writing to a string does not fail.
                let _written = write!(object, "\"{number:x}\":0,");
                number += 1;
            }
            object.push_str("\"\":0}");
            object
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::Bomb;
    use super::of;

    #[test]
    fn bombs_are_json_of_the_length_that_was_asked_for() {
        for shape in [Bomb::Deep, Bomb::Wide, Bomb::Names] {
            for bytes in [0, 100, 200] {
                let bomb = of(shape, bytes);
                assert!(serde_json::from_str::<Value>(&bomb).is_ok(), "{bomb}");
                assert!(bomb.len().abs_diff(bytes) < 20, "{bomb}");
            }
        }
    }
}
