"""The consensus contract as a pure model: its state, rules, errors, events and views.

Guarantees: for every call, sender and time the model comes to the same state as the contract, or
reverts with the same error and arguments, and emits the same events of rounds; a test drives both
in lockstep and compares them after every step. Leaves out gas and proofs of inclusion
(`oepnode.domain.rounds.merkle`).

A step takes a state and returns another one; a state never changes. ``electorate`` holds
``Electorate.sol``, ``rounds`` the rest of ``OepConsensus.sol``; counting is
`oepnode.domain.rounds.tally`.
"""
