//! Accuracy against spend, as a picture.
//!
//! One scatter plot with a logarithmic axis is little code; a plotting crate would write fixed
//! colours, which leaves a reader in the dark.

use maud::{Markup, html};

use crate::summary::Row;

mod labels;

/// Letters of the longest label; the whole of it appears under the pointer.
const MOST_LETTERS: usize = 28;
const RADIUS: f64 = 5.0;

/// A picture's size, and where its figures go. The narrow one is for telephones: it is as wide as
/// their windows, so that its letters are as large as those of the text, and names marks by their
/// numbers in the table.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Frame {
    class: &'static str,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    is_numbered: bool,
}

const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

const WIDE: Frame = Frame {
    class: "wide",
    width: 960.0,
    height: 460.0,
    left: 60.0,
    right: 40.0,
    is_numbered: false,
};

const NARROW: Frame = Frame {
    class: "narrow",
    width: 380.0,
    height: 400.0,
    left: 44.0,
    right: 14.0,
    is_numbered: true,
};

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Approach,
    Vote,
}

#[derive(Debug, Clone)]
struct Mark {
    kind: Kind,
    label: String,
    /// A short name: its number in the table, or `v4` for a vote of 4.
    key: String,
    spend: f64,
    accuracy: f64,
    interval: (f64, f64),
}

impl Mark {
    /// The label as it is drawn.
    fn short(&self, frame: Frame) -> String {
        if frame.is_numbered {
            return self.key.clone();
        }
        match self.label.char_indices().nth(MOST_LETTERS) {
            Some((end, _)) => format!("{}…", self.label.get(..end).unwrap_or_default()),
            None => self.label.clone(),
        }
    }
}

/// The rows of one model, the votes that their spend would buy, and what is best for its price.
pub(super) fn scatter(rows: &[&Row]) -> Markup {
    let marks = marks(rows);
    if marks.is_empty() {
        return html! { p.dim { "There is nothing to plot: no answer has a known spend." } };
    }
    let graded = || rows.iter().filter(|row| row.answers > 0);
    let unit = if graded().all(|row| row.mean.cost.is_some()) {
        "cost of an answer"
    } else {
        "weighted tokens of an answer"
    };
    html! {
        (picture(&marks, &[], unit, WIDE))
        (picture(&marks, &[], unit, NARROW))
    }
}

/// A mark that is drawn as its caller says.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) label: String,
    pub(crate) is_vote: bool,
    pub(crate) spend: f64,
    pub(crate) accuracy: f64,
    pub(crate) interval: (f64, f64),
}

/// Points, what is best for its price among them, and a line through `curve`.
pub(crate) fn curve(points: Vec<Point>, curve: &[(f64, f64)], unit: &str) -> Markup {
    let mark = |(number, point): (u32, Point)| Mark {
        kind: if point.is_vote {
            Kind::Vote
        } else {
            Kind::Approach
        },
        label: point.label,
        key: number.to_string(),
        spend: point.spend,
        accuracy: point.accuracy,
        interval: point.interval,
    };
    let mut marks: Vec<Mark> = (1..).zip(points).map(mark).collect();
    marks.retain(|mark| mark.spend > 0.0);
    if marks.is_empty() {
        return html! { p.dim { "There is nothing to plot: nothing has a known spend." } };
    }
    html! {
        (picture(&marks, curve, unit, WIDE))
        (picture(&marks, curve, unit, NARROW))
    }
}

fn picture(marks: &[Mark], curve: &[(f64, f64)], unit: &str, frame: Frame) -> Markup {
    let scale = Scale::over(marks, frame);
    let labels = labels::places(marks, &scale);
    html! {
        svg class=(frame.class) viewBox={ "0 0 " (frame.width) " " (frame.height) }
            role="img" aria-label={ "Accuracy against " (unit) } {
            (axes(&scale, unit))
            polyline.frontier points=(scale.steps(&frontier(marks))) {}
            @if !curve.is_empty() { polyline.curve points=(scale.through(curve)) {} }
            @for (mark, label) in marks.iter().zip(&labels) { (drawn(mark, *label, &scale)) }
            (legend(frame))
        }
    }
}

