"""Asks several nodes the same, and believes what enough of them say.

Guarantees: a value is returned only if ``agree`` nodes gave it, which is more than half of them, so
that no other value can have as many; a node that answers otherwise or not at all changes nothing,
is not waited for, and is named (`Disagreements`). Leaves out what is asked (``quorum``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from oepnode.adapters.chain.disagreements import Disagreements
from oepnode.adapters.chain.node import Node, Reverted, SendingRejected
from oepnode.errors import TransportError

T = TypeVar("T")
Operation: TypeAlias = Callable[[Node], Awaitable[T]]

_UNANSWERED: Final = 8
"""Requests that a node may owe an answer to before it is asked no more until it gives one."""
_MALFORMED: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Answer:
    """One node's answer: a value, a rejection by the contract or the node, or the lack of one."""

    node: Node
    value: Any = None
    rejection: Reverted | SendingRejected | None = None
    failure: str = ""

    def equals(self, other: Answer) -> bool:
        """Whether both say the same."""
        if self.rejection is not None or other.rejection is not None:
            return self.rejection == other.rejection
        return bool(self.value == other.value)


class Agreement:
    """Several nodes, and the number of them that must give the same answer."""

    def __init__(
        self, nodes: Sequence[Node], agree: int, timeout_s: float, disagreements: Disagreements
    ) -> None:
        self.nodes = tuple(nodes)
        self.agree = agree
        self.disagreements = disagreements
        self._timeout_s = timeout_s
        self._owed: dict[str, int] = {node.name: 0 for node in nodes}
        self._late: set[asyncio.Task[Any]] = set()

    async def ask(self, what: str, operation: Operation[T]) -> T:
        """The value that enough nodes give.

        Args:
            what: The question, for metrics, log and message.
            operation: Asks one node.

        Raises:
            Reverted: If enough nodes say that the contract rejects it.
            TransportError: If no answer has enough nodes; it says which node said what.
        """
        asked = self._ask_all(operation)
        answers = await self._collect(asked, lambda so_far: self._majority(so_far) is not None)
        agreed = self._majority(answers)
        if agreed is None:
            raise TransportError(f"{what}: {self._said(answers)}")
        self._name(what, agreed, answers)
        self.later(self._name_late(what, agreed, [t for t in asked if not t.done()]))
        if agreed.rejection is not None:
            raise agreed.rejection
        value: T = agreed.value
        return value

    async def ask_any(self, what: str, operation: Operation[T]) -> T:
        """The first value that a node gives, for values that prove themselves.

        Args:
            what: The question, for the message.
            operation: Asks one node, and rejects a value that is not the one requested.

        Raises:
            TransportError: If no node gives it; it says which node said what.
        """
        answers = await self._collect(
            self._ask_all(operation), lambda so_far: any(map(_is_accepted, so_far))
        )
        for answer in answers:
            if answer.failure:
                self.disagreements.fails(answer.node.name, what, answer.failure)
        accepted = next(filter(_is_accepted, answers), None)
        if accepted is None:
            raise TransportError(f"{what}: {self._said(answers)}")
        value: T = accepted.value
        return value

    async def ask_each(
        self,
        operation: Operation[T],
        grace_s: float,
        is_clear: Callable[[Sequence[Answer]], bool] = lambda _: True,
    ) -> list[Answer]:
        """Each node's own answer: of all that answer within ``grace_s`` after enough have.

        Args:
            operation: Asks one node.
            grace_s: Time for those that have not answered.
            is_clear: Whether usable answers are near enough to each other to decide without the
                rest. While they are not, the rest is waited for as long as any question, so that
                a quick liar decides nothing beside a slow honest node.
        """
        asked = self._ask_all(operation)

        def is_enough(so_far: Sequence[Answer]) -> bool:
            usable = [answer for answer in so_far if not answer.failure]
            return len(usable) >= self.agree and is_clear(usable)

        return await self._collect(asked, is_enough, grace_s)

    async def tell(self, what: str, operation: Operation[None]) -> None:
        """Hand something to all nodes; returns once one of them has it.

        Raises:
            SendingRejected: If all that answer reject it, and enough of them for one reason.
            TransportError: If no node has it.
        """
        answers = await self._collect(
            self._ask_all(operation), lambda so_far: any(map(_is_accepted, so_far))
        )
        if any(map(_is_accepted, answers)):
            return
        agreed = self._majority(answers)
        if agreed is not None and agreed.rejection is not None:
            raise agreed.rejection
        raise TransportError(f"{what}: {self._said(answers)}")

    def later(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        """Do something besides, until it ends or the connection is closed."""
        self._keep([asyncio.ensure_future(work)])

    async def close(self) -> None:
        """End what is still being asked, and close the connections."""
        late = list(self._late)
        _cancel(late)
        await asyncio.gather(*late, return_exceptions=True)
        for node in self.nodes:
            await node.close()

    # --- asking ----------------------------------------------------------------------------------

    def _ask_all(self, operation: Operation[Any]) -> list[asyncio.Task[Answer]]:
        return [asyncio.create_task(self._ask_one(node, operation)) for node in self.nodes]

    async def _ask_one(self, node: Node, operation: Operation[Any]) -> Answer:
        if self._owed[node.name] >= _UNANSWERED and len(self.nodes) > self.agree:
            return Answer(node, failure="owes earlier answers")
        self._owed[node.name] += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                return Answer(node, await operation(node))
        except (Reverted, SendingRejected) as exc:
            return Answer(node, rejection=exc)
        except TransportError as exc:
            return Answer(node, failure=str(exc))
        except TimeoutError:
            return Answer(node, failure="no response in time")
        except _MALFORMED:
            return Answer(node, failure="malformed answer")
        finally:
            self._owed[node.name] -= 1

    async def _collect(
        self,
        asked: Sequence[asyncio.Task[Answer]],
        is_enough: Callable[[Sequence[Answer]], bool],
        grace_s: float = 0,
    ) -> list[Answer]:
        """The answers until there are enough, and those of the time after; the rest goes on."""
        loop = asyncio.get_running_loop()
        answers: list[Answer] = []
        pending, end = set(asked), None
        try:
            while pending:
                left = None if end is None else max(0.0, end - loop.time())
                done, pending = await asyncio.wait(
                    pending, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                answers += [task.result() for task in asked if task in done]
                if end is None and is_enough(answers):
                    end = loop.time() + grace_s
                if end is not None and loop.time() >= end:
                    break
        except asyncio.CancelledError:
            _cancel(asked)
            raise
        self._keep(pending)
        return answers

    def _keep(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        for task in tasks:
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    # --- comparing -------------------------------------------------------------------------------

    def _majority(self, answers: Sequence[Answer]) -> Answer | None:
        usable = [answer for answer in answers if not answer.failure]
        for answer in usable:
            if sum(answer.equals(other) for other in usable) >= self.agree:
                return answer
        return None

    def _name(self, what: str, agreed: Answer, answers: Iterable[Answer]) -> None:
        for answer in answers:
            if answer.failure:
                self.disagreements.fails(answer.node.name, what, answer.failure)
            elif not answer.equals(agreed):
                self.disagreements.differs(answer.node.name, what)

    async def _name_late(
        self, what: str, agreed: Answer, pending: Sequence[asyncio.Task[Answer]]
    ) -> None:
        for task in asyncio.as_completed(pending):
            self._name(what, agreed, [await task])

    def _said(self, answers: Sequence[Answer]) -> str:
        """Lists the nodes by answer, as letters instead of text: equal answers share a letter."""
        if len(self.nodes) == 1:
            return f"node {answers[0].node.name}: {answers[0].failure}"
        kinds: list[Answer] = []
        said = []
        for answer in sorted(answers, key=lambda one: self.nodes.index(one.node)):
            if answer.failure:
                said.append(f"{answer.node.name} {answer.failure}")
                continue
            kind = next((i for i, one in enumerate(kinds) if one.equals(answer)), len(kinds))
            if kind == len(kinds):
                kinds.append(answer)
            said.append(f"{answer.node.name} answer {chr(ord('A') + kind % 26)}")
        fix = "; find out which node is wrong, and replace it" if len(kinds) > 1 else ""
        return f"{self.agree} nodes must agree: {'; '.join(said)}{fix}"


def _is_accepted(answer: Answer) -> bool:
    return not answer.failure and answer.rejection is None


def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
