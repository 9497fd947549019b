//! What may stand behind a number without changing it: units, currencies and the things counted.
//!
//! A unit is a second key: numbers with two different known units differ, a number with a unit and
//! the bare number do not. `5 apples` says no more than `5`, but `5 million`, `5 and a half` and
//! `5x` are other values.

/// Units with the ways they are written; the first is the name. Only what has a single meaning in
/// an answer.
const UNITS: &[&[&str]] = &[
    &["%", "percent", "pct"],
    &["°", "degree", "degrees", "deg"],
    &["$", "dollar", "dollars", "usd", "us$"],
    &["€", "euro", "euros", "eur"],
    &["£", "gbp"],
    &["¢", "cent", "cents"],
    &["m", "meter", "meters", "metre", "metres"],
    &[
        "cm",
        "centimeter",
        "centimeters",
        "centimetre",
        "centimetres",
    ],
    &[
        "mm",
        "millimeter",
        "millimeters",
        "millimetre",
        "millimetres",
    ],
    &["km", "kilometer", "kilometers", "kilometre", "kilometres"],
    &["in", "inch", "inches"],
    &["ft", "foot", "feet"],
    &["yd", "yard", "yards"],
    &["mi", "mile", "miles"],
    &["g", "gram", "grams"],
    &["kg", "kilogram", "kilograms"],
    &["mg", "milligram", "milligrams"],
    &["lb", "lbs"],
    &["oz", "ounce", "ounces"],
    &["s", "sec", "secs", "second", "seconds"],
    &["ms", "millisecond", "milliseconds"],
    &["min", "mins", "minute", "minutes"],
    &["h", "hr", "hrs", "hour", "hours"],
    &["day", "days"],
    &["week", "weeks"],
    &["month", "months"],
    &["year", "years"],
    &["l", "liter", "liters", "litre", "litres"],
    &[
        "ml",
        "milliliter",
        "milliliters",
        "millilitre",
        "millilitres",
    ],
    &["j", "joule", "joules"],
    &["n", "newton", "newtons"],
    &["w", "watt", "watts"],
    &["v", "volt", "volts"],
    &["hz", "hertz"],
    &["k", "kelvin"],
    &["rad", "radian", "radians"],
    &["°C", "°c", "celsius", "centigrade"],
    &["°F", "°f", "fahrenheit"],
    &["km/h", "kph", "kmh", "kmph"],
    &["mi/h", "mph"],
    &["knot", "knots"],
    &["µm", "μm", "micrometer", "micrometers", "micron", "microns"],
    &["nm", "nanometer", "nanometers"],
    &["acre", "acres"],
    &["ha", "hectare", "hectares"],
    &["gal", "gallon", "gallons"],
    &["qt", "quart", "quarts"],
    &["pt", "pint", "pints"],
    &["cup", "cups"],
    &["tbsp", "tablespoon", "tablespoons"],
    &["tsp", "teaspoon", "teaspoons"],
    &["pound", "pounds"],
    &["ton", "tons"],
    &["tonne", "tonnes"],
    &["mol", "mole", "moles"],
    &["decade", "decades"],
    &["century", "centuries"],
    &["kj", "kilojoule", "kilojoules"],
    &["cal", "calorie", "calories"],
    &["kcal", "kilocalorie", "kilocalories"],
    &["ev", "electronvolt", "electronvolts"],
    &["kw", "kilowatt", "kilowatts"],
    &["mw", "megawatt", "megawatts"],
    &["kwh"],
    &["amp", "amps", "ampere", "amperes"],
    &["ohm", "ohms", "ω"],
    &["pa", "pascal", "pascals"],
    &["kpa", "kilopascal", "kilopascals"],
    &["atm", "atmospheres"],
    &["psi"],
    &["khz", "kilohertz"],
    &["mhz", "megahertz"],
    &["ghz", "gigahertz"],
    &["rpm"],
    &["db", "decibel", "decibels"],
    &["byte", "bytes"],
    &["bit", "bits"],
    &["kb", "kilobyte", "kilobytes"],
    &["mb", "megabyte", "megabytes"],
    &["gb", "gigabyte", "gigabytes"],
    &["tb", "terabyte", "terabytes"],
    &["¥", "yen", "jpy"],
    &["₹", "rupee", "rupees", "inr"],
    &["peso", "pesos"],
    &["franc", "francs", "chf"],
    &["yuan", "rmb", "cny"],
];

/// Words that multiply the number before them.
const SCALES: [(&str, i128); 6] = [
    ("dozen", 12),
    ("hundred", 100),
    ("thousand", 1_000),
    ("million", 1_000_000),
    ("billion", 1_000_000_000),
    ("trillion", 1_000_000_000_000),
];

/// Words that make something else of the number before them.
const NOT_UNITS: [&str; 36] = [
    "and",
    "or",
    "half",
    "halves",
    "quarter",
    "quarters",
    "third",
    "thirds",
    "minus",
    "plus",
    "times",
    "over",
    "less",
    "more",
    "fewer",
    "point",
    "squared",
    "cubed",
    "factorial",
    "divided",
    "multiplied",
    "to",
    "through",
    "if",
    "for",
    "but",
    "not",
    "mod",
    "sin",
    "cos",
    "tan",
    "log",
    "exp",
    "base",
    "choose",
    "modulo",
];

