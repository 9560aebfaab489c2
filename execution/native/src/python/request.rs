//! Call requests from the core's `CallRequest` objects, read attribute by attribute.

use alloy_primitives::{Address, U256};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::convert::{Int, address, hash, owned, saturating_u64, word};
use crate::chain::{BlockOverride, CallRequest};
use crate::codec::transaction::{AccessListEntry, Authorization};
use crate::recover::authorities;
use crate::state::Override;

pub fn call_request(object: &Bound<'_, PyAny>) -> PyResult<CallRequest> {
    let optional = |name: &str| -> PyResult<Option<U256>> {
        Ok(object.getattr(name)?.extract::<Option<Int>>()?.map(|integer| integer.0))
    };
    let to = object.getattr("to")?;
    let authorizations: Vec<Authorization> =
        each(&object.getattr("authorizations")?)?.iter().map(authorization).collect::<PyResult<_>>()?;
    Ok(CallRequest {
        sender: address(object.getattr("sender")?.extract()?)?,
        to: if to.is_none() { None } else { Some(address(to.extract()?)?) },
        data: owned(&object.getattr("data")?)?,
        value: object.getattr("value")?.extract::<Int>()?.0,
        gas_limit: optional("gas_limit")?.map(|gas| gas.saturating_to()),
        gas_price: optional("gas_price")?,
        max_fee: optional("max_fee_per_gas")?,
        max_priority_fee: optional("max_priority_fee_per_gas")?,
        access_list: each(&object.getattr("access_list")?)?.iter().map(access_list_entry).collect::<PyResult<_>>()?,
        authorities: authorities(&authorizations),
        authorizations,
        overrides: account_overrides(&object.getattr("overrides")?)?,
        block: block_override(&object.getattr("block")?)?,
        nonce: object.getattr("nonce")?.extract()?,
    })
}

/// The core's `BlockOverride`, or None for one that overrides nothing.
pub fn block_override(object: &Bound<'_, PyAny>) -> PyResult<BlockOverride> {
    if object.is_none() {
        return Ok(BlockOverride::default());
    }
    let word = |name: &str| object.getattr(name)?.extract::<Option<Vec<u8>>>();
    Ok(BlockOverride {
        number: object.getattr("number")?.extract()?,
        timestamp: object.getattr("timestamp")?.extract()?,
        gas_limit: object.getattr("gas_limit")?.extract()?,
        coinbase: word("coinbase")?.map(|bytes| address(&bytes)).transpose()?,
        prev_randao: word("prev_randao")?.map(|bytes| hash(&bytes)).transpose()?,
        base_fee: object.getattr("base_fee_per_gas")?.extract()?,
        blob_base_fee: object.getattr("blob_base_fee")?.extract()?,
        parent_beacon_block_root: word("parent_beacon_block_root")?.map(|bytes| hash(&bytes)).transpose()?,
    })
}

/// A mapping of addresses to the core's `AccountOverride`.
pub fn account_overrides(mapping: &Bound<'_, PyAny>) -> PyResult<Vec<(Address, Override)>> {
    pairs(mapping)?.iter().map(|(key, value)| Ok((address(key.extract()?)?, account_override(value)?))).collect()
}

pub fn each<'py>(sequence: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    sequence.try_iter()?.collect()
}

/// The items of a mapping; a plain dictionary is made of any other.
fn pairs<'py>(mapping: &Bound<'py, PyAny>) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    if let Ok(dictionary) = mapping.cast::<PyDict>() {
        return Ok(dictionary.iter().collect());
    }
    let dictionary = mapping.py().get_type::<PyDict>().call1((mapping,))?;
    Ok(dictionary.cast::<PyDict>()?.iter().collect())
}

fn access_list_entry(object: &Bound<'_, PyAny>) -> PyResult<AccessListEntry> {
    let keys = each(&object.getattr("storage_keys")?)?;
    Ok(AccessListEntry {
        address: address(object.getattr("address")?.extract()?)?,
        storage_keys: keys.iter().map(|key| hash(key.cast::<PyBytes>()?.as_bytes())).collect::<PyResult<_>>()?,
    })
}

fn authorization(object: &Bound<'_, PyAny>) -> PyResult<Authorization> {
    Ok(Authorization {
        chain_id: object.getattr("chain_id")?.extract::<Int>()?.0,
        address: address(object.getattr("address")?.extract()?)?,
        nonce: saturating_u64(&object.getattr("nonce")?)?,
        y_parity: object.getattr("y_parity")?.extract()?,
        r: object.getattr("r")?.extract::<Int>()?.0,
        s: object.getattr("s")?.extract::<Int>()?.0,
    })
}

fn account_override(object: &Bound<'_, PyAny>) -> PyResult<Override> {
    let slots = |mapping: &Bound<'_, PyAny>| -> PyResult<Vec<(U256, U256)>> {
        pairs(mapping)?.iter().map(|(slot, value)| Ok((word(slot.extract()?)?, word(value.extract()?)?))).collect()
    };
    let code = object.getattr("code")?;
    let state = object.getattr("state")?;
    Ok(Override {
        balance: object.getattr("balance_wei")?.extract::<Option<Int>>()?.map(|integer| integer.0),
        nonce: object.getattr("nonce")?.extract()?,
        code: if code.is_none() { None } else { Some(code.extract::<&[u8]>()?.to_vec()) },
        state: if state.is_none() { None } else { Some(slots(&state)?) },
        state_diff: slots(&object.getattr("state_diff")?)?,
        moved_to: object.getattr("moved_to")?.extract::<Option<Vec<u8>>>()?.map(|bytes| address(&bytes)).transpose()?,
    })
}
