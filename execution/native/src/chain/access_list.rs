//! `eth_createAccessList`: what the caller listed and what a call touches, found by running it until the list no longer
//! grows.

use std::time::Instant;

use revm::context::transaction::AccessList;
use revm_inspectors::access_list::AccessListInspector;

use super::call::{CallOutcome, CallRequest, Caller, Recorder};
use super::deadline::Deadline;
use super::engine::Engine;
use super::reads::At;
use super::transact;
use crate::error::Result;

/// The list, and the run with it.
#[derive(Debug)]
pub struct AccessListOutcome {
    pub list: AccessList,
    pub outcome: CallOutcome,
}

impl Recorder for AccessListInspector {}

/// A list grows at most by what a run touches anew; nothing known needs more than a few runs.
const RUNS: usize = 16;

impl Engine {
    pub fn create_access_list(
        &self,
        mut request: CallRequest,
        at: At,
        gas_cap: u64,
        deadline: Instant,
    ) -> Result<AccessListOutcome> {
        let gas_limit = request.gas_limit.map_or(gas_cap, |limit| limit.min(gas_cap));
        let around = self.view(at)?;
        let mut list = transact::access_list(&request.access_list);
        let mut caller = Caller::new(&mut request, around, self.spec()?, deadline)?;
        let mut runs = 0;
        loop {
            let inspector = AccessListInspector::new(list.clone());
            let run = caller.inspect(gas_limit, Some(list.clone()), Deadline::new(deadline), inspector)?;
            let touched = joined(&list, run.inspector);
            runs += 1;
            if touched == list || runs == RUNS {
                return Ok(AccessListOutcome { list, outcome: run.outcome });
            }
            list = touched;
        }
    }
}

/// What was touched, with the slots that were listed before of accounts that are warm from the start: those the
/// inspector leaves out unless they are touched. Without slots, such accounts are not listed.
fn joined(before: &AccessList, inspector: AccessListInspector) -> AccessList {
    let free = inspector.excluded();
    let listed = before.0.iter().filter(|item| free.contains(&item.address) && !item.storage_keys.is_empty());
    let listed: Vec<_> = listed.cloned().collect();
    let mut list = inspector.into_access_list();
    list.0.extend(listed);
    list.dedup();
    list.sort();
    list
}
