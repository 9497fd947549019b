//! Accuracy against spend, as a picture.
//!
//! One scatter plot with a logarithmic axis is little code; a plotting crate would write fixed
//! colours, which leaves a reader in the dark.

use maud::{Markup, html};

use crate::summary::Row;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Letters of the longest label; the whole of it appears under the pointer.
const MOST_LETTERS: usize = 28;
/// About how wide a letter of a label is, and how high a line.
const LETTER: f64 = 7.0;
const LINE: f64 = 16.0;
const RADIUS: f64 = 5.0;

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
    spend: f64,
    accuracy: f64,
    interval: (f64, f64),
}

impl Mark {
    /// The label as it is drawn.
    fn short(&self) -> String {
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
    let unit = if rows.iter().all(|row| row.mean.cost.is_some()) {
        "cost of an answer"
    } else {
        "tokens of an answer"
    };
    let scale = Scale::over(&marks);
    let labels = labels(&marks, &scale);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) }
            role="img" aria-label={ "Accuracy against " (unit) } {
            (axes(&scale, unit))
            polyline.frontier points=(scale.steps(&frontier(&marks))) {}
            @for (mark, label) in marks.iter().zip(&labels) { (drawn(mark, *label, &scale)) }
            (legend())
        }
    }
}

/// Each approach once, and each vote once: approaches that cost alike share one.
fn marks(rows: &[&Row]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = rows
        .iter()
        .filter(|row| row.answers > 0)
        .map(|row| Mark {
            kind: Kind::Approach,
            label: row.approach.clone(),
            spend: row.mean.amount(),
            accuracy: row.accuracy,
            interval: row.accuracy_interval,
        })
        .collect();
    for vote in rows
        .iter()
        .filter_map(|row| row.equal_spend)
        .filter(|vote| vote.answers > 0)
    {
        let label = format!("vote of {}", vote.samples);
        // A vote of one is a plain answer.
        if vote.samples > 1 && !marks.iter().any(|mark| mark.label == label) {
            let (kind, spend, accuracy, interval) = (
                Kind::Vote,
                vote.spend,
                vote.accuracy,
                vote.accuracy_interval,
            );
            marks.push(Mark {
                kind,
                label,
                spend,
                accuracy,
                interval,
            });
        }
    }
    marks.retain(|mark| mark.spend > 0.0);
    marks
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

/// From figures to places.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Of spend.
    x: (f64, f64),
    /// Of accuracy.
    y: (f64, f64),
}

impl Scale {
    fn over(marks: &[Mark]) -> Self {
        let least =
            |figure: &dyn Fn(&Mark) -> f64| marks.iter().map(figure).fold(f64::INFINITY, f64::min);
        let greatest = |figure: &dyn Fn(&Mark) -> f64| {
            marks.iter().map(figure).fold(f64::NEG_INFINITY, f64::max)
        };
        let (low, high) = (
            least(&|mark| mark.interval.0),
            greatest(&|mark| mark.interval.1),
        );
        let y = (
            (low * 10.0).floor() / 10.0,
            ((high * 10.0).ceil() / 10.0).min(1.0),
        );
        // Room on both sides, more on the right, where labels are.
        Self {
            x: (
                least(&|mark| mark.spend) / 1.25,
                greatest(&|mark| mark.spend) * 1.6,
            ),
            y,
        }
    }

