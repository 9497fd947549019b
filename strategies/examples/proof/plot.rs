//! The plot: accuracy against tokens, each approach a dot, the vote a line.
//!
//! One scatter plot with a logarithmic axis is little code, and a plotting crate would bring fonts
//! and bitmaps along.

use std::io::{self, Write};

use crate::measure::{Figure, Row};
use crate::page::MAIN_TABLES;
use crate::ranking::{at, pays};
use crate::setting::{JUDGED_AT, Table};

const WIDTH: f64 = 880.0;
const PANEL: f64 = 420.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
/// Tokens, from the left to the right edge.
const TOKENS: (f64, f64) = (40.0, 10_000.0);
/// Percent, from the bottom to the top edge.
const PERCENT: (f64, f64) = (50.0, 101.0);
/// About how wide a letter of a label is, and how high a line.
const LETTER: f64 = 6.6;
const LINE: f64 = 12.0;
const RADIUS: f64 = 4.0;
/// A label at this distance from its dot is joined to it by a line.
const FAR: f64 = 16.0;

const STYLE: &str = "text { font: 11px ui-monospace, monospace; fill: #24292f } \
    .title { font: bold 14px sans-serif } .axis { font: 11px sans-serif; fill: #57606a } \
    .grid { stroke: #d8dee4 } .vote { fill: none; stroke: #8250df; stroke-width: 1.5 } \
    .votes { fill: #8250df } .dot { fill: #0969da } .better { fill: #1a7f37 } \
    .leader { stroke: #afb8c1 }";

/// Writes the plot of all simulated approaches at the accuracy at which judges are compared.
pub(crate) fn write(rows: &[&Row], out: &mut impl Write) -> io::Result<()> {
    let height = 2.0 * PANEL;
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">"#
    )?;
    writeln!(
        out,
        "<title>Accuracy against tokens, beside a vote of equal cost</title>"
    )?;
    writeln!(out, "<style>{STYLE}</style>")?;
    writeln!(
        out,
        r##"<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>"##
    )?;
    for (index, (table, title)) in MAIN_TABLES.iter().enumerate() {
        let offset = if index == 0 { 0.0 } else { PANEL };
        writeln!(out, r#"<g transform="translate(0 {offset})">"#)?;
        axes(title, out)?;
        vote(rows, *table, out)?;
        dots(rows, *table, out)?;
        writeln!(out, "</g>")?;
    }
    writeln!(out, "</svg>")
}

fn axes(title: &str, out: &mut impl Write) -> io::Result<()> {
    let (right, bottom) = (WIDTH - RIGHT, PANEL - BOTTOM);
    writeln!(
        out,
        r#"<text class="title" x="{LEFT}" y="18">{title}; p = {JUDGED_AT}</text>"#
    )?;
    for percent in [50, 60, 70, 80, 90, 100] {
        let y = y(f64::from(percent));
        writeln!(
            out,
            r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/>"#
        )?;
        writeln!(
            out,
            r#"<text class="axis" text-anchor="end" x="{:.1}" y="{:.1}">{percent} %</text>"#,
            LEFT - 6.0,
            y + 4.0
        )?;
    }
    for tokens in [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000] {
        let x = x(f64::from(tokens));
        writeln!(
            out,
            r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{bottom}"/>"#
        )?;
        writeln!(
            out,
            r#"<text class="axis" text-anchor="middle" x="{x:.1}" y="{:.1}">{tokens}</text>"#,
            bottom + 15.0
        )?;
    }
    writeln!(
        out,
        r#"<text class="axis" text-anchor="end" x="{right}" y="{:.1}">tokens of a request</text>"#,
        bottom + 32.0
    )
}

/// The line of the vote: its accuracy by what its samples cost.
fn vote(rows: &[&Row], table: Table, out: &mut impl Write) -> io::Result<()> {
    let figures = || rows.iter().filter_map(|row| at(row, table));
    let Some(sample) = figures().map(|figure| figure.tokens).min_by(f64::total_cmp) else {
        return Ok(());
    };
    let mut votes: Vec<(u32, f64)> = figures()
        .map(|figure| (figure.samples, figure.vote))
        .collect();
    votes.sort_by_key(|vote| vote.0);
    votes.dedup_by_key(|vote| vote.0);
    let line: Vec<String> = votes
        .iter()
        .map(|(samples, accuracy)| {
            format!(
                "{:.1},{:.1}",
                x(f64::from(*samples) * sample),
                y(100.0 * accuracy)
            )
        })
        .collect();
    writeln!(
        out,
        r#"<polyline class="vote" points="{}"/>"#,
        line.join(" ")
    )?;
    writeln!(
        out,
        r#"<text class="votes" x="{:.1}" y="{:.1}">line: majority vote of equal cost</text>"#,
        WIDTH - RIGHT - 36.0 * LETTER,
        y(53.0)
    )
}

