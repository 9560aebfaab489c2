//! One transaction on a state: geth's checks in geth's order and words, and then revm.

use alloy_primitives::{Address, Bytes, KECCAK256_EMPTY, Log, U256};
use revm::context::either::Either;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::context::transaction::{
    AccessList, AccessListItem, Authorization as Wish, RecoveredAuthority, RecoveredAuthorization,
};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::handler::{MainnetContext, MainnetEvm};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{B256, TxKind};
use revm::state::AccountInfo;
use revm::{Context, Database, ExecuteEvm, MainContext};

use crate::codec::transaction::{AccessListEntry, Authorization, Transaction};
use crate::error::{Error, Refusal, Result, reason};
use crate::recover::{Recovered, floor_data_gas, intrinsic_gas};
use crate::state::StateDb;

pub type Surroundings = MainnetContext<StateDb>;
pub type Evm = MainnetEvm<Surroundings>;

const INIT_CODE_LIMIT: usize = 49_152;
const TRANSACTION_GAS_LIMIT_CAP: u64 = 1 << 24;

/// What revm runs in: a state, the block around it, and the rules.
pub fn surroundings(database: StateDb, block: BlockEnv, chain_id: u64, fork: SpecId) -> Surroundings {
    let mut rules = CfgEnv::new_with_spec(fork);
    rules.chain_id = chain_id;
    Context::mainnet().with_db(database).with_block(block).with_cfg(rules)
}

/// What an executed transaction did.
#[derive(Debug)]
pub struct Executed {
    pub succeeded: bool,
    pub gas_used: u64,
    pub contract_address: Option<Address>,
    pub logs: Vec<Log>,
}

/// Executes `recovered`, of which `gas_available` may be left in the block. The changes stay in the journal of
/// `evm`; a refused transaction leaves none.
pub fn transact(evm: &mut Evm, recovered: &Recovered, gas_available: u64) -> Result<Result<Executed, Refusal>> {
    evm.ctx.journaled_state.database.sender = recovered.sender;
    if let Err(refusal) = check(&mut evm.ctx, recovered, gas_available)? {
        return Ok(Err(refusal));
    }
    let transaction = &recovered.transaction;
    match evm.transact_one(environment(recovered)) {
        Ok(result) => Ok(Ok(executed(result, transaction.to.is_none(), recovered))),
        Err(EVMError::Transaction(invalid)) => Ok(Err(refusal_of(&invalid))),
        Err(error) => Err(failure(error)),
    }
}

fn executed(result: ExecutionResult, creates: bool, recovered: &Recovered) -> Executed {
    let succeeded = result.is_success();
    let gas_used = result.tx_gas_used();
    let address = creates.then(|| recovered.sender.create(recovered.transaction.nonce));
    let logs = if succeeded { result.into_logs() } else { Vec::new() };
    Executed { succeeded, gas_used, contract_address: address, logs }
}

/// An error that is not the transaction's.
pub fn failure(error: EVMError<Error>) -> Error {
    match error {
        EVMError::Database(error) => error,
        other => Error::Fatal(format!("execution failed: {other}")),
    }
}

/// geth's `preCheck` and `buyGas` (core/state_transition.go).
fn check(context: &mut Surroundings, recovered: &Recovered, gas_available: u64) -> Result<Result<(), Refusal>> {
    let sender = recovered.sender;
    let account = current(context, &sender)?;
    let code_size = match account.code_hash {
        KECCAK256_EMPTY => 0,
        hash => {
            let code = match account.code {
                Some(code) => code,
                None => context.journaled_state.database.code_by_hash(hash)?,
            };
            if code.is_eip7702() { 0 } else { code.len() }
        }
    };
    let transaction = &recovered.transaction;
    let fork = context.cfg.spec;
    Ok(check_sender(transaction, &sender, account.nonce, code_size, fork)
        .and_then(|()| check_chain(transaction, context.cfg.chain_id))
        .and_then(|()| check_fees(transaction, &sender, context.block.basefee))
        .and_then(|()| check_type(transaction, &sender, fork, &context.block))
        .and_then(|()| check_funds(transaction, &sender, account.balance))
        .and_then(|()| check_gas(transaction, gas_available, fork)))
}

/// The account as the transactions so far left it.
fn current(context: &mut Surroundings, address: &Address) -> Result<AccountInfo> {
    if let Some(account) = context.journaled_state.inner.state.get(address) {
        return Ok(account.info.clone());
    }
    Ok(context.journaled_state.database.basic(*address)?.unwrap_or_default())
}

