"""The consensus contract as a pure model: its state, its rules, its rejections and its views.

Guarantees: for every call, sender and time the model comes to the same state as the contract, or
rejects with the same error and arguments; a test drives both in lockstep and compares every view
after every step. Leaves out gas, events and proofs of inclusion (`oepnode.domain.rounds.merkle`).

A step takes a state and returns another one; a state never changes. ``electorate`` holds
``Electorate.sol``, ``rounds`` the rest of ``OepConsensus.sol``; counting is
`oepnode.domain.rounds.tally`.
"""