fn dots(rows: &[&Row], table: Table, out: &mut impl Write) -> io::Result<()> {
    let mut marks: Vec<(&Row, Figure)> = rows
        .iter()
        .filter_map(|row| Some((*row, *at(row, table)?)))
        .collect();
    marks.sort_by(|a, b| a.1.tokens.total_cmp(&b.1.tokens));
    let centres: Vec<(f64, f64)> = marks
        .iter()
        .map(|(_, figure)| (x(figure.tokens), y(100.0 * figure.accuracy)))
        .collect();
    let mut taken: Vec<Area> = centres.iter().map(|(x, y)| Area::dot(*x, *y)).collect();
    for ((row, figure), (x, y)) in marks.iter().zip(&centres) {
        let area = Area::label(&row.slug, *x, *y, &taken);
        let class = if pays(figure) { "better" } else { "dot" };
        let distance = area.distance_to(*x, *y);
        if distance > FAR {
            let (to_x, to_y) = area.nearest_to(*x, *y);
            writeln!(
                out,
                r#"<line class="leader" x1="{x:.1}" y1="{y:.1}" x2="{to_x:.1}" y2="{to_y:.1}"/>"#
            )?;
        }
        writeln!(
            out,
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{RADIUS}"/>"#
        )?;
        writeln!(
            out,
            r#"<text x="{:.1}" y="{:.1}">{}</text>"#,
            area.left,
            area.bottom - 2.0,
            row.slug
        )?;
        taken.push(area);
    }
    Ok(())
}

fn x(tokens: f64) -> f64 {
    let (low, high) = TOKENS;
    LEFT + (tokens.clamp(low, high) / low).ln() / (high / low).ln() * (WIDTH - LEFT - RIGHT)
}

fn y(percent: f64) -> f64 {
    let (low, high) = PERCENT;
    PANEL - BOTTOM - (percent - low) / (high - low) * (PANEL - TOP - BOTTOM)
}

/// A part of the plot that a dot or a label takes.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn dot(x: f64, y: f64) -> Self {
        Self {
            left: x - RADIUS,
            right: x + RADIUS,
            top: y - RADIUS,
            bottom: y + RADIUS,
        }
    }

    /// Room for `text` near a dot: the first place, from the dot outwards, that nothing has taken.
    fn label(text: &str, x: f64, y: f64, taken: &[Self]) -> Self {
        let width = LETTER * f64::from(u32::try_from(text.len()).unwrap_or_default());
        let beside = RADIUS + 3.0;
        let half = width / 2.0;
        let mut places = Vec::new();
        for ring in 0..12 {
            let up = f64::from(ring) * LINE;
            for (left, middle) in [
                (x + beside, y + up),
                (x - beside - width, y + up),
                (x - half, y + up + LINE),
                (x + beside, y - up),
                (x - beside - width, y - up),
                (x - half, y - up - LINE),
            ] {
                places.push(Self {
                    left,
                    right: left + width,
                    top: middle - LINE / 2.0,
                    bottom: middle + LINE / 2.0,
                });
            }
        }
        let is_free =
            |area: &&Self| area.is_inside() && !taken.iter().any(|other| area.overlaps(other));
        let fallback = Self::dot(x, y);
        *places.iter().find(is_free).unwrap_or(&fallback)
    }

    fn is_inside(&self) -> bool {
        self.left > LEFT
            && self.right < WIDTH - RIGHT
            && self.top > TOP - LINE
            && self.bottom < PANEL - BOTTOM
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    /// Its point that is nearest to another.
    fn nearest_to(&self, x: f64, y: f64) -> (f64, f64) {
        (
            x.clamp(self.left, self.right),
            y.clamp(self.top, self.bottom),
        )
    }

    fn distance_to(&self, x: f64, y: f64) -> f64 {
        let (near_x, near_y) = self.nearest_to(x, y);
        (near_x - x).hypot(near_y - y)
    }
}
