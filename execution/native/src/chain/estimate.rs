//! `eth_estimateGas`: the search of geth's eth/gasestimator.

use std::time::Instant;

use alloy_primitives::{KECCAK256_EMPTY, U256};

use super::call::{CallOutcome, CallRequest, Caller};
use super::engine::Engine;
use super::halt::OUT_OF_GAS;
use super::reads::At;
use crate::error::{Error, Refusal, Result, reason};

const TRANSACTION_GAS: u64 = 21_000;
const CALL_STIPEND: u64 = 2_300;
/// How far an estimate may lie above the least gas that suffices (geth's `estimateGasErrorRatio`).
const ERROR_RATIO: f64 = 0.015;

/// A gas limit that suffices, or the result that no limit avoids.
#[derive(Debug)]
pub enum Estimate {
    Gas(u64),
    Fails(CallOutcome),
}

impl Engine {
    /// One run at the highest limit, one at what that run makes likely, then halving.
    pub fn estimate(&self, mut request: CallRequest, at: At, gas_cap: u64, deadline: Instant) -> Result<Estimate> {
        let around = self.view(at)?;
        let asked = request.gas_limit;
        let (_, fee_cap) = request.fees();
        let (sender, to, value) = (request.sender, request.to, request.value);
        let no_data = request.data.is_empty();
        let mut caller = Caller::new(&mut request, around, self.spec()?, deadline)?;

        let mut high = asked.filter(|gas| *gas >= TRANSACTION_GAS).unwrap_or(caller.block_gas_limit());
        if !fee_cap.is_zero() {
            let balance = caller.account(&sender)?.balance;
            if value > balance {
                let detail = format!("address {sender} have {balance} want {value}");
                return Err(Refusal::new(reason::INSUFFICIENT_FUNDS, detail).into());
            }
            let allowance = (balance - value) / fee_cap;
            high = U256::from(high).min(allowance).to();
        }
        high = high.min(gas_cap);

        if let Some(to) = to.filter(|_| no_data)
            && caller.account(&to)?.code_hash == KECCAK256_EMPTY
            && suffices(&mut caller, TRANSACTION_GAS)?
        {
            return Ok(Estimate::Gas(TRANSACTION_GAS));
        }
        let first = match attempt(&mut caller, high)? {
            Some(first) if first.halt != OUT_OF_GAS => first,
            _ => {
                let halt = format!("gas required exceeds allowance ({high})");
                return Ok(Estimate::Fails(CallOutcome { gas_used: high, halt, ..CallOutcome::default() }));
            }
        };
        if !first.succeeded() {
            return Ok(Estimate::Fails(first));
        }
        let likely = (first.gas_used + first.gas_refunded + CALL_STIPEND) * 64 / 63;
        search(&mut caller, first.gas_used - 1, high, likely).map(Estimate::Gas)
    }
}

/// The least limit known to suffice, given that `low` does not and `high` does.
fn search(caller: &mut Caller<'_>, mut low: u64, mut high: u64, likely: u64) -> Result<u64> {
    if likely < high {
        if suffices(caller, likely)? {
            high = likely;
        } else {
            low = likely;
        }
    }
    while low + 1 < high && (high - low) as f64 / high as f64 >= ERROR_RATIO {
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2));
        if suffices(caller, middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

fn suffices(caller: &mut Caller<'_>, gas_limit: u64) -> Result<bool> {
    Ok(attempt(caller, gas_limit)?.is_some_and(|outcome| outcome.succeeded()))
}

/// None if the limit does not even pay for the transaction itself.
fn attempt(caller: &mut Caller<'_>, gas_limit: u64) -> Result<Option<CallOutcome>> {
    match caller.run(gas_limit) {
        Ok(outcome) => Ok(Some(outcome)),
        Err(Error::Refused(refusal))
            if refusal.reason == reason::INTRINSIC_GAS || refusal.reason == reason::FLOOR_DATA_GAS =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
