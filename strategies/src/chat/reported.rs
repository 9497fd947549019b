//! What providers say of a call's use beside its tokens: what it cost (`cost`, `cost_details`),
//! details of the counts (`prompt_tokens_details.audio_tokens`), times, searches.
//!
//! Over the calls of a run numbers are added up, member by member. Anything else stays as long as
//! all calls say the same.

use serde_json::{Map, Number, Value};

use super::usage::Usage;

/// Members of one object that are kept: a report is small.
const MOST_MEMBERS: usize = 64;
/// How deep objects are read.
const MOST_LEVELS: usize = 4;
/// Bytes of the longest name and text that are kept.
const LONGEST_TEXT: usize = 200;
/// What [`Usage`] reads itself.
const COUNTS: [&str; 7] = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
];
const DETAILS: [(&str, &str); 3] = [
    ("prompt_tokens_details", "cached_tokens"),
    ("prompt_tokens_details", "cache_write_tokens"),
    ("completion_tokens_details", "reasoning_tokens"),
];

/// The members of one report, or of many, beside the counts that [`Usage`] holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reported(Map<String, Value>);

impl Reported {
    /// Reads a `usage` object.
    pub fn parse(report: &Value) -> Self {
        let Some(Value::Object(mut fields)) = kept(report, MOST_LEVELS) else {
            return Self::default();
        };
        fields.retain(|name, _| !COUNTS.contains(&name.as_str()));
        for (details, count) in DETAILS {
            let Some(Value::Object(inner)) = fields.get_mut(details) else {
                continue;
            };
            inner.shift_remove(count);
            if inner.is_empty() {
                fields.shift_remove(details);
            }
        }
        Self(fields)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what another call's provider said.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.0, &other.0);
    }

    /// OpenAI's `usage` object of `usage`, with this in it.
    pub fn with(&self, usage: &Usage) -> Value {
        let mut all = usage.to_value();
        if let Value::Object(fields) = &mut all {
            join(fields, &self.0);
        }
        all
    }
}

/// What of a value is kept.
fn kept(value: &Value, levels: usize) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::String(text) => (text.len() <= LONGEST_TEXT).then(|| value.clone()),
        Value::Object(fields) if levels > 0 => {
            let short = fields.iter().filter(|(name, _)| name.len() <= LONGEST_TEXT);
            let members = short.filter_map(|(name, value)| {
                Some((name.clone(), kept(value, levels.saturating_sub(1))?))
            });
            Some(Value::Object(members.take(MOST_MEMBERS).collect()))
        }
        Value::Array(_) | Value::Null | Value::Object(_) => None,
    }
}

fn add(sums: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (name, value) in more {
        let Some(told) = sums.get_mut(name) else {
            if sums.len() < MOST_MEMBERS {
                sums.insert(name.clone(), value.clone());
            }
            continue;
        };
        match (told, value) {
            (Value::Object(inner), Value::Object(more)) => add(inner, more),
            (Value::Number(sum), Value::Number(more)) => *sum = plus(sum, more),
            (told, value) if told == value => {}
            // The calls disagree. The place stays taken, so that the next one does not count alone.
            (told, _) => *told = Value::Null,
        }
    }
}

fn plus(one: &Number, other: &Number) -> Number {
    if let (Some(one), Some(other)) = (one.as_u64(), other.as_u64()) {
        return one.saturating_add(other).into();
    }
    let sum = one.as_f64().unwrap_or(0.0) + other.as_f64().unwrap_or(0.0);
    Number::from_f64(sum).unwrap_or_else(|| one.clone())
}

/// Puts `more` into `fields`, which keep what they have, up to as many as are read again.
fn join(fields: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (name, value) in more.iter().filter(|(_, value)| !value.is_null()) {
        if let Some(told) = fields.get_mut(name) {
            if let (Value::Object(inner), Value::Object(more)) = (told, value) {
                join(inner, more);
            }
        } else if fields.len() < MOST_MEMBERS {
            fields.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sum(reports: &[Value]) -> Value {
        let mut sum = Reported::default();
        for report in reports {
            sum.add(&Reported::parse(report));
        }
        sum.with(&Usage::new(1, 2))
    }

    #[test]
    fn costs_and_details_are_added_up_and_counts_stay_hones_own() {
        let report = json!({"prompt_tokens": 7, "completion_tokens": 8, "total_tokens": 15,
            "cost": 0.25, "is_byok": false, "cost_details": {"upstream_inference_cost": 0.5},
            "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 4, "accepted_prediction_tokens": 1}});
        let wanted = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 0, "accepted_prediction_tokens": 2},
            "cost": 0.5, "is_byok": false, "cost_details": {"upstream_inference_cost": 1.0}});
        assert_eq!(sum(&[report.clone(), report]), wanted);
        assert_eq!(sum(&[]), Usage::new(1, 2).to_value());
    }

    #[test]
    fn what_calls_disagree_on_is_left_out_and_stays_out() {
        let of = |value: Value| json!({"currency": value, "cost": 1});
        let told = sum(&[
            of(json!("EUR")),
            of(json!("USD")),
            of(json!("EUR")),
            of(json!(null)),
        ]);
        assert_eq!((told.get("currency"), &told["cost"]), (None, &json!(4)));
        let told = sum(&[
            json!({"cost": 1}),
            json!({"cost": {"total_cost": 1}}),
            json!({"cost": 1}),
        ]);
        assert_eq!(told.get("cost"), None);
        assert_eq!(
            sum(&[of(json!("EUR")), of(json!("EUR"))])["currency"],
            "EUR"
        );
    }

    #[test]
    fn a_report_of_any_size_stays_small() {
        let many: Map<String, Value> = (0..1000).map(|n| (format!("n{n}"), n.into())).collect();
        let other: Map<String, Value> = (0..1000).map(|n| (format!("m{n}"), n.into())).collect();
        let deep = (0..50).fold(json!(1), |inner, _| json!({"a": inner}));
        let odd = json!({"text": "x".repeat(300), "deep": deep, "list": [1], "x".repeat(300): 1});
        let told = sum(&[many.into(), other.into(), odd]);
        assert!(told.to_string().len() < 3000, "{told}");
        let usage = Usage::new(1, 2);
        assert_eq!(
            Reported::parse(&told).with(&usage),
            told,
            "read again it is the same"
        );
        for number in [json!(u64::MAX), json!(1e308), json!(-1)] {
            let of = json!({"cost": number});
            assert!(sum(&[of.clone(), of])["cost"].is_number());
        }
        assert!(Reported::parse(&json!([1])).is_empty());
    }
}
