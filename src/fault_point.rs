//! Points at which a test lets the process die, as a power cut would.
//!
//! They are there only with the feature `failpoints`; otherwise the calls are empty. A test names one in
//! the environment: `FAILPOINTS='after-poll=2*off->return'` dies the third time it is reached.

/// Reads `FAILPOINTS`. Called once, before anything else.
pub fn arm() {
    #[cfg(feature = "failpoints")]
    // Dropped, it would disarm the points again.
    std::mem::forget(fail::FailScenario::setup());
}

/// Dies here if the test says so.
#[inline]
pub(crate) fn reach(point: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(point, |_| -> () { std::process::abort() });
    #[cfg(not(feature = "failpoints"))]
    let _ = point;
}

/// Dies here if the test says so of this sink: the point is called `before-write-search`, for example.
#[inline]
pub(crate) fn reach_in(point: &str, sink: &str) {
    #[cfg(feature = "failpoints")]
    reach(&format!("{point}-{sink}"));
    #[cfg(not(feature = "failpoints"))]
    let _ = (point, sink);
}
