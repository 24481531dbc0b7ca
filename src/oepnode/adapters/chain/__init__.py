"""The consensus contract over JSON-RPC, with web3."""
