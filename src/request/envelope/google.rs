//! What hone reads of a body for Google's API: how much it asks for. Its fields have two spellings
//! each, of which its servers take either.

use hone_strategies::chat::count;

use super::amounts::{bound, is_negative};
use super::{Envelope, EnvelopeError, Field, Seen, is_given, is_same, members, utf8};

/// The spellings of a name, in lower case.
type Spellings = [&'static str; 2];

const CONFIG: Spellings = ["generationconfig", "generation_config"];
const MAX_OUTPUT: Spellings = ["maxoutputtokens", "max_output_tokens"];
const CANDIDATES: Spellings = ["candidatecount", "candidate_count"];

fn is(name: &str, spellings: Spellings) -> bool {
    spellings.iter().any(|spelling| is_same(name, spelling))
}

/// Whether Google's servers take `name` for the one with these spellings.
fn is_exact(name: &str, spellings: Spellings) -> bool {
    let camel = name.strip_prefix(|first: char| first.is_ascii_lowercase());
    match camel {
        Some(_) if name.contains('_') => spellings.contains(&name),
        Some(_) => ["generationConfig", "maxOutputTokens", "candidateCount"].contains(&name),
        None => false,
    }
}

/// Looks into `body`, as [`Envelope::peek`] does.
pub(super) fn look(body: &[u8]) -> Result<Envelope<'static>, EnvelopeError> {
    let mut envelope = Envelope::default();
    let mut found = false;
    members(utf8(body)?, |member| {
        let name = member.name();
        if !is(&name, CONFIG) {
            return Ok(());
        }
        if std::mem::replace(&mut found, true) {
            return Err(EnvelopeError::DuplicateField {
                name: "generationConfig".to_owned(),
            });
        }
        config(&mut envelope, member.value, is_exact(&name, CONFIG))
    })?;
    Ok(envelope)
}

fn config(
    envelope: &mut Envelope<'_>,
    config: &str,
    is_exact_config: bool,
) -> Result<(), EnvelopeError> {
    if !config.starts_with('{') {
        return Ok(());
    }
    let mut seen = Seen::default();
    members(config, |member| {
        let (name, value) = (member.name(), member.value);
        let (field, spellings) = if is(&name, MAX_OUTPUT) {
            (Field::MaxOutput, MAX_OUTPUT)
        } else if is(&name, CANDIDATES) {
            (Field::CandidateCount, CANDIDATES)
        } else {
            return Ok(());
        };
        seen.once(field)?;
        let is_exact = is_exact_config && is_exact(&name, spellings);
        if !is_exact {
            envelope.misspelled = Some(field);
        }
        let is_clear = if field == Field::CandidateCount {
            envelope.n = count(value);
            envelope.n.is_some()
        } else {
            let place = if is_exact {
                &mut envelope.max_output_tokens
            } else {
                &mut envelope.misspelled_bound
            };
            *place = bound(value);
            count(value).is_some() || is_negative(value)
        };
        if !is_clear && is_given(value) {
            envelope.unclear = Some(field);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::endpoint::Kind;

    fn asks(body: &str) -> (u64, u64) {
        let envelope = look(body.as_bytes()).expect("an object");
        assert!(envelope.tells_amounts(Kind::GenerateContent).is_ok());
        let most = envelope.most_output(Kind::GenerateContent, || 500);
        (most, envelope.choices_made())
    }

    #[test]
    fn amounts_are_read_in_both_spellings() {
        for body in [
            r#"{"generationConfig": {"maxOutputTokens": 9, "candidateCount": 3}}"#,
            r#"{"generation_config": {"max_output_tokens": 9, "candidate_count": 3}}"#,
            r#"{"generationConfig": {"max_output_tokens": 9, "candidateCount": "3"}}"#,
            r#"{"contents": [{"generationConfig": {}}],
                "generation\u0043onfig": {"max\u004futputTokens": 9, "candidateCount": 3}}"#,
        ] {
            assert_eq!(asks(body), (9, 3), "{body}");
        }
        for body in [
            "{}",
            r#"{"generationConfig": null}"#,
            r#"{"maxOutputTokens": 9}"#,
        ] {
            assert_eq!(asks(body), (500, 1), "{body}");
        }
    }

    #[test]
    fn another_case_may_raise_what_is_reserved_and_not_lower_it() {
        for (most, expected) in [(9, 500), (9000, 9000)] {
            let body = format!(r#"{{"GenerationConfig": {{"maxOutputTokens": {most}}}}}"#);
            assert_eq!(asks(&body).0, expected, "{body}");
            let envelope = look(body.as_bytes()).expect("an object");
            assert!(
                envelope
                    .tells_amounts_by_name(Kind::GenerateContent)
                    .is_err()
            );
        }
    }

    #[test]
    fn what_is_given_twice_is_refused_in_whatever_spelling() {
        for (body, name) in [
            (
                r#"{"generationConfig": {}, "generation_config": {}}"#,
                "generationConfig",
            ),
            (
                r#"{"generationConfig": {}, "GENERATIONCONFIG": {}}"#,
                "generationConfig",
            ),
            (
                r#"{"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 2}}"#,
                "generationConfig.maxOutputTokens",
            ),
            (
                r#"{"generationConfig": {"candidateCount": 1, "candidateCount": 2}}"#,
                "generationConfig.candidateCount",
            ),
        ] {
            let name = name.to_owned();
            let refused = EnvelopeError::DuplicateField { name };
            assert_eq!(look(body.as_bytes()).unwrap_err(), refused, "{body}");
        }
    }

    #[test]
    fn what_is_no_count_is_refused_where_tokens_are_limited() {
        for (field, value) in [
            ("maxOutputTokens", "[]"),
            ("max_output_tokens", "\"6_4\""),
            ("candidateCount", "true"),
        ] {
            let body = format!(r#"{{"generationConfig": {{"{field}": {value}}}}}"#);
            let envelope = look(body.as_bytes()).expect("an object");
            assert!(
                envelope.tells_amounts(Kind::GenerateContent).is_err(),
                "{body}"
            );
        }
    }
}
