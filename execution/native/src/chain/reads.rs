//! Which state a read sees, and the block around it.

use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;

use super::engine::{Engine, stored_head};
use crate::codec::header::Header;
use crate::error::{Error, Result};
use crate::state::{Snapshot, View};
use crate::trie::Child;

/// A sealed block's number, or the open block as far as it has been executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Block(u64),
    Pending,
}

impl Engine {
    /// The state to read at `at`, and the block around it.
    pub fn view(&self, at: At) -> Result<(View, BlockEnv, SpecId)> {
        let spec = self.spec()?;
        self.read(|chain| {
            let number = match (at, &chain.pending) {
                (At::Pending, Some(pending)) => return Ok(pending.clone()),
                (At::Pending, None) => chain.newest.header.number,
                (At::Block(number), _) => number,
            };
            let mut view = chain.view(&self.codes);
            view.sealed.retain(|block| block.header.number <= number);
            view.at = number.min(chain.committed);
            let header = match view.sealed.last() {
                Some(block) if block.header.number == number => Some(block.header.clone()),
                _ => stored_head(&chain.snapshot, number)?.map(|head| (*head.header).clone()),
            };
            let unknown = || Error::Temporary(format!("the state of block {number} is not known"));
            let header = header.filter(|header| header.number == number).ok_or_else(unknown)?;
            let fork = spec.fork_at(header.timestamp);
            Ok((view, header.environment(fork), fork))
        })
    }

    /// The header of a sealed block.
    pub fn header(&self, number: u64) -> Result<Header> {
        self.read(|chain| {
            if let Some(block) = chain.sealed.iter().find(|block| block.header.number == number) {
                return Ok(block.header.clone());
            }
            let stored = stored_head(&chain.snapshot, number)?;
            let unknown = || Error::Temporary(format!("block {number} is not known"));
            Ok((*stored.ok_or_else(unknown)?.header).clone())
        })
    }

    /// The trie of a committed or sealed block's state and what to read its nodes from.
    pub fn trie_at(&self, number: u64) -> Result<(Child, Snapshot)> {
        let (sealed, trie, snapshot, committed) = self.read(|chain| {
            let sealed = chain.sealed.iter().find(|block| block.header.number == number);
            let sealed = sealed.map(|block| block.trie.clone());
            Ok((sealed, chain.trie.clone(), chain.snapshot.clone(), chain.committed))
        })?;
        if let Some(trie) = sealed {
            return Ok((trie, snapshot));
        }
        if number > committed {
            return Err(Error::Temporary(format!("the state of block {number} is not known")));
        }
        let trie = super::proof::trie_before(&snapshot, trie, committed, number)?.0;
        Ok((trie, snapshot))
    }
}
