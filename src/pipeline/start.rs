//! Whether a group may begin on what the stores hold (D15). Pure.

use crate::sink::{Found, Marker};

/// What the configuration expects of one projection's marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The projection's name.
    pub projection: String,
    /// The consumer group.
    pub group: String,
    /// The hash of everything that decides what is written.
    pub fingerprint: String,
    /// Whether the group has committed anything on the topics that feed the projection.
    pub has_commits: bool,
}

/// What to do about one projection before the group begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The store was filled by this group and projection: go on.
    GoOn,
    /// Nothing is there yet, or a first start did not get to its first commit: write the marker,
    /// begin, and call it started after the first commit.
    Begin,
}

/// Whether this group and projection have filled the store and the commits are gone since.
#[must_use]
pub fn is_forgotten(expected: &Expected, marker: &Marker) -> bool {
    marker.started
        && !expected.has_commits
        && marker.group == expected.group
        && marker.fingerprint == expected.fingerprint
}

/// Decides for one projection.
///
/// # Errors
/// What was found, when going on would leave a store silently partial.
pub fn decide(expected: &Expected, found: &Found) -> Result<Verdict, String> {
    let name = &expected.projection;
    let Some(marker) = &found.marker else {
        if expected.has_commits {
            return Err(format!(
                "projection `{name}` is new to group `{}`, which has commits already: it would see \
                 only what changes from now on",
                expected.group,
            ));
        }
        return Ok(Verdict::Begin);
    };
    if marker.group != expected.group {
        return Err(format!(
            "what projection `{name}` writes to was filled by group `{}`, not by `{}`",
            marker.group, expected.group,
        ));
    }
    if marker.fingerprint != expected.fingerprint {
        return Err(format!(
            "projection `{name}` has changed since its store was filled: old rows would keep their \
             old form",
        ));
    }
    match (marker.started, expected.has_commits) {
        (true, true) => Ok(Verdict::GoOn),
        (true, false) => Err(format!(
            "projection `{name}` was filled by group `{}`, whose commits are gone (expired, or \
             deleted with their topic): where it stood is not known. If the topic was made again, \
             give its table a higher `epoch` first: its offsets begin anew, and what is there would \
             win over them",
            expected.group,
        )),
        (false, _) => Ok(Verdict::Begin),
    }
}

/// Why the group may not begin, for each projection that is refused, and the way out for all of
/// them.
#[must_use]
pub fn refusal(group: &str, refused: &[(String, String)]) -> String {
    let reasons: Vec<&str> = refused.iter().map(|(_, reason)| reason.as_str()).collect();
    let adopt: Vec<String> = refused
        .iter()
        .map(|(name, _)| format!("--adopt {name}"))
        .collect();
    format!(
        "{}. Either rebuild under a group and targets of its own, or send the stopped group back \
         with `distributary offsets reset --group {group} --to-earliest --all-topics --execute` (a \
         replay in place), and start once with `{}`",
        reasons.join("; "),
        adopt.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Marker;

    fn expected(has_commits: bool) -> Expected {
        Expected {
            projection: "products-index".into(),
            group: "shop".into(),
            fingerprint: "abc".into(),
            has_commits,
        }
    }

    fn found(marker: Option<(&str, bool)>) -> Found {
        let marker = marker.map(|(fingerprint, started)| Marker {
            pipeline: "shop".into(),
            group: "shop".into(),
            projection: "products-index".into(),
            fingerprint: fingerprint.into(),
            started,
        });
        Found {
            projection: "products-index".into(),
            marker,
        }
    }

    #[test]
    fn a_first_start_and_one_that_crashed_before_its_first_commit_begin() {
        assert_eq!(decide(&expected(false), &found(None)), Ok(Verdict::Begin));
        assert_eq!(
            decide(&expected(false), &found(Some(("abc", false)))),
            Ok(Verdict::Begin)
        );
        assert_eq!(
            decide(&expected(true), &found(Some(("abc", false)))),
            Ok(Verdict::Begin)
        );
    }

    #[test]
    fn a_started_projection_with_commits_goes_on() {
        assert_eq!(
            decide(&expected(true), &found(Some(("abc", true)))),
            Ok(Verdict::GoOn)
        );
    }

    #[test]
    fn a_store_that_would_stay_partial_is_refused() {
        let cases = [
            (expected(true), found(None), "new to group"),
            (
                expected(false),
                found(Some(("abc", true))),
                "commits are gone",
            ),
            (expected(true), found(Some(("other", true))), "has changed"),
        ];
        for (expected, found, says) in cases {
            let error = decide(&expected, &found).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn one_refusal_tells_the_way_out_for_all_that_are_refused() {
        let refused = |name: &str| (name.to_owned(), format!("`{name}` has changed"));
        let text = refusal("shop.search", &[refused("products"), refused("orders")]);
        for part in [
            "`products` has changed; `orders` has changed. Either",
            "--group shop.search --to-earliest",
            "`--adopt products --adopt orders`",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
