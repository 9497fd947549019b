//! What a request had to do without so that it could be said in another dialect.

use hone_strategies::chat::{End, Fate};

use super::refusal::Refusal;

/// So many names are told; a client can write any number of fields.
const MOST: usize = 32;
/// Bytes of the longest name that is told.
const LONGEST: usize = 100;

/// What was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// What may make the answer worse, for `x-hone-degraded`. Each name is fit for a header.
    pub degraded: Vec<String>,
    /// What concerns cost or telemetry alone.
    pub quiet: Vec<String>,
}

impl Losses {
    /// The answer may be worse for want of the part at `path`.
    pub fn degrade(&mut self, path: &str) {
        add(&mut self.degraded, path);
    }

    /// Nobody will miss the part at `path`.
    pub fn quiet(&mut self, path: &str) {
        add(&mut self.quiet, path);
    }

    /// Does what is due where a request leaves its dialect.
    ///
    /// # Errors
    ///
    /// The first part whose loss would change what the answer may contain or do.
    pub fn leave(&mut self, fates: &[Fate]) -> Result<(), Refusal> {
        for Fate { path, end } in fates {
            match end {
                End::Degrade => self.degrade(path),
                End::Quiet => self.quiet(path),
                End::Refuse(why) => return Err(Refusal::untranslatable(path, why)),
            }
        }
        Ok(())
    }
}

fn add(names: &mut Vec<String>, path: &str) {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    let name: String = path.chars().take(LONGEST).collect();
    let name = name.replace(|c| !fits(c), "_");
    if names.len() < MOST && !names.contains(&name) {
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_few_short_and_fit_for_a_header() {
        let mut losses = Losses::default();
        losses.degrade("a\r\nx: y");
        losses.degrade("a\r\nx: y");
        (0..100).for_each(|at| losses.degrade(&format!("{at}{}", "x".repeat(200))));
        assert_eq!(losses.degraded[0], "a__x__y");
        assert_eq!(losses.degraded.len(), MOST);
        assert!(losses.degraded.iter().all(|name| name.len() <= LONGEST));
    }

    #[test]
    fn what_must_not_be_lost_refuses_the_request() {
        let fate = |path: &str, end| Fate {
            path: path.to_owned(),
            end,
        };
        let fates = [
            fate("a", End::Quiet),
            fate("b", End::Refuse("No.".to_owned())),
        ];
        let mut losses = Losses::default();
        let refusal = losses.leave(&fates).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some("b"));
        assert_eq!(losses.quiet, ["a"]);
    }
}
