//! Where things are in the picture.

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
        key: "1".to_owned(),
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

fn beside(x: f64, y: f64) -> labels::Label {
    labels::Label {
        x,
        y,
        is_left: false,
        leader: Some((x, y)),
    }
}

#[test]
fn every_shape_is_closed_because_svg_has_no_void_elements() {
    let marks = [mark("a", 1.0, 0.5)];
    let scale = Scale::over(&marks, WIDE);
    let plot = drawn(&marks[0], beside(0.0, 0.0), &scale).into_string()
        + &axes(&scale, "tokens").into_string()
        + &legend(WIDE).into_string();
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
    for frame in [WIDE, NARROW] {
        for marks in [
            vec![mark("only", 0.000_3, 0.5)],
            vec![mark("none", 100.0, 0.0), mark("mars", 90_000.0, 1.0)],
        ] {
            let scale = Scale::over(&marks, frame);
            for mark in &marks {
                let (x, y) = (scale.x(mark.spend), scale.y(mark.accuracy));
                assert!(
                    (frame.left..=frame.width - frame.right).contains(&x),
                    "{mark:?}"
                );
                assert!((TOP..=frame.height - BOTTOM).contains(&y), "{mark:?}");
            }
            assert!(!scale.labelled().is_empty(), "{scale:?}");
        }
    }
}

#[test]
fn accuracy_begins_at_nothing() {
    let marks = [mark("a", 1.0, 0.9), mark("b", 2.0, 0.95)];
    let scale = Scale::over(&marks, WIDE);
    let axes = axes(&scale, "tokens").into_string();
    assert!(axes.contains(">0 %<") && axes.contains(">100 %<"), "{axes}");
}

#[test]
fn a_long_label_is_cut_and_appears_whole_under_the_pointer() {
    let long = "deepconf:warmup_samples=4,max_traces=8";
    let mark = mark(long, 5.0, 0.5);
    assert_eq!(mark.short(WIDE), "deepconf:warmup_samples=4,ma…");
    assert_eq!(mark.short(NARROW), "1");
    let scale = Scale::over(slice::from_ref(&mark), WIDE);
    let drawn = drawn(&mark, beside(0.0, 0.0), &scale).into_string();
    assert!(
        drawn.contains(&format!("<title>{long}: ")) && drawn.contains("ma…</text>"),
        "{drawn}"
    );
}

#[test]
fn labels_do_not_lie_on_each_other_and_lead_to_their_marks() {
    for frame in [WIDE, NARROW] {
        for many in [6_u8, 12] {
            let marks: Vec<Mark> = (0..many)
                .map(|at| mark("bon:best_of_n=4", 100.0 + f64::from(at), 0.95))
                .collect();
            let scale = Scale::over(&marks, frame);
            let labels = labels::places(&marks, &scale);
            let areas: Vec<labels::Area> = labels
                .iter()
                .zip(&marks)
                .map(|(label, mark)| label.area(width(&mark.short(frame))))
                .collect();
            for (at, area) in areas.iter().enumerate() {
                assert!(area.is_inside(&scale), "{area:?}");
                assert!(
                    !areas.iter().skip(at + 1).any(|other| area.meets(other)),
                    "{areas:?}"
                );
            }
            for (label, mark) in labels.iter().zip(&marks) {
                let away = (label.y - scale.y(mark.accuracy)).abs();
                assert!(away < 20.0 || label.leader.is_some(), "{label:?}");
            }
        }
    }
}
