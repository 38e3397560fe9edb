//! Numbers as people read them.

use crate::series::Spread;

/// A number with as many digits as it is worth, thousands apart.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        "–".to_owned()
    } else if magnitude >= 100.0 {
        grouped(value)
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The median, and how far the runs lie apart.
pub(crate) fn figure(spread: &Spread, unit: &str) -> String {
    let median = number(spread.median);
    if spread.runs < 2 {
        return format!("{median}{unit}");
    }
    format!(
        "{median}{unit} ({}–{})",
        number(spread.min),
        number(spread.max)
    )
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped_and_small_ones_keep_digits() {
        assert_eq!(number(1_234_567.8), "1 234 568");
        assert_eq!(number(250.0), "250");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(0.1234), "0.12");
    }

    #[test]
    fn a_figure_shows_its_noise_where_there_is_more_than_one_run() {
        let spread = Spread::of([1000.0, 1200.0, 1100.0]).unwrap();
        assert_eq!(figure(&spread, "/s"), "1 100/s (1 000–1 200)");
        assert_eq!(figure(&Spread::of([5.0]).unwrap(), " s"), "5.00 s");
    }
}
