//! The precompiles as a call with state overrides finds them: moved elsewhere, or gone where code was put instead.

use alloy_primitives::Address;
use alloy_primitives::map::{AddressMap, AddressSet};
use revm::context::{Cfg, ContextTr};
use revm::handler::{EthPrecompiles, PrecompileProvider};
use revm::interpreter::{CallInputs, InterpreterResult};
use revm::primitives::hardfork::SpecId;

use crate::error::{Refusal, reason};
use crate::state::Override;

/// Which precompile answers at which address.
#[derive(Debug, Clone)]
pub struct Precompiles {
    own: EthPrecompiles,
    /// Address and the precompile that stands there; None while all are where they belong.
    moved: Option<AddressMap<Address>>,
}

impl Precompiles {
    /// The fork's precompiles under these overrides. As in geth, whoever overrides a precompile's account puts an
    /// ordinary account there; the precompile is gone unless it moves. It costs and warms what it did before.
    pub fn under(overrides: &[(Address, Override)], fork: SpecId) -> Result<Self, Refusal> {
        let own = EthPrecompiles::new(fork);
        let concerned = |(address, with): &&(Address, Override)| own.contains(address) || with.moved_to.is_some();
        if overrides.iter().find(concerned).is_none() {
            return Ok(Self { own, moved: None });
        }
        let mut moved: AddressMap<Address> = own.warm_addresses().iter().map(|address| (*address, *address)).collect();
        for (address, _) in overrides {
            moved.remove(address);
        }
        for (address, with) in overrides {
            let Some(target) = with.moved_to else { continue };
            let refused = |detail: String| Err(Refusal::new(reason::INVALID_OVERRIDE, detail));
            if !own.contains(address) {
                return refused(format!("account {address} is not a precompile"));
            }
            if overrides.iter().any(|(other, _)| *other == target) {
                return refused(format!("account {target} is already overridden"));
            }
            if moved.insert(target, *address).is_some_and(|other| other != target) {
                return refused(format!("account {target} has already been overridden by a precompile"));
            }
        }
        Ok(Self { own, moved: Some(moved) })
    }
}

impl<CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>> PrecompileProvider<CTX> for Precompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: SpecId) -> bool {
        <EthPrecompiles as PrecompileProvider<CTX>>::set_spec(&mut self.own, spec)
    }

    fn run(&mut self, context: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        let Some(moved) = &self.moved else { return self.own.run(context, inputs) };
        match moved.get(&inputs.bytecode_address) {
            None => Ok(None),
            Some(precompile) if *precompile == inputs.bytecode_address => self.own.run(context, inputs),
            Some(precompile) => {
                let inputs = CallInputs { bytecode_address: *precompile, ..inputs.clone() };
                self.own.run(context, &inputs)
            }
        }
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.own.warm_addresses()
    }

    fn contains(&self, address: &Address) -> bool {
        match &self.moved {
            None => self.own.contains(address),
            Some(moved) => moved.contains_key(address),
        }
    }
}
