use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_phrase_is_counted_alike_in_whatever_pieces_the_text_comes(text in "[abé]{0,40}",
        phrase in "[abé]{1,4}", cuts in prop::collection::vec(1_usize..6, 40)) {
        let (mut seen, mut read, mut found, mut rest) = (String::new(), 0, 0, text.as_str());
        for cut in cuts {
            let (piece, behind) = rest.split_at(rest.ceil_char_boundary(cut.min(rest.len())));
            seen.push_str(piece);
            rest = behind;
            found += count_on(&seen, &phrase, &mut read);
        }
        seen.push_str(rest);
        found += count_on(&seen, &phrase, &mut read);
        prop_assert_eq!(found as usize, text.matches(phrase.as_str()).count());
    }
}

#[test]
fn the_beginning_of_a_tag_is_held_back() {
    assert_eq!(partial("so </thi", "</think>"), 5);
    assert_eq!(partial("a < b <", "</think>"), 1);
    assert_eq!((partial("so", "</think>"), partial("", "</think>")), (0, 0));
}

#[test]
fn an_echo_is_taken_out_however_it_is_cut() {
    for cut in 1..12 {
        let mut shown = Unechoed {
            held: Some(String::new()),
            echo: "<think>\nhm".to_owned(),
            has_begun: false,
        };
        let whole = "<think>\nhm\n\n42 it is";
        let pieces: Vec<String> = whole
            .as_bytes()
            .chunks(cut)
            .map(|piece| shown.push(&String::from_utf8_lossy(piece)))
            .collect();
        assert_eq!(pieces.concat() + &shown.finish(false), "42 it is", "{cut}");
    }
    let mut fresh = Unechoed {
        held: Some(String::new()),
        echo: "<think>".to_owned(),
        has_begun: false,
    };
    assert_eq!(fresh.push("<thin ice"), "<thin ice");
    let mut short = Unechoed {
        held: Some(String::new()),
        echo: "<think>".to_owned(),
        has_begun: false,
    };
    assert_eq!(
        (short.push("<t"), short.finish(false)),
        (String::new(), "<t".to_owned())
    );
}
