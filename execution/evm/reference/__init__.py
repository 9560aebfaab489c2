"""The reference engine: Ethereum's rules as py-evm runs them, over a trie of our own, in processes of their own."""
