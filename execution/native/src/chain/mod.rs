//! One chain as it is executed: the open block, the sealed ones, the committed ones, and reads of all of them.

mod access_list;
mod background;
mod block_override;
mod brief;
mod call;
mod deadline;
mod engine;
mod estimate;
mod genesis;
mod halt;
mod open;
mod plain;
mod precompiles;
mod progress;
mod proof;
mod reads;
mod simulate;
mod simulation;
mod state_test;
mod trace;
mod transact;
mod transfers;

pub use access_list::AccessListOutcome;
pub use background::{Readers, behind};
pub use block_override::BlockOverride;
pub use call::{CallOutcome, CallRequest};
pub use engine::{Attributes, Engine, Memory, SealedBlock, Spec};
pub use estimate::Estimate;
pub use genesis::GenesisAccount;
pub use open::Answer;
pub use plain::PlainReads;
pub use proof::AccountProof;
pub use reads::At;
pub use simulation::{BlockCalls, FeeRule, SimulatedBlock, SimulatedCall, Simulation};
pub use state_test::{StateTest, StateTestResult};
pub use transact::Executed;
