//! Limits from a file of one's own.

use std::path::Path;

use darkchunk_metrics::{FloatLimits, Limits};
use serde_json::{Map, Value};

/// The limits of a file; of real numbers those that are judged.
pub(super) fn read(path: &Path, is_float: bool) -> Result<Limits, String> {
    let limits = std::fs::read_to_string(path)
        .map_err(|error| error.to_string())
        .and_then(|text| parse(&text).map_err(|error| format!("no limits: {error}")))
        .and_then(|(names, limits)| if is_float { of_floats(&names, limits) } else { Ok(limits) });
    limits.map_err(|error| format!("{}: {error}", path.display()))
}

fn parse(text: &str) -> Result<(Map<String, Value>, Limits), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(names) = &value else {
        return Err(r#"a JSON object is needed, as in {"bias": 0.005}"#.into());
    };
    if let Some((name, limit)) = names.iter().find(|(_, limit)| limit.as_f64().is_some_and(|limit| limit < 0.0)) {
        return Err(format!("{name} is {limit}: nothing keeps a limit below 0; null is not checked"));
    }
    let names = names.clone();
    serde_json::from_value(value).map(|limits| (names, limits)).map_err(|error| error.to_string())
}

/// Refuses a limit that would not be looked at.
fn of_floats(names: &Map<String, Value>, limits: Limits) -> Result<Limits, String> {
    let is_judged = |name: &str| FloatLimits::NAMES.contains(&name);
    match names.iter().find(|(name, limit)| !limit.is_null() && !is_judged(name)) {
        Some((name, _)) => Err(format!(
            "{name} is not judged of real numbers, as nothing is known of their noise: {} are",
            FloatLimits::NAMES.join(" and ")
        )),
        None => Ok(limits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_an_object_of_numbers_that_can_be_kept() {
        let (_, limits) = parse(r#"{"bias": 0.005, "ghosts": 2, "max_error": null}"#).unwrap();
        assert_eq!((limits.bias, limits.ghosts, limits.max_error), (Some(0.005), Some(2), None));
        assert_eq!(limits.inflation, Limits::default().inflation);
        for (text, why) in [
            ("[0.1]", "a JSON object is needed"),
            ("[]", "a JSON object is needed"),
            ("0.1", "a JSON object is needed"),
            ("null", "a JSON object is needed"),
            (r#"{"bias": -1}"#, "bias is -1"),
            (r#"{"ghosts": -1}"#, "ghosts is -1"),
            (r#"{"bias": "1"}"#, "string"),
            (r#"{"bais": 1}"#, "bais"),
            ("{", "EOF"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_not_judged_of_real_numbers_is_an_error_there() {
        let of = |text: &str| parse(text).and_then(|(names, limits)| of_floats(&names, limits));
        assert_eq!(of(r#"{"flux": 0.5, "bias": null}"#).unwrap().flux, Some(0.5));
        assert!(of(r#"{"max_error": 0.5}"#).unwrap_err().contains("max_error is not judged"));
    }
}
