//! The threads that keep processors awake, as Python sees them.

use std::time::Duration;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::idle_poll::IdlePoll;

/// Polls for `duration_ms` after each `touch`, on so many threads of policy `SCHED_IDLE`, until it is ended.
#[pyclass(frozen, name = "IdlePoll", module = "rollup_sequencer_native")]
pub struct PyIdlePoll(IdlePoll);

#[pymethods]
impl PyIdlePoll {
    #[new]
    fn new(duration_ms: u64, threads: usize) -> PyResult<Self> {
        let poll = IdlePoll::new(Duration::from_millis(duration_ms), threads);
        Ok(Self(poll.map_err(|error| PyOSError::new_err(error.to_string()))?))
    }

    fn touch(&self) {
        self.0.touch();
    }

    fn end(&self) {
        self.0.end();
    }
}
