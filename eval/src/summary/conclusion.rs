//! What follows from the rows of one model, in a sentence or two.

use super::{Row, Verdict};

/// So many approaches on one dataset, and the best of them looks better than it is.
const MANY: usize = 4;

/// What follows from `rows`, all of one model.
pub(crate) fn of(rows: &[&Row]) -> String {
    let Some(plain) = rows
        .iter()
        .find(|row| row.approach == "none" && row.answers > 0)
    else {
        return if rows.iter().any(|row| row.answers > 0) {
            "The plain model has no graded answer, so nothing can be compared with it.".to_owned()
        } else {
            "No answer was graded, so nothing follows.".to_owned()
        };
    };
    let others: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.approach != "none" && row.answers > 0)
        .collect();
    if others.is_empty() {
        return format!(
            "The plain model is right in {} of {} answers; nothing was compared with it.",
            percent(plain),
            plain.answers
        );
    }
    let mut sentences = vec![first(plain, &others)];
    sentences.extend(losers(&others));
    if others.len() >= MANY {
        sentences.push(format!(
            "The best of {} on one dataset looks better than it is: confirm it on a second.",
            others.len()
        ));
    }
    sentences.join(" ")
}

/// The best approach that is shown to gain, against the plain model and the vote.
fn first(plain: &Row, others: &[&Row]) -> String {
    let gains = |row: &&&Row| {
        row.gain
            .is_some_and(|gain| gain.difference > 0.0 && gain.is_significant())
    };
    let best = others.iter().filter(gains).max_by(|one, other| {
        let accuracy = |row: &Row| row.accuracy.unwrap_or_default();
        accuracy(one)
            .total_cmp(&accuracy(other))
            .then(other.mean.amount().total_cmp(&one.mean.amount()))
    });
    let Some(best) = best else {
        return format!(
            "No approach is shown to beat the plain model, which is right in {} of {} answers: \
                more questions would show smaller differences.",
            percent(plain),
            plain.answers
        );
    };
    let times = best.mean.amount() / plain.mean.amount();
    let what = if best.mean.cost.is_some() {
        "cost"
    } else {
        "weighted tokens"
    };
    let price = if times.is_finite() {
        format!(" at {times:.1} times the {what}")
    } else {
        String::new()
    };
    format!(
        "`{}` is best, with {} against {} for the plain model{price}{}.",
        best.approach,
        percent(best),
        percent(plain),
        against_vote(best)
    )
}

fn against_vote(best: &Row) -> String {
    let (Some(vote), Some(verdict)) = (&best.equal_spend, best.verdict) else {
        return String::new();
    };
    let accuracy = format!("{:.1} %", 100.0 * vote.accuracy);
    match verdict {
        Verdict::Beats => format!(", and beats a plain vote of equal cost ({accuracy})"),
        Verdict::Loses => format!(
            ", but a plain vote of equal cost gets {accuracy}: `self_consistency` is the better \
                buy"
        ),
        Verdict::Unclear => format!(
            ", but is not shown to beat a plain vote of equal cost ({accuracy}), which \
                `self_consistency` takes"
        ),
    }
}

/// Who is not worth the price.
fn losers(others: &[&Row]) -> Option<String> {
    let names: Vec<String> = others
        .iter()
        .filter(|row| row.verdict == Some(Verdict::Loses))
        .map(|row| format!("`{}`", row.approach))
        .collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("{one} loses to the vote of equal cost.")),
        many => Some(format!(
            "{} lose to the vote of equal cost.",
            many.join(", ")
        )),
    }
}

fn percent(row: &Row) -> String {
    format!("{:.1} %", 100.0 * row.accuracy.unwrap_or_default())
}
