//! BENCHMARKS.md: targets, everything that was measured, and how.

mod claim;
mod figures;
mod limit;
pub(crate) mod machine;
mod tables;
mod target;

use claim::{Claim, Verdict};

use crate::bench::Sizes;
use crate::run::Run;
use crate::scenario::hot::Step;
use crate::scenario::latency::Latency;
use crate::series::{Contestant, Series, Spread};

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) machine: Vec<String>,
    pub(crate) sizes: Sizes,
    pub(crate) all: Vec<Series>,
    /// Or why there is none; nothing where it was not asked for.
    pub(crate) latency: Option<Result<Latency, String>>,
    /// The same of the hot path's steps.
    pub(crate) hot: Option<Result<Vec<Step>, String>>,
    /// Scenarios that could not even begin, and why.
    pub(crate) failed: Vec<String>,
}

impl Findings {
    /// Nothing yet.
    pub(crate) const fn new(sizes: Sizes) -> Self {
        Self {
            machine: Vec::new(),
            sizes,
            all: Vec::new(),
            latency: None,
            hot: None,
            failed: Vec::new(),
        }
    }

    /// Whether nothing was measured.
    pub(crate) const fn is_empty(&self) -> bool {
        self.all.is_empty() && self.latency.is_none() && self.hot.is_none()
    }

    /// The runs of a contestant in a scenario.
    ///
    /// # Errors
    /// Why there are none.
    fn series(&self, scenario: &str, contestant: Contestant) -> Result<&Series, String> {
        let mut all = self.all.iter();
        let found = all.find(|it| it.scenario == scenario && it.contestant == contestant);
        let series = found.ok_or("it was not run")?;
        match &series.failed {
            Some(reason) => Err(format!("{contestant}: {reason}")),
            None => Ok(series),
        }
    }

    /// A figure over the runs of a contestant in a scenario.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn spread(
        &self,
        scenario: &str,
        contestant: Contestant,
        figure: impl Fn(&Run) -> f64,
    ) -> Result<(Spread, &Series), String> {
        let series = self.series(scenario, contestant)?;
        let spread = series.spread(figure).ok_or("it was not run")?;
        Ok((spread, series))
    }

    /// How long changes take.
    ///
    /// # Errors
    /// Why that is not known.
    fn latency(&self) -> Result<&Latency, String> {
        let latency = self.latency.as_ref().ok_or("it was not run")?;
        latency.as_ref().map_err(Clone::clone)
    }

    /// Whether everything that was asked for could be measured. A missed target is a finding and no failure.
    pub(crate) fn is_complete(&self) -> bool {
        let no_failure = self.all.iter().all(|it| it.failed.is_none());
        no_failure
            && self.failed.is_empty()
            && self.latency.as_ref().is_none_or(Result::is_ok)
            && self.hot.as_ref().is_none_or(Result::is_ok)
    }

    /// The whole file.
    pub(crate) fn markdown(&self) -> String {
        let claims = claim::all(self);
        let met = claims
            .iter()
            .filter(|it| it.verdict == Verdict::Met)
            .count();
        let mut text = String::from("# Benchmarks\n\nWritten by `make bench`; do not edit.\n\n");
        for line in &self.machine {
            text.push_str(&format!("- {line}\n"));
        }
        if self.sizes.shrink > 1 {
            text.push_str(
                "\n**A quick run: it shows that everything works, and is no figure to quote.**\n",
            );
        }
        text.push_str(&format!(
            "\n## Targets\n\n{met} of {} are met. A figure is the median of its runs, with the lowest and the \
             highest in brackets.\n\n",
            claims.len()
        ));
        text.push_str(&claims_table(&claims));
        text.push_str("\n## Runs\n\n");
        text.push_str(&tables::runs(self));
        text.push_str("\n## Noise\n\n");
        text.push_str(&tables::noise(self));
        text.push_str("\n## Beside a peer\n\n");
        text.push_str(&tables::peer(self));
        text.push_str("\n## Latency into Elasticsearch\n\n");
        text.push_str(&tables::latency(self));
        text.push_str("\n## Steps of the hot path\n\n");
        text.push_str(&tables::hot(self));
        let failures = tables::failures(self);
        if !failures.is_empty() {
            text.push_str("\n## Not measured\n\n");
            text.push_str(&failures);
        }
        text.push_str("\n## Method\n\n");
        text.push_str(include_str!("method.md"));
        text
    }
}

fn claims_table(claims: &[Claim]) -> String {
    let rows = claims.iter().map(|claim| {
        [
            claim.what.clone(),
            claim.target.clone(),
            claim.measured.clone(),
            claim.ratio.clone(),
            claim.said(),
        ]
    });
    tables::table(["what", "target", "measured", "ratio", "verdict"], rows)
}
