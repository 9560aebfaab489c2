//! Plain sends as Python sees them: the requests of one turn of its event loop in, what they hand in out.

use std::ops::Range;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyString};

use super::convert::bytes;
use super::reading;
use crate::ingress::{self, Limits, Sends};

/// Reads many requests a call; `sequencer.core.sends.SendReader` says what for.
#[pyclass(frozen, name = "SendReader", module = "rollup_sequencer_native")]
pub struct PySendReader(Limits);

#[pymethods]
impl PySendReader {
    #[new]
    #[pyo3(signature = (body_limit, batch_limit, gzip_threshold, answer_limit))]
    fn new(body_limit: usize, batch_limit: usize, gzip_threshold: usize, answer_limit: usize) -> Self {
        Self(Limits { body: body_limit, batch: batch_limit, gzip: gzip_threshold, answer: answer_limit })
    }

    /// What each of `requests` begins with: a plain send, or None.
    fn read<'py>(&self, py: Python<'py>, requests: Vec<PyBackedBytes>) -> PyResult<Bound<'py, PyList>> {
        let read = reading(py, || Ok(ingress::read_all(&requests, &self.0)))?;
        let objects = requests.into_iter().zip(read).map(|(request, sends)| {
            let Some(sends) = sends else { return Ok(py.None().into_bound(py)) };
            Ok(Bound::new(py, PySends { request, sends })?.into_any())
        });
        PyList::new(py, objects.collect::<PyResult<Vec<_>>>()?)
    }
}

/// A request and what was found in it.
#[pyclass(frozen, name = "Sends", module = "rollup_sequencer_native")]
pub struct PySends {
    request: PyBackedBytes,
    sends: Sends,
}

impl PySends {
    /// Text of the header, which is ASCII.
    fn text<'py>(&self, py: Python<'py>, place: &Range<usize>) -> Bound<'py, PyString> {
        PyString::new(py, &String::from_utf8_lossy(&self.request[place.clone()]))
    }
}

#[pymethods]
impl PySends {
    /// The parts of the header that say who asks for what. None of them holds a line feed, and a part that is missing
    /// differs from an empty one.
    #[getter]
    fn caller<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut key = self.request[self.sends.path.clone()].to_vec();
        for place in [&self.sends.host, &self.sends.origin] {
            key.push(b'\n');
            if let Some(place) = place {
                key.push(b' ');
                key.extend_from_slice(&self.request[place.clone()]);
            }
        }
        bytes(py, &key)
    }
    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.text(py, &self.sends.path)
    }
    #[getter]
    fn host<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.sends.host.as_ref().map(|place| self.text(py, place))
    }
    #[getter]
    fn origin<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.sends.origin.as_ref().map(|place| self.text(py, place))
    }
    #[getter]
    fn forwarded_for<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.text(py, self.sends.forwarded_for.as_ref().unwrap_or(&(0..0)))
    }
    #[getter]
    fn end(&self) -> usize {
        self.sends.end
    }
    #[getter]
    fn awaited(&self) -> bool {
        self.sends.awaited
    }
    #[getter]
    fn accepts_gzip(&self) -> bool {
        self.sends.accepts_gzip
    }
    /// The id of the first call, encoded.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.request[self.sends.calls[0].id.clone()])
    }
    #[getter]
    fn raws<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.sends.calls.iter().map(|call| bytes(py, &call.raw)))
    }
    #[getter]
    fn hashes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.sends.calls.iter().map(|call| bytes(py, call.hash.as_slice())))
    }
    fn __len__(&self) -> usize {
        self.sends.calls.len()
    }

    /// The whole response. `errors` are (place, encoded error) of those that are refused, in order.
    fn answer<'py>(&self, py: Python<'py>, cors: &[u8], errors: Vec<(usize, PyBackedBytes)>) -> Bound<'py, PyBytes> {
        let errors: Vec<(usize, &[u8])> = errors.iter().map(|(place, error)| (*place, &**error)).collect();
        bytes(py, &ingress::answer(&self.request, &self.sends, cors, &errors))
    }
}
