//! A count, as a request or a report writes it.

/// The count that `json` is, also where it is written as `2.0` or `2e0`, or as a string, which some
/// servers take for the number. `None` for anything else, negative numbers included.
///
/// ```
/// use hone_strategies::chat::count;
/// assert_eq!(["2", "2.0", "2e0", "\" 2 \""].map(count), [Some(2); 4]);
/// assert_eq!(["-2", "2.5", "\"6_4\"", "true"].map(count), [None; 4]);
/// ```
pub fn count(json: &str) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if let Ok(count) = json.parse() {
        return Some(count);
    }
    let quoted = json
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let text = quoted.map_or(json, str::trim);
    if let Ok(count) = text.parse() {
        return Some(count);
    }
    let number: f64 = serde_json::from_str(text).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an integer between 0 and 2^53"
    )]
    (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
}