/// Each approach once, and each vote once: approaches that cost alike share one.
fn marks(rows: &[&Row]) -> Vec<Mark> {
    let approach = |(number, row): (u32, &&Row)| {
        Some(Mark {
            kind: Kind::Approach,
            label: row.approach.clone(),
            key: number.to_string(),
            spend: row.mean.amount(),
            accuracy: row.accuracy?,
            interval: row.accuracy_interval?,
        })
    };
    let mut marks: Vec<Mark> = (1..).zip(rows).filter_map(approach).collect();
    for vote in rows.iter().filter_map(|row| row.equal_spend.as_ref()) {
        let samples = plain(vote.samples);
        let label = format!("vote of {samples}");
        if !marks.iter().any(|mark| mark.label == label) {
            marks.push(Mark {
                kind: Kind::Vote,
                label,
                key: format!("v{samples}"),
                spend: vote.spend,
                accuracy: vote.accuracy,
                interval: vote.accuracy_interval,
            });
        }
    }
    marks.retain(|mark| mark.spend > 0.0);
    marks
}

/// A number of votes, with a decimal where it is none of the whole ones.
fn plain(samples: f64) -> String {
    format!("{samples:.1}").trim_end_matches(".0").to_owned()
}

/// The marks that no cheaper one equals, from the cheapest on.
fn frontier(marks: &[Mark]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<(f64, f64)> = marks
        .iter()
        .map(|mark| (mark.spend, mark.accuracy))
        .collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut best = f64::NEG_INFINITY;
    sorted.retain(|(_, accuracy)| {
        let is_better = *accuracy > best;
        best = best.max(*accuracy);
        is_better
    });
    sorted
}

/// From figures to places. Accuracy goes from none to all, so that a small difference looks small.
#[derive(Debug, Clone, Copy)]
struct Scale {
    frame: Frame,
    /// Least and greatest spend.
    x: (f64, f64),
}

impl Scale {
    fn over(marks: &[Mark], frame: Frame) -> Self {
        let spends = || marks.iter().map(|mark| mark.spend);
        // Room on both sides, more on the right, where labels are.
        let x = (
            spends().fold(f64::INFINITY, f64::min) / 1.25,
            spends().fold(f64::NEG_INFINITY, f64::max) * 1.6,
        );
        Self { frame, x }
    }

    fn x(&self, spend: f64) -> f64 {
        let (low, high) = self.x;
        let width = self.frame.width - self.frame.left - self.frame.right;
        self.frame.left + (spend / low).ln() / (high / low).ln() * width
    }

    fn y(&self, accuracy: f64) -> f64 {
        self.floor() - accuracy * (self.floor() - TOP)
    }

    /// Where the axis of spend is.
    const fn floor(&self) -> f64 {
        self.frame.height - BOTTOM
    }

    /// A line that rises where a better mark can be afforded.
    fn steps(&self, frontier: &[(f64, f64)]) -> String {
        let mut line = Vec::new();
        let mut height = None;
        for (spend, accuracy) in frontier {
            let (x, y) = (self.x(*spend), self.y(*accuracy));
            line.extend(height.map(|height| format!("{x:.1},{height:.1}")));
            line.push(format!("{x:.1},{y:.1}"));
            height = Some(y);
        }
        line.extend(
            height.map(|height| format!("{:.1},{height:.1}", self.frame.width - self.frame.right)),
        );
        line.join(" ")
    }

    /// A line from point to point.
    fn through(&self, curve: &[(f64, f64)]) -> String {
        let place = |(spend, accuracy): &(f64, f64)| {
            format!("{:.1},{:.1}", self.x(*spend), self.y(*accuracy))
        };
        curve.iter().map(place).collect::<Vec<_>>().join(" ")
    }

    /// Round figures of spend: 1, 2 and 5 times the powers of ten, and the digits between them
    /// where those are too few.
    fn spends(&self) -> Vec<f64> {
        let spends = self.multiples(&[1, 2, 5]);
        if spends.len() > 1 {
            spends
        } else {
            self.multiples(&[1, 2, 3, 4, 5, 6, 7, 8, 9])
        }
    }

    /// These multiples of the powers of ten.
    fn multiples(&self, digits: &[u8]) -> Vec<f64> {
        #[expect(clippy::cast_possible_truncation, reason = "an exponent")]
        let (first, last) = (
            self.x.0.log10().floor() as i32,
            self.x.1.log10().ceil() as i32,
        );
        let all = (first..=last).flat_map(|power| {
            digits
                .iter()
                .map(move |digit| f64::from(*digit) * 10_f64.powi(power))
        });
        all.filter(|spend| (self.x.0..=self.x.1).contains(spend))
            .collect()
    }

