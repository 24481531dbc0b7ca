"""The consensus contract through web3."""
