//! Values that break naive code: awkward text, long random text, exact decimals, JSON.
//!
//! Postgres takes no NUL in text, so none is made; everything else that is valid UTF-8 is fair.

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::Random;

const ADJECTIVES: [&str; 8] = [
    "Wireless",
    "Compact",
    "Solar",
    "Quiet",
    "Folding",
    "Waterproof",
    "Magnetic",
    "Smart",
];
const THINGS: [&str; 10] = [
    "Laptop",
    "Laptop Stand",
    "Mouse",
    "Keyboard",
    "Headphones",
    "Lamp",
    "Backpack",
    "Charger",
    "Camera",
    "Speaker",
];
const BRANDS: [&str; 6] = ["Nordlys", "Acme", "Óbidos", "Kōyō", "O'Neil & Søn", "三星"];
const FIRST_NAMES: [&str; 8] = [
    "Ada", "Björn", "Chloé", "Dmitri", "Eşref", "Fatou", "Grace", "Hiroko",
];
const TAGS: [&str; 8] = [
    "new",
    "sale",
    "eco",
    "gift",
    "hand made",
    "a,b",
    "{curly}",
    "\"quoted\"",
];

/// Text that some layer between a table and a store is likely to mangle.
const AWKWARD: [&str; 22] = [
    "O'Brien \"the\" \\backslash\\",
    "tab\tnewline\ncarriage\rreturn",
    "\u{1}\u{8}\u{b}\u{c}\u{1b}\u{1f}\u{7f}\u{80}\u{9f}",
    "{{ key.id }} {% raw %} ${HOME} $1 %s %00",
    "'; DROP TABLE users; --",
    "<script>alert('x')</script>&amp;",
    "Ελληνικά Русский עברית العربية हिन्दी 日本語 한국어",
    "👩🏽‍🚀👨‍👩‍👧‍👦🇳🇴 \u{1f680}",
    "e\u{301} versus é, ﬁ versus fi",
    "\u{202e}right to left\u{202c} \u{200b}zero width\u{feff}",
    "line\u{2028}separator\u{2029}paragraph",
    "\u{fffd}\u{fffe}\u{10ffff}",
    "null",
    "true",
    "0123",
    "1e400",
    "NaN",
    "[]",
    "{\"json\": \"in text\"}",
    " leading and trailing ",
    "a:b:c/d?e#f*g",
    "~!@#$%^&*()_+`-=[]{}|;:,.<>?",
];

/// A person's name; one in five is awkward.
pub(crate) fn person(random: &mut Random) -> String {
    if random.random_ratio(1, 5) {
        return one_of(random, &AWKWARD).to_owned();
    }
    format!(
        "{} {}",
        one_of(random, &FIRST_NAMES),
        random.random_range(1..1000)
    )
}

/// A product's or category's name; one in six is awkward.
pub(crate) fn title(random: &mut Random) -> String {
    if random.random_ratio(1, 6) {
        return one_of(random, &AWKWARD).to_owned();
    }
    format!(
        "{} {}",
        one_of(random, &ADJECTIVES),
        one_of(random, &THINGS)
    )
}

/// A brand, or none.
pub(crate) fn brand(random: &mut Random) -> Option<String> {
    (!random.random_ratio(1, 10)).then(|| one_of(random, &BRANDS).to_owned())
}

/// A slug that `number` makes unique; some have characters that no slug should have.
pub(crate) fn slug(random: &mut Random, number: i64) -> String {
    if random.random_ratio(1, 8) {
        return format!("{} {number}", one_of(random, &AWKWARD));
    }
    let words = format!(
        "{} {}",
        one_of(random, &ADJECTIVES),
        one_of(random, &THINGS)
    );
    format!("{}-{number}", words.to_lowercase().replace(' ', "-"))
}

/// A paragraph of a product's description.
pub(crate) fn paragraph(random: &mut Random) -> String {
    let mut words = vec![one_of(random, &AWKWARD).to_owned()];
    for _ in 0..random.random_range(1..8) {
        words.push(title(random));
    }
    words.join(" ")
}

/// Random letters and digits: they do not compress, so above 8 kB Postgres stores them out of line.
pub(crate) fn long(random: &mut Random) -> String {
    const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -";
    let length = random.random_range(8_500..20_000);
    (0..length)
        .map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]))
        .collect()
}

/// Tags: none at all, an empty list, or a few, of which one may be null.
pub(crate) fn tags(random: &mut Random) -> Option<Vec<Option<String>>> {
    if random.random_ratio(1, 8) {
        return None;
    }
    let count = random.random_range(0..4);
    let tag = |random: &mut Random| {
        (!random.random_ratio(1, 20)).then(|| one_of(random, &TAGS).to_owned())
    };
    Some((0..count).map(|_| tag(random)).collect())
}

/// A price as Postgres would print it; now and then the largest that the column takes.
pub(crate) fn price(random: &mut Random) -> String {
    match random.random_range(0..20) {
        0 => "9999999999.99".to_owned(),
        1 => "0.30".to_owned(),
        2 => "0.00".to_owned(),
        _ => format!(
            "{}.{:02}",
            random.random_range(0..3000),
            random.random_range(0..100)
        ),
    }
}

/// An order's total with eight decimals, often with more digits than a double keeps.
pub(crate) fn total(random: &mut Random) -> String {
    if random.random_ratio(1, 4) {
        return format!(
            "9007199254740993.{:08}",
            random.random_range(0..100_000_000)
        );
    }
    format!(
        "{}.{:08}",
        random.random_range(0..5000),
        random.random_range(0..100_000_000)
    )
}

/// A stock that is small, or beyond 2^53, or the largest of its type.
pub(crate) fn stock(random: &mut Random) -> i64 {
    match random.random_range(0..5) {
        0 => (1 << 53) + 1 + random.random_range(0..1000),
        1 => i64::MAX - random.random_range(0..10),
        _ => random.random_range(0..500),
    }
}

/// JSON text for `attributes`: absent, null, empty, or an object with exact numbers and nesting.
pub(crate) fn attributes(random: &mut Random) -> Option<String> {
    let awkward = serde_json::Value::from(one_of(random, &AWKWARD));
    match random.random_range(0..8) {
        0 => None,
        1 => Some("{}".to_owned()),
        2 => Some(r#"{"weight": null, "colour": ""}"#.to_owned()),
        3 => Some(r#"{"weight": 0.30000000000000000000000000000000004}"#.to_owned()),
        4 => Some(format!(
            r#"{{"weight": "{}.10", "note": {awkward}}}"#,
            random.random_range(0..90)
        )),
        5 => Some(format!(
            r#"{{"weight": {}.50, "serial": 9007199254740993, "ratio": 1e-7, "deep": {{"er": [1.10, {{"x": null}}, {awkward}]}}}}"#,
            random.random_range(0..90)
        )),
        _ => Some(format!(
            r#"{{"weight": {}, "colour": "{}", "size": [{}, {}]}}"#,
            random.random_range(0..5000),
            one_of(random, &["red", "blå", "緑"]),
            random.random_range(0..9),
            random.random_range(0..9),
        )),
    }
}

fn one_of<'a>(random: &mut Random, choices: &[&'a str]) -> &'a str {
    choices
        .choose(random)
        .expect("the lists above are not empty")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn attributes_are_always_json() {
        let mut random = Random::seed_from_u64(1);
        for text in (0..500).filter_map(|_| attributes(&mut random)) {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    }

    #[test]
    fn long_text_is_longer_than_a_page_of_postgres() {
        let mut random = Random::seed_from_u64(1);
        assert!(long(&mut random).len() > 8192);
    }
}