fn check_sender(
    transaction: &Transaction,
    sender: &Address,
    next_nonce: u64,
    code_size: usize,
    fork: SpecId,
) -> Result<(), Refusal> {
    check_nonce(transaction, sender, next_nonce)?;
    if fork >= SpecId::OSAKA && transaction.gas_limit > TRANSACTION_GAS_LIMIT_CAP {
        let limit = transaction.gas_limit;
        let detail = format!("transaction gas limit too high (cap: {TRANSACTION_GAS_LIMIT_CAP}, tx: {limit})");
        return Err(Refusal::new(reason::GAS_LIMIT, detail));
    }
    if code_size > 0 {
        return Err(Refusal::new(reason::SENDER_NOT_EOA, format!("address {sender}, len(code): {code_size}")));
    }
    Ok(())
}

pub(super) fn check_nonce(transaction: &Transaction, sender: &Address, next_nonce: u64) -> Result<(), Refusal> {
    let nonce = transaction.nonce;
    if nonce != next_nonce {
        let reason = if nonce > next_nonce { reason::NONCE_TOO_HIGH } else { reason::NONCE_TOO_LOW };
        return Err(Refusal::new(reason, format!("address {sender}, tx: {nonce} state: {next_nonce}")));
    }
    if nonce == u64::MAX {
        return Err(Refusal::new(reason::NONCE_MAX, format!("address {sender}, nonce: {nonce}")));
    }
    Ok(())
}