    fn x(&self, spend: f64) -> f64 {
        let (low, high) = self.x;
        LEFT + (spend / low).ln() / (high / low).ln() * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, accuracy: f64) -> f64 {
        let (low, high) = self.y;
        HEIGHT
            - BOTTOM
            - (accuracy - low) / (high - low).max(f64::EPSILON) * (HEIGHT - TOP - BOTTOM)
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
        line.extend(height.map(|height| format!("{:.1},{height:.1}", WIDTH - RIGHT)));
        line.join(" ")
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

    /// Tenths of accuracy.
    fn accuracies(&self) -> Vec<f64> {
        (0..=10)
            .map(|tenth| f64::from(tenth) / 10.0)
            .filter(|tenth| *tenth > self.y.0 - 1e-9 && *tenth < self.y.1 + 1e-9)
            .collect()
    }
}

fn axes(scale: &Scale, unit: &str) -> Markup {
    html! {
        @for accuracy in scale.accuracies() {
            @let y = scale.y(accuracy);
            line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(rounded(y)) y2=(rounded(y)) {}
            text.axis x=(LEFT - 8.0) y=(rounded(y + 4.0)) text-anchor="end" { (format!("{:.0} %",
                100.0 * accuracy)) }
        }
        @for spend in scale.spends() {
            @let x = scale.x(spend);
            line.grid x1=(rounded(x)) x2=(rounded(x)) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
            text.axis x=(rounded(x)) y=(HEIGHT - BOTTOM + 18.0) text-anchor="middle" {
                (spend_text(spend))
            }
        }
        text.axis x=(WIDTH - RIGHT) y=(HEIGHT - 8.0) text-anchor="end" { (unit) ", logarithmic" }
    }
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

fn drawn(mark: &Mark, label: (f64, f64), scale: &Scale) -> Markup {
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
    let diamond = format!(
        "{x:.1},{:.1} {:.1},{y:.1} {x:.1},{:.1} {:.1},{y:.1}",
        y - RADIUS,
        x + RADIUS,
        y + RADIUS,
        x - RADIUS
    );
    html! {
        g {
            title { (mark.label) ": " (format!("{:.1} % at {:.5}", 100.0 * mark.accuracy,
                mark.spend)) }
            line class={ "bar " (class) } x1=(rounded(x)) x2=(rounded(x)) y1=(low) y2=(high) {}
            @match mark.kind {
                Kind::Approach => {
                    circle class={ "mark " (class) } cx=(rounded(x)) cy=(rounded(y)) r=(RADIUS) {}
                }
                Kind::Vote => { polygon class={ "mark " (class) } points=(diamond) {} }
            }
            text class=(class) x=(rounded(label.0)) y=(rounded(label.1)) { (mark.short()) }
        }
    }
}

fn legend() -> Markup {
    html! {
        circle class="mark approach" cx=(LEFT + 6.0) cy="14" r=(RADIUS) {}
        text.axis x=(LEFT + 18.0) y="18" { "approach" }
        polygon class="mark vote" points={
            (LEFT + 95.0) ",14 " (LEFT + 100.0) ",9 " (LEFT + 105.0) ",14 " (LEFT + 100.0) ",19"
        } {}
        text.axis x=(LEFT + 112.0) y="18" { "vote over plain samples" }
        line.frontier x1=(LEFT + 270.0) x2=(LEFT + 300.0) y1="14" y2="14" {}
        text.axis x=(LEFT + 308.0) y="18" { "nothing cheaper is better" }
    }
}

/// Where each label begins: beside its mark, where no other mark or label is, if there is such a
/// place.
fn labels(marks: &[Mark], scale: &Scale) -> Vec<(f64, f64)> {
    let mut taken: Vec<Area> = marks
        .iter()
        .map(|mark| Area::around(scale.x(mark.spend), scale.y(mark.accuracy)))
        .collect();
    let mut places = Vec::with_capacity(marks.len());
    for mark in marks {
        let (x, y) = (scale.x(mark.spend), scale.y(mark.accuracy));
        #[expect(clippy::cast_precision_loss, reason = "the letters of a label")]
        let width = mark.short().chars().count() as f64 * LETTER;
        let sides = [(x + 9.0, y - 6.0), (x - 9.0 - width, y - 6.0)];
        let shifts = (0..6).flat_map(|step| [-f64::from(step) * LINE, f64::from(step) * LINE]);
        let mut candidates = shifts.flat_map(|shift| sides.map(|(x, y)| (x, y + shift)));
        let is_free = |place: &(f64, f64)| {
            let area = Area::of_label(*place, width);
            area.is_inside() && !taken.iter().any(|other| area.meets(other))
        };
        let place = candidates.find(is_free).unwrap_or((x + 9.0, y - 6.0));
        taken.push(Area::of_label(place, width));
        places.push(place);
    }
    places
}

/// A rectangle.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn around(x: f64, y: f64) -> Self {
        Self {
            left: x - RADIUS,
            right: x + RADIUS,
            top: y - RADIUS,
            bottom: y + RADIUS,
        }
    }

