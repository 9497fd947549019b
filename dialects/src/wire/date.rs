//! Dates, as RFC 3339 writes them.

/// Unix time in seconds as RFC 3339 writes it. What lies beyond the year 9999 is its last day.
///
/// ```
/// use hone_dialects::wire::date::date;
/// assert_eq!(date(0), "1970-01-01T00:00:00Z");
/// assert_eq!(date(1_709_208_059), "2024-02-29T12:00:59Z");
/// ```
pub fn date(seconds: u64) -> String {
    let seconds = seconds.min(253_402_300_799);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that a leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = year + era * 400 + carry;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The Unix time in seconds that a date tells. Nothing for what is no date, and for what lies
/// before 1970.
///
/// ```
/// use hone_dialects::wire::date::seconds;
/// assert_eq!(seconds("2024-02-29T12:00:59Z"), Some(1_709_208_059));
/// assert_eq!(seconds("2024-02-29T14:00:59.25+02:00"), Some(1_709_208_059));
/// assert_eq!(seconds("today"), None);
/// ```
pub fn seconds(date: &str) -> Option<u64> {
    let (day, rest) = (date.get(..10)?, date.get(11..)?);
    let (time, zone) = rest.split_at_checked(8)?;
    let mark = date.as_bytes().get(10);
    let is_parted = mark.is_some_and(|mark| b"Tt ".contains(mark));
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    // A leap second is counted as the next one's first.
    let is_time = hour < 24 && minute < 60 && second <= 60;
    if !(is_parted && is_date && is_time) {
        return None;
    }
    let of_day = hour * 3600 + minute * 60 + second;
    let seconds = days(year, month, day) * 86_400 + of_day - offset(zone)?;
    u64::try_from(seconds).ok()
}

/// Three numbers with `mark` between them.
fn numbers(text: &str, mark: char) -> Option<[i64; 3]> {
    let mut numbers = text.split(mark).map(number);
    let three = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(three)
}

fn number(digits: &str) -> Option<i64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

/// Days from 1970 to a day, by years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// By how many seconds the zone behind a time is ahead. A part of a second may stand before it.
fn offset(zone: &str) -> Option<i64> {
    let zone = match zone.strip_prefix('.') {
        Some(part) => part.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => zone,
    };
    let (sign, ahead) = match zone {
        "Z" | "z" => return Some(0),
        _ => (zone.get(..1)?, zone.get(1..)?),
    };
    let (hours, minutes) = ahead.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if hours >= 24 || minutes >= 60 {
        return None;
    }
    let ahead = hours * 3600 + minutes * 60;
    match sign {
        "+" => Some(ahead),
        "-" => Some(-ahead),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_date_tells_no_time() {
        for text in [
            "",
            "2024-02-29",
            "2024-13-01T00:00:00Z",
            "2024-02-29T24:00:00Z",
            "2024-02-29T00:00:00",
            "2024-02-29T00:00:00+ä:00",
            "2024-02-29T00:00:00+24:00",
            "2024-02-29T00:00:00-2562047788015215:30",
            "2024-02-2éT00:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_date_comes_back(time in 0_u64..=253_402_300_799) {
            prop_assert_eq!(seconds(&date(time)), Some(time));
        }

        #[test]
        fn no_text_makes_the_reader_panic(head in "[0-9T:+.-]{0,30}", tail: String) {
            let _read = seconds(&(head + &tail));
        }
    }
}
