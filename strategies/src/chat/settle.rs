//! What a call is taken to have used: the one rule for limits, logs, traces and answers.

use super::text::{members_text_bytes, tokens_of_bytes};
use super::{Choice, Usage};

/// Generated tokens by hone's own count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Of the first choice.
    pub first: u64,
    /// Of all choices.
    pub all: u64,
}

impl Written {
    /// What one choice has.
    pub fn one(tokens: u64) -> Self {
        Self {
            first: tokens,
            all: tokens,
        }
    }

    /// What `choices` have.
    pub fn of(choices: &[Choice]) -> Self {
        let mut counts = choices.iter().map(written_tokens);
        let first = counts.next().unwrap_or(0);
        Self {
            first,
            all: counts.fold(first, u64::saturating_add),
        }
    }

    fn is_several(self) -> bool {
        self.all > self.first
    }
}

/// No call uses more: this is 128 choices of a million tokens. A report of more (-1 as an unsigned
/// number, say) is not believed.
pub const MOST_TOKENS: u64 = 1 << 27;

/// No choice has more tokens, hidden ones included.
const LONGEST_CHOICE: u64 = 1 << 20;
/// No prompt has more tokens that its text does not show: what a provider adds by tools, or has
/// kept of a conversation.
const LONGEST_PROMPT: u64 = 1 << 21;
/// How many tokens there may be for each that hone counts: hone counts one for four bytes, a token
/// has one at least, and an image is a guess.
const PER_COUNTED: u64 = 8;

/// Whether a call can have used what is reported of it, whose answer hone counts as `written` and
/// whose prompt as `prompt` tokens. A false report must not keep a caller out, or all callers of
/// its address, for longer than any call could.
pub fn is_possible(reported: &Usage, written: Written, prompt: u64) -> bool {
    let output = if written.is_several() {
        MOST_TOKENS
    } else {
        LONGEST_CHOICE
    };
    let input = LONGEST_PROMPT.max(prompt.saturating_mul(PER_COUNTED));
    reported.prompt <= input
        && reported.completion <= output
        && reported.total <= MOST_TOKENS.min(input.saturating_add(output))
}

/// The tokens of a whole choice by hone's own count.
pub fn written_tokens(choice: &Choice) -> u64 {
    tokens_of_bytes(members_text_bytes(choice.message.fields()))
}

/// What a call has used whose answer is whole: what the provider has `reported`, unless that cannot
/// be, and hone's own count of what was `written` and `prompt` where it reports nothing.
///
/// A report of no tokens beside a text is none, and neither is one of more than
/// [is possible](is_possible). A report that plainly speaks of one choice of
/// several, as llama.cpp's does (it is near the first choice's count and far from the sum), is
/// scaled to all of them.
pub fn settle(reported: Option<Usage>, written: Written, prompt: u64) -> Usage {
    let is_one = |usage: &Usage| usage.total > 0 && is_possible(usage, written, prompt);
    let Some(reported) = reported.filter(is_one) else {
        return Usage::estimate(prompt, written.all);
    };
    let whole = fill(reported, written, prompt);
    if written.is_several() && speaks_of_one(whole.completion, written) {
        scale(whole, written)
    } else {
        whole
    }
}

/// `usage` with hone's own figure for each part that cannot be zero.
fn fill(usage: Usage, written: Written, prompt: u64) -> Usage {
    let parts = usage.prompt.saturating_add(usage.completion);
    if parts == 0 {
        // Only the sum was reported.
        let completion = written.all.min(usage.total);
        return Usage {
            prompt: usage.total - completion,
            completion,
            ..usage
        };
    }
    let mut filled = usage;
    if usage.completion == 0 && written.all > 0 {
        filled.completion = written.all;
        filled.estimated = written.all;
    }
    if usage.prompt == 0 {
        filled.prompt = prompt;
        filled.estimated = filled.estimated.saturating_add(prompt);
    }
    filled.total = usage
        .total
        .max(filled.prompt.saturating_add(filled.completion));
    filled
}

/// Whether a report is near the first choice's count and far from the sum. hone's count is a guess
/// within a quarter or so, so that a report between the two is believed.
fn speaks_of_one(completion: u64, written: Written) -> bool {
    let Written { first, all } = written;
    completion.saturating_mul(4) <= first.saturating_mul(5)
        && completion.saturating_mul(5) <= all.saturating_mul(3)
}