    fn of_label((x, y): (f64, f64), width: f64) -> Self {
        Self {
            left: x,
            right: x + width,
            top: y - LINE + 4.0,
            bottom: y + 4.0,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_inside(&self) -> bool {
        self.left >= LEFT
            && self.right <= WIDTH
            && self.top >= TOP - LINE
            && self.bottom <= HEIGHT - BOTTOM
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn mark(label: &str, spend: f64, accuracy: f64) -> Mark {
        let interval = (
            (accuracy - 0.05_f64).max(0.0),
            (accuracy + 0.05_f64).min(1.0),
        );
        Mark {
            kind: Kind::Approach,
            label: label.to_owned(),
            spend,
            accuracy,
            interval,
        }
    }

    #[test]
    fn the_frontier_has_what_nothing_cheaper_equals() {
        let marks = [
            mark("a", 4.0, 0.7),
            mark("b", 1.0, 0.6),
            mark("c", 2.0, 0.55),
            mark("d", 4.0, 0.8),
            mark("e", 9.0, 0.8),
        ];
        assert_eq!(frontier(&marks), [(1.0, 0.6), (4.0, 0.8)]);
    }

    #[test]
    fn every_shape_is_closed_because_svg_has_no_void_elements() {
        let plot = drawn(
            &mark("a", 1.0, 0.5),
            (0.0, 0.0),
            &Scale::over(&[mark("a", 1.0, 0.5)]),
        )
        .into_string();
        let plot = plot
            + &axes(
                &Scale {
                    x: (1.0, 9.0),
                    y: (0.0, 1.0),
                },
                "tokens",
            )
            .into_string()
            + &legend().into_string();
        for shape in ["line", "circle", "polygon", "text", "g"] {
            let opened = plot.matches(&format!("<{shape} ")).count()
                + plot.matches(&format!("<{shape}>")).count();
            assert_eq!(
                opened,
                plot.matches(&format!("</{shape}>")).count(),
                "{shape}"
            );
        }
    }

    #[test]
    fn every_mark_and_figure_lies_in_the_picture() {
        for marks in [
            vec![mark("only", 0.000_3, 0.5)],
            vec![mark("none", 100.0, 0.0), mark("mars", 90_000.0, 1.0)],
        ] {
            let scale = Scale::over(&marks);
            for mark in &marks {
                assert!(
                    (LEFT..=WIDTH - RIGHT).contains(&scale.x(mark.spend)),
                    "{mark:?}"
                );
                assert!(
                    (TOP..=HEIGHT - BOTTOM).contains(&scale.y(mark.accuracy)),
                    "{mark:?}"
                );
            }
            assert!(
                !scale.spends().is_empty() && scale.accuracies().len() >= 2,
                "{scale:?}"
            );
        }
    }

    #[test]
    fn a_long_label_is_cut_and_appears_whole_under_the_pointer() {
        let long = "deepconf:warmup_samples=4,max_traces=8";
        let mark = mark(long, 5.0, 0.5);
        assert_eq!(mark.short(), "deepconf:warmup_samples=4,ma…");
        let scale = Scale::over(slice::from_ref(&mark));
        let drawn = drawn(&mark, (0.0, 0.0), &scale).into_string();
        assert!(
            drawn.contains(&format!("<title>{long}: ")) && drawn.contains("ma…</text>"),
            "{drawn}"
        );
    }

    #[test]
    fn labels_do_not_lie_on_each_other() {
        let marks: Vec<Mark> = (0..6)
            .map(|at| mark("bon:best_of_n=4", 100.0 + f64::from(at), 0.7))
            .collect();
        let scale = Scale::over(&marks);
        let areas: Vec<Area> = labels(&marks, &scale)
            .into_iter()
            .map(|place| Area::of_label(place, 15.0 * LETTER))
            .collect();
        for (at, area) in areas.iter().enumerate() {
            assert!(
                !areas.iter().skip(at + 1).any(|other| area.meets(other)),
                "{areas:?}"
            );
        }
    }
}