fn check_chain(transaction: &Transaction, chain_id: u64) -> Result<(), Refusal> {
    match transaction.chain_id {
        Some(id) if id != U256::from(chain_id) => {
            Err(Refusal::new(reason::WRONG_CHAIN, format!("have {id} want {chain_id}")))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_fees(transaction: &Transaction, sender: &Address, base_fee: u64) -> Result<(), Refusal> {
    let (tip, cap) = (transaction.max_priority_fee, transaction.max_fee);
    if cap < tip {
        let detail = format!("address {sender}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}");
        return Err(Refusal::new(reason::TIP_ABOVE_FEE_CAP, detail));
    }
    check_base_fee(sender, cap, base_fee)
}

/// EIP-1559: the fee cap reaches the base fee.
pub fn check_base_fee(sender: &Address, cap: U256, base_fee: u64) -> Result<(), Refusal> {
    if cap < U256::from(base_fee) {
        let detail = format!("address {sender}, maxFeePerGas: {cap}, baseFee: {base_fee}");
        return Err(Refusal::new(reason::FEE_CAP_BELOW_BASE_FEE, detail));
    }
    Ok(())
}

fn check_type(transaction: &Transaction, sender: &Address, fork: SpecId, block: &BlockEnv) -> Result<(), Refusal> {
    let unsupported = |detail: &str| Err(Refusal::new(reason::TYPE_NOT_SUPPORTED, detail));
    match transaction.kind {
        3 => {
            if transaction.blob_hashes.is_empty() {
                return unsupported("blob transaction missing blob hashes");
            }
            if transaction.blob_hashes.iter().any(|hash| hash[0] != 1) {
                return unsupported("blob hash has invalid version");
            }
            let price = block.blob_excess_gas_and_price.map_or(0, |blob| blob.blob_gasprice);
            if transaction.max_fee_per_blob_gas < U256::from(price) {
                return unsupported("max fee per blob gas less than block blob gas fee");
            }
            Ok(())
        }
        4 if fork < SpecId::PRAGUE => unsupported(""),
        4 if transaction.authorizations.is_empty() => {
            Err(Refusal::new(reason::EMPTY_AUTHORIZATIONS, format!("(sender {sender})")))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_funds(transaction: &Transaction, sender: &Address, balance: U256) -> Result<(), Refusal> {
    let Some(want) = transaction.cost() else {
        let detail = format!("address {sender} required balance exceeds 256 bits");
        return Err(Refusal::new(reason::INSUFFICIENT_FUNDS, detail));
    };
    if balance < want {
        let detail = format!("address {sender} have {balance} want {want}");
        return Err(Refusal::new(reason::INSUFFICIENT_FUNDS, detail));
    }
    Ok(())
}

pub(super) fn check_gas(transaction: &Transaction, available: u64, fork: SpecId) -> Result<(), Refusal> {
    let limit = transaction.gas_limit;
    if limit > available {
        return Err(Refusal::new(reason::GAS_LIMIT_REACHED, ""));
    }
    let intrinsic = intrinsic_gas(transaction);
    if limit < intrinsic {
        return Err(Refusal::new(reason::INTRINSIC_GAS, format!("have {limit}, want {intrinsic}")));
    }
    let floor = floor_data_gas(&transaction.data);
    if fork >= SpecId::PRAGUE && limit < floor {
        return Err(Refusal::new(reason::FLOOR_DATA_GAS, format!("have {limit}, want {floor}")));
    }
    let size = transaction.data.len();
    if transaction.to.is_none() && size > INIT_CODE_LIMIT {
        let detail = format!("code size {size} limit {INIT_CODE_LIMIT}");
        return Err(Refusal::new(reason::INIT_CODE_TOO_LARGE, detail));
    }
    Ok(())
}

/// A refusal of revm's own, for what the checks above leave to it.
pub fn refusal_of(invalid: &InvalidTransaction) -> Refusal {
    use InvalidTransaction as Invalid;
    let tag = match invalid {
        Invalid::PriorityFeeGreaterThanMaxFee => reason::TIP_ABOVE_FEE_CAP,
        Invalid::GasPriceLessThanBasefee => reason::FEE_CAP_BELOW_BASE_FEE,
        Invalid::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            return Refusal::new(reason::INTRINSIC_GAS, format!("have {gas_limit}, want {initial_gas}"));
        }
        Invalid::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
            return Refusal::new(reason::FLOOR_DATA_GAS, format!("have {gas_limit}, want {gas_floor}"));
        }
        Invalid::CallerGasLimitMoreThanBlock => reason::GAS_LIMIT_REACHED,
        Invalid::TxGasLimitGreaterThanCap { .. } => reason::GAS_LIMIT,
        Invalid::RejectCallerWithCode => reason::SENDER_NOT_EOA,
        Invalid::LackOfFundForMaxFee { .. } | Invalid::OverflowPaymentInTransaction => reason::INSUFFICIENT_FUNDS,
        Invalid::NonceOverflowInTransaction => reason::NONCE_MAX,
        Invalid::NonceTooHigh { .. } => reason::NONCE_TOO_HIGH,
        Invalid::NonceTooLow { .. } => reason::NONCE_TOO_LOW,
        Invalid::CreateInitCodeSizeLimit => reason::INIT_CODE_TOO_LARGE,
        Invalid::InvalidChainId | Invalid::MissingChainId => reason::WRONG_CHAIN,
        Invalid::EmptyAuthorizationList => reason::EMPTY_AUTHORIZATIONS,
        _ => reason::TYPE_NOT_SUPPORTED,
    };
    Refusal::new(tag, invalid.to_string())
}

/// The transaction as revm takes it. Fees beyond 128 bits nobody can pay were refused before.
pub fn environment(recovered: &Recovered) -> TxEnv {
    let transaction = &recovered.transaction;
    TxEnv {
        tx_type: transaction.kind,
        caller: recovered.sender,
        gas_limit: transaction.gas_limit,
        gas_price: transaction.max_fee.saturating_to(),
        kind: transaction.to.map_or(TxKind::Create, TxKind::Call),
        value: transaction.value,
        data: transaction.data.clone(),
        nonce: transaction.nonce,
        chain_id: transaction.chain_id.map(|id| id.saturating_to()),
        access_list: access_list(&transaction.access_list),
        gas_priority_fee: (transaction.kind >= 2).then(|| transaction.max_priority_fee.saturating_to()),
        blob_hashes: transaction.blob_hashes.clone(),
        max_fee_per_blob_gas: transaction.max_fee_per_blob_gas.saturating_to(),
        authorization_list: authorization_list(&transaction.authorizations, &recovered.authorities),
    }
}

pub fn access_list(entries: &[AccessListEntry]) -> AccessList {
    AccessList(
        entries
            .iter()
            .map(|entry| AccessListItem { address: entry.address, storage_keys: entry.storage_keys.clone() })
            .collect(),
    )
}

/// Authorizations with their signers, which revm then need not recover.
pub fn authorization_list<S>(
    authorizations: &[Authorization],
    authorities: &[Option<Address>],
) -> Vec<Either<S, RecoveredAuthorization>> {
    authorizations
        .iter()
        .zip(authorities)
        .map(|(wish, authority)| {
            let inner = Wish { chain_id: wish.chain_id, address: wish.address, nonce: wish.nonce };
            let authority = authority.map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid);
            Either::Right(RecoveredAuthorization::new_unchecked(inner, authority))
        })
        .collect()
}

/// EIP-4788.
pub const BEACON_ROOTS: Address = alloy_primitives::address!("000f3df6d732807ef1319fb7b8bb8522d0beac02");
/// EIP-2935.
pub const HISTORY: Address = alloy_primitives::address!("0000f90827f1c53a10cb7a02335b175320002935");

/// Runs the code at `contract`, if there is any, as the system: outside of gas, fees and nonces.
pub fn system_call(evm: &mut Evm, contract: Address, data: B256) -> Result<()> {
    use revm::SystemCallEvm;
    if current(&mut evm.ctx, &contract)?.code_hash == KECCAK256_EMPTY {
        return Ok(());
    }
    evm.system_call_one(contract, Bytes::copy_from_slice(data.as_slice())).map_err(failure)?;
    Ok(())
}
