//! Where labels stand: beside their marks, or a little away with a line that leads there.

use super::{BOTTOM, Mark, RADIUS, Scale, TOP, width};

const LINE: f64 = 16.0;
/// How far a label is from its mark where nothing is in the way.
const GAP: f64 = 9.0;
/// Steps in which a place is looked for, up and down, and to the sides.
const STEPS: u8 = 14;
const ASIDE: [f64; 3] = [0.0, 40.0, 90.0];

/// A label's place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Whether it stands left of its mark, and so ends at `x`.
    pub(super) is_left: bool,
    /// Where a line from the mark ends, if the label is not beside it.
    pub(super) leader: Option<(f64, f64)>,
}

impl Label {
    /// What a label of this width covers.
    pub(super) fn area(self, width: f64) -> Area {
        let start = if self.is_left { self.x - width } else { self.x };
        Area::of_label(start, self.y, width)
    }
}

/// Where each label is: as near to its mark as no other mark, label or interval is.
pub(super) fn places(marks: &[Mark], scale: &Scale) -> Vec<Label> {
    let of_mark = |mark: &Mark| Area::around(scale.x(mark.spend), scale.y(mark.accuracy));
    let mut taken: Vec<Area> = marks.iter().map(of_mark).collect();
    let mut places = vec![None; marks.len()];
    // Those in a crowd first: the others find a place anyway.
    let crowd = |mark: &Mark| {
        let near = |other: &&Mark| {
            (scale.x(mark.spend) - scale.x(other.spend)).abs() < 120.0
                && (scale.y(mark.accuracy) - scale.y(other.accuracy)).abs() < 3.0 * LINE
        };
        marks.iter().filter(near).count()
    };
    let mut order: Vec<(usize, &Mark)> = marks.iter().enumerate().collect();
    order.sort_by_key(|(at, mark)| (std::cmp::Reverse(crowd(mark)), *at));
    for (at, mark) in order {
        let label = place(mark, scale, &taken);
        taken.push(label.area(width(&mark.short(scale.frame))));
        if let Some(slot) = places.get_mut(at) {
            *slot = Some(label);
        }
    }
    places.into_iter().flatten().collect()
}

fn place(mark: &Mark, scale: &Scale, taken: &[Area]) -> Label {
    let (x, y) = (scale.x(mark.spend), scale.y(mark.accuracy));
    let width = width(&mark.short(scale.frame));
    let beside = |aside: f64, shift: f64| {
        let right = (x + GAP + aside, y - 6.0 + shift);
        let left = (x - GAP - aside - width, y - 6.0 + shift);
        [right, left]
    };
    let steps = (0..STEPS).flat_map(|step| {
        let shift = f64::from(step) * LINE;
        [-shift, shift]
    });
    let mut candidates = Vec::new();
    for shift in steps {
        for aside in ASIDE {
            candidates.extend(beside(aside, shift).map(|(x, y)| (aside + shift.abs(), x, y)));
        }
    }
    candidates.sort_by(|one, other| one.0.total_cmp(&other.0));
    let is_free = |(_, x, y): &&(f64, f64, f64)| {
        let area = Area::of_label(*x, *y, width);
        area.is_inside(scale) && !taken.iter().any(|other| area.meets(other))
    };
    let found = candidates.iter().find(is_free).copied();
    let (distance, left, base) = found.unwrap_or((0.0, x + GAP, y - 6.0));
    // The end of the label that is nearer to the mark.
    let end = if left > x {
        left - 2.0
    } else {
        left + width + 2.0
    };
    Label {
        x: if left > x { left } else { left + width },
        y: base,
        is_left: left < x,
        leader: (distance > LINE / 2.0).then_some((end, base - 4.0)),
    }
}

/// A rectangle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn around(x: f64, y: f64) -> Self {
        Self {
            left: x - RADIUS - 1.0,
            right: x + RADIUS + 1.0,
            top: y - RADIUS - 1.0,
            bottom: y + RADIUS + 1.0,
        }
    }

    fn of_label(x: f64, y: f64, width: f64) -> Self {
        Self {
            left: x,
            right: x + width,
            top: y - LINE + 4.0,
            bottom: y + 4.0,
        }
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    pub(super) fn is_inside(&self, scale: &Scale) -> bool {
        self.left >= scale.frame.left
            && self.right <= scale.frame.width
            && self.top >= TOP - LINE
            && self.bottom <= scale.frame.height - BOTTOM
    }
}
