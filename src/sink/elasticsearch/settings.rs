//! The body that creates an index, and Elasticsearch's way to write durations.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::IndexSettings;

/// The body that creates an index behind `alias`, in one step so that nobody sees it without.
pub(super) fn of_index(settings: Option<&IndexSettings>, alias: &str) -> Value {
    let mut body = settings.map_or_else(|| json!({}), |it| it.content.clone());
    // Where `aliases` is no object, Elasticsearch refuses the settings and says why.
    let aliases = body
        .as_object_mut()
        .map(|body| body.entry("aliases").or_insert_with(|| json!({})));
    if let Some(aliases) = aliases.and_then(Value::as_object_mut) {
        aliases.insert(alias.to_owned(), json!({"is_write_index": true}));
    }
    body
}

/// A duration as Elasticsearch writes it: `60s`, `6h`, `1.5d`; negative ones are none.
pub(super) fn time_value(text: &str) -> Option<Duration> {
    // The longer names first: `ms` ends with `s`.
    const UNITS: [(&str, f64); 7] = [
        ("nanos", 1e-9),
        ("micros", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("d", 86400.0),
    ];
    let text = text.trim();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let seconds = number.trim().parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_elasticsearch_writes_them() {
        let seconds = |text| time_value(text).map(|it| it.as_secs_f64());
        assert_eq!(seconds("60s"), Some(60.0));
        assert_eq!(seconds("21600000ms"), Some(21600.0));
        assert_eq!(seconds("1.5h"), Some(5400.0));
        assert_eq!(seconds("2d"), Some(172_800.0));
        assert_eq!(seconds("0"), None);
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("-1s"), None);
    }

    #[test]
    fn the_alias_joins_those_of_the_file() {
        let file = IndexSettings {
            path: "products.json".into(),
            content: json!({"settings": {"number_of_shards": 1}, "aliases": {"all": {}}}),
        };
        let body = of_index(Some(&file), "products");
        assert_eq!(body["settings"]["number_of_shards"], 1);
        assert_eq!(body["aliases"]["products"]["is_write_index"], true);
        assert!(body["aliases"]["all"].is_object());
        let body = of_index(None, "products");
        assert_eq!(
            body,
            json!({"aliases": {"products": {"is_write_index": true}}})
        );
    }
}