fn scale(usage: Usage, written: Written) -> Usage {
    let scaled =
        u128::from(usage.completion) * u128::from(written.all) / u128::from(written.first.max(1));
    let completion = u64::try_from(scaled).unwrap_or(u64::MAX);
    let more = completion.saturating_sub(usage.completion);
    Usage {
        completion,
        total: usage.total.saturating_add(more),
        estimated: usage.estimated.saturating_add(more),
        ..usage
    }
}

/// What a call has used that was cut off: what was `reserved` for it or, if more than that was
/// seen, what has been written.
pub fn settle_cut(reserved: Usage, written: u64) -> Usage {
    Usage::estimate(reserved.prompt, reserved.completion.max(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(first: u64, all: u64) -> Written {
        Written { first, all }
    }

    #[test]
    fn a_report_is_believed_and_nothing_of_it_is_estimated() {
        let report = Usage::new(7, 54);
        for count in [
            written(60, 63),
            written(21, 63),
            written(0, 0),
            written(9, 9),
        ] {
            assert_eq!(settle(Some(report), count, 100), report, "{count:?}");
        }
        let more = Usage {
            total: 90,
            ..report
        };
        assert_eq!(settle(Some(more), written(9, 9), 1), more, "hidden tokens");
    }

    #[test]
    fn without_a_report_the_count_stands_in_and_is_marked() {
        let counted = Usage::estimate(100, 9);
        assert_eq!(counted.estimated, 109);
        assert_eq!(settle(None, written(9, 9), 100), counted);
        let zeros = Some(Usage::default());
        assert_eq!(settle(zeros, written(9, 9), 100), counted);
    }

    #[test]
    fn a_report_of_more_than_any_call_can_use_is_none() {
        let counted = Usage::estimate(100, 9);
        for report in [
            Usage::new(LONGEST_PROMPT + 1, 1),
            Usage::new(7, LONGEST_CHOICE + 1),
            Usage::new(7, u64::from(u32::MAX)),
            Usage::new(u64::MAX, u64::MAX),
            Usage {
                total: LONGEST_PROMPT + LONGEST_CHOICE + 1,
                ..Usage::new(7, 9)
            },
        ] {
            let settled = settle(Some(report), written(9, 9), 100);
            assert_eq!(settled, counted, "{report:?}");
        }
        let most = Usage::new(LONGEST_PROMPT, LONGEST_CHOICE);
        assert_eq!(settle(Some(most), written(9, 9), 100), most);
    }

    #[test]
    fn a_large_call_may_use_much() {
        let long = Usage::new(10_000_000, 9);
        assert_eq!(settle(Some(long), written(9, 9), 2_500_000), long);
        let several = Usage::new(7, MOST_TOKENS - 7);
        let many = written(LONGEST_CHOICE, MOST_TOKENS - 7);
        assert_eq!(settle(Some(several), many, 100), several);
        let more = Usage::new(7, MOST_TOKENS);
        assert_ne!(settle(Some(more), many, 100), more);
    }

    #[test]
    fn a_part_that_cannot_be_zero_is_filled_in() {
        let no_output = settle(Some(Usage::new(7, 0)), written(9, 9), 100);
        assert_eq!((no_output.prompt, no_output.completion), (7, 9));
        assert_eq!((no_output.total, no_output.estimated), (16, 9));
        let no_input = settle(Some(Usage::new(0, 5)), written(9, 9), 100);
        assert_eq!((no_input.total, no_input.estimated), (105, 100));
        let no_text = settle(Some(Usage::new(7, 0)), written(0, 0), 100);
        assert_eq!(no_text, Usage::new(7, 0), "an embedding has no output");
        let sum_only = Usage {
            total: 50,
            ..Usage::default()
        };
        let parts = settle(Some(sum_only), written(9, 9), 100);
        assert_eq!((parts.prompt, parts.completion, parts.total), (41, 9, 50));
    }

    #[test]
    fn a_report_of_one_choice_of_several_is_scaled_to_all() {
        let one = settle(Some(Usage::new(7, 20)), written(25, 100), 100);
        assert_eq!((one.completion, one.total, one.estimated), (80, 87, 60));
        let two = settle(Some(Usage::new(7, 10)), written(10, 20), 100);
        assert_eq!(two.completion, 20);
    }

    #[test]
    fn a_cut_call_costs_its_reservation_or_more() {
        let reserved = Usage::new(10, 50);
        assert_eq!(settle_cut(reserved, 0), Usage::estimate(10, 50));
        assert_eq!(settle_cut(reserved, 80), Usage::estimate(10, 80));
    }
}