/// Most words that can name what is counted.
const MAX_WORDS: usize = 3;

/// What stands behind a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suffix {
    /// By what it multiplies the number.
    pub(super) factor: i128,
    /// The unit, if it is a known one.
    pub(super) unit: Option<String>,
}

/// Reads what stands behind a number; none if it makes another value of the number. `glued` tells
/// that no space separates them.
pub(super) fn suffix(text: &str, glued: bool) -> Option<Suffix> {
    let lower = text
        .to_lowercase()
        .replace("^{2}", "^2")
        .replace("^{3}", "^3")
        .replace(" ^", "^");
    let mut words: Vec<&str> = lower.split_whitespace().collect();
    let mut factor = 1;
    if let Some((_, scale)) = words
        .first()
        .and_then(|first| SCALES.iter().find(|(word, _)| word == first))
    {
        factor = *scale;
        words.remove(0);
    }
    if words.is_empty() {
        return Some(Suffix { factor, unit: None });
    }
    let unit = compound(&words);
    let readable = unit.is_some()
        || (!glued && words.len() <= MAX_WORDS && words.iter().all(|word| is_plain(word)));
    readable.then_some(Suffix { factor, unit })
}

/// The unit that a currency sign before a number states.
pub(super) fn currency(sign: char) -> Option<&'static str> {
    ["$", "€", "£"]
        .into_iter()
        .find(|known| known.starts_with(sign))
}

/// A known unit, an area or volume of one, or one per another.
fn compound(words: &[&str]) -> Option<String> {
    match words {
        [one] => match one.split_once('/') {
            Some((above, below)) => Some(format!("{}/{}", power(above)?, power(below)?)),
            None => power(one),
        },
        ["square" | "sq", unit] => Some(format!("{}^2", known(unit)?)),
        ["cubic", unit] => Some(format!("{}^3", known(unit)?)),
        ["°" | "deg" | "degree" | "degrees", scale] => match *scale {
            "c" => Some("°C".to_owned()),
            "f" => Some("°F".to_owned()),
            _ => known(scale)
                .filter(|name| name.starts_with('°'))
                .map(str::to_owned),
        },
        ["us", unit] => known(unit).filter(|unit| *unit == "$").map(str::to_owned),
        [above, "per" | "/" | "a" | "an", below] => {
            Some(format!("{}/{}", power(above)?, power(below)?))
        }
        _ => None,
    }
}

fn power(word: &str) -> Option<String> {
    match word.split_once('^') {
        Some((unit, exponent @ ("2" | "3"))) => Some(format!("{}^{exponent}", known(unit)?)),
        Some(_) => None,
        None => known(word).map(str::to_owned),
    }
}

fn known(word: &str) -> Option<&'static str> {
    UNITS
        .iter()
        .find(|names| names.contains(&word))
        .and_then(|names| names.first().copied())
}

/// A word for something counted: long enough not to be a product of variables.
fn is_plain(word: &str) -> bool {
    let letters = word
        .chars()
        .all(|c| c.is_alphabetic() || matches!(c, '-' | '\''));
    letters
        && word.chars().count() >= 2
        && !NOT_UNITS.contains(&word)
        && (word.chars().count() >= 3 || matches!(word, "of" | "in" | "at" | "mm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Option<String> {
        suffix(text, false).and_then(|suffix| suffix.unit)
    }

    #[test]
    fn one_unit_has_one_name() {
        assert_eq!(unit("kilometres"), unit("km"));
        assert_eq!(unit("square meters"), unit("m^{2}"));
        assert_eq!(unit("miles per hour"), unit("mi/h"));
        assert_eq!(unit("mph"), unit("miles per hour"));
        assert_eq!(unit("mph"), unit("miles an hour"));
        assert_eq!(unit("kph"), unit("kilometers per hour"));
        assert_eq!(unit("degrees Celsius"), unit("°C"));
        for (one, other) in [
            ("cm", "m"),
            ("mph", "km/h"),
            ("°C", "degrees Fahrenheit"),
            ("gallons", "liters"),
            ("tons", "kg"),
            ("MB", "GB"),
        ] {
            assert!(
                unit(one).is_some() && unit(other).is_some(),
                "{one} {other}"
            );
            assert_ne!(unit(one), unit(other));
        }
    }

    #[test]
    fn what_changes_the_number_is_no_unit() {
        for text in [
            "x",
            "and a half",
            "squared",
            "or more",
            "x + 1",
            "to the power",
            "ab",
        ] {
            assert_eq!(suffix(text, false), None, "{text}");
        }
        assert_eq!(suffix("th", true), None);
        assert_eq!(
            suffix("million dollars", false),
            Some(Suffix {
                factor: 1_000_000,
                unit: Some("$".to_owned())
            })
        );
        assert_eq!(
            suffix("red apples", false),
            Some(Suffix {
                factor: 1,
                unit: None
            })
        );
    }
}
