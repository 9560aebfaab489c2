//! The logs of a simulated call with their numbers, and ether that moves told as logs (`traceTransfers`).

use alloy_primitives::{Address, B256, Log, LogData, U256, address, b256};
use revm::context::{ContextTr, JournalTr};
use revm::inspector::Inspector;
use revm::interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome, InterpreterTypes};

/// Who seems to emit these logs.
const EMITTER: Address = address!("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
/// `Transfer(address,address,uint256)`
const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// An inspector that notes every log, and every transfer if asked to. A frame that fails takes its own with it, but
/// not their numbers, as in geth.
#[derive(Debug)]
pub struct Transfers {
    wanted: bool,
    next: u64,
    /// A list for each frame that runs, below them what is certain.
    frames: Vec<Vec<(u64, Log)>>,
    kept: Vec<(u64, Log)>,
}

impl Transfers {
    /// Numbers its logs from `first` on.
    pub fn new(wanted: bool, first: u64) -> Self {
        Self { wanted, next: first, frames: Vec::new(), kept: Vec::new() }
    }

    /// The logs with their numbers, and the number after the last.
    pub fn finish(self) -> (Vec<u64>, Vec<Log>, u64) {
        let (numbers, logs) = self.kept.into_iter().unzip();
        (numbers, logs, self.next)
    }

    fn enter(&mut self, from: Address, to: Address, value: U256) {
        self.frames.push(Vec::new());
        self.transfer(from, to, value);
    }

    fn transfer(&mut self, from: Address, to: Address, value: U256) {
        if self.wanted && !value.is_zero() {
            let topics = vec![TRANSFER, from.into_word(), to.into_word()];
            let data = LogData::new_unchecked(topics, value.to_be_bytes::<32>().into());
            self.note(Log { address: EMITTER, data });
        }
    }

    fn note(&mut self, log: Log) {
        self.frames.last_mut().unwrap_or(&mut self.kept).push((self.next, log));
        self.next += 1;
    }

    fn leave(&mut self, succeeded: bool) {
        let mut logs = self.frames.pop().unwrap_or_default();
        if succeeded {
            self.frames.last_mut().unwrap_or(&mut self.kept).append(&mut logs);
        }
    }
}

impl<CTX: ContextTr, INTR: InterpreterTypes> Inspector<CTX, INTR> for Transfers {
    fn call(&mut self, _: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let value = inputs.transfer_value().unwrap_or_default();
        self.enter(inputs.transfer_from(), inputs.transfer_to(), value);
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.leave(outcome.result.is_ok());
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let caller = context.journal_mut().load_account(inputs.caller());
        let nonce = caller.map_or(0, |caller| caller.data.info.nonce);
        self.enter(inputs.caller(), inputs.created_address(nonce), inputs.value());
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.leave(outcome.result.is_ok());
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        self.transfer(contract, target, value);
    }

    fn log(&mut self, _: &mut CTX, log: Log) {
        self.note(log);
    }
}