    /// Those of `spends` whose texts have room beside each other.
    fn labelled(&self) -> Vec<f64> {
        let mut end = f64::NEG_INFINITY;
        let mut spends = self.spends();
        spends.retain(|spend| {
            let half = width(&spend_text(*spend)) / 2.0;
            let has_room = self.x(*spend) - half > end;
            if has_room {
                end = self.x(*spend) + half + 6.0;
            }
            has_room
        });
        spends
    }
}

fn axes(scale: &Scale, unit: &str) -> Markup {
    let Frame {
        left, right, width, ..
    } = scale.frame;
    html! {
        @for fifth in 0..=5 {
            @let accuracy = f64::from(fifth) / 5.0;
            @let y = scale.y(accuracy);
            line.grid x1=(left) x2=(width - right) y1=(rounded(y)) y2=(rounded(y)) {}
            text.axis x=(left - 8.0) y=(rounded(y + 4.0)) text-anchor="end" { (format!("{:.0} %",
                100.0 * accuracy)) }
        }
        @for spend in scale.labelled() {
            @let x = scale.x(spend);
            line.grid x1=(rounded(x)) x2=(rounded(x)) y1=(TOP) y2=(scale.floor()) {}
            text.axis x=(rounded(x)) y=(scale.floor() + 18.0) text-anchor="middle" {
                (spend_text(spend))
            }
        }
        text.axis x=(width - right) y=(scale.frame.height - 8.0) text-anchor="end" {
            (unit) ", logarithmic"
        }
    }
}

/// About how wide a text is.
#[expect(clippy::cast_precision_loss, reason = "the letters of a label")]
fn width(text: &str) -> f64 {
    text.chars().count() as f64 * 8.2
}

/// Without the noise of binary fractions.
fn spend_text(spend: f64) -> String {
    if spend >= 1.0 {
        format!("{spend:.0}")
    } else {
        format!("{spend:.9}").trim_end_matches('0').to_owned()
    }
}

fn rounded(place: f64) -> String {
    format!("{place:.1}")
}

fn drawn(mark: &Mark, label: labels::Label, scale: &Scale) -> Markup {
    let (x, y) = (scale.x(mark.spend), scale.y(mark.accuracy));
    let (low, high) = (
        rounded(scale.y(mark.interval.0)),
        rounded(scale.y(mark.interval.1)),
    );
    let class = if mark.kind == Kind::Approach {
        "approach"
    } else {
        "vote"
    };
    html! {
        g {
            title { (mark.label) ": " (format!("{:.1} % at {:.5}", 100.0 * mark.accuracy,
                mark.spend)) }
            line class={ "bar " (class) } x1=(rounded(x)) x2=(rounded(x)) y1=(low) y2=(high) {}
            @if let Some((to_x, to_y)) = label.leader {
                line.leader x1=(rounded(x)) y1=(rounded(y)) x2=(rounded(to_x)) y2=(rounded(to_y)) {}
            }
            @match mark.kind {
                Kind::Approach => {
                    circle class={ "mark " (class) } cx=(rounded(x)) cy=(rounded(y)) r=(RADIUS) {}
                }
                Kind::Vote => { polygon class={ "mark " (class) } points=(diamond(x, y)) {} }
            }
            text class=(class) x=(rounded(label.x)) y=(rounded(label.y))
                text-anchor=(if label.is_left { "end" } else { "start" }) {
                (mark.short(scale.frame))
            }
        }
    }
}

fn diamond(x: f64, y: f64) -> String {
    format!(
        "{x:.1},{:.1} {:.1},{y:.1} {x:.1},{:.1} {:.1},{y:.1}",
        y - RADIUS,
        x + RADIUS,
        y + RADIUS,
        x - RADIUS
    )
}

fn legend(frame: Frame) -> Markup {
    let left = frame.left - 20.0;
    // A narrow picture has room for short words only.
    let (vote, better, steps) = if frame.is_numbered {
        ("vote of k: vk", "best so far", [86.0, 206.0])
    } else {
        (
            "vote over plain samples",
            "nothing cheaper is better",
            [100.0, 290.0],
        )
    };
    let [at_vote, at_line] = steps.map(|step| left + step);
    html! {
        circle class="mark approach" cx=(left + 6.0) cy="14" r=(RADIUS) {}
        text.axis x=(left + 16.0) y="18" { "approach" }
        polygon class="mark vote" points=(diamond(at_vote, 14.0)) {}
        text.axis x=(at_vote + 10.0) y="18" { (vote) }
        line.frontier x1=(at_line) x2=(at_line + 26.0) y1="14" y2="14" {}
        text.axis x=(at_line + 32.0) y="18" { (better) }
    }
}

#[cfg(test)]
mod tests;
