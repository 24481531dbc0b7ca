"""The node of the chain that sender and registry read says that a stranger is a worker.

Before: one forged answer to ``seatOf`` was enough. The registry gave the stranger salt and
snapshot, the sender the document, and with them go all pseudonyms of the round.

Now (`oepnode.services.common.allow_list`): sender and registry admit only operators of their own
setting, and the chain decides besides. A stranger under an operator of its own gets nothing. An
entry may fix the operator's signer as well (``OPERATOR=SIGNER``), so that no node can name another
one for it. Settings without the list are rejected at start, unless three nodes must agree.

What remains: where an entry is an address alone, a single lying node can still name a stranger as
the signer of that operator, and a service says so at start; nodes that must agree are against it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from eth_account import Account
from msgspec.structs import replace

from oepnode.adapters.clock import SystemClock
from oepnode.adapters.http.client import RequestRejected
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.serving import listening
from oepnode.config import HttpSettings, RegistrySettings, SenderSettings, load
from oepnode.domain.rounds.onchain import Electorate, Member
from oepnode.errors import ConfigError
from oepnode.services.registry import app as registry
from oepnode.services.sender import app as sender
from tests.attacks.support import target
from tests.attacks.support.under_attack import request_signer
from tests.support.fake_chain import FakeChain

STRANGER = Account.from_key(b"\x66" * 32)
ITS_OPERATOR = b"\x66" * 20
SIGNER = bytes.fromhex(STRANGER.address[2:])
HONEST = "0x" + target.OPERATOR.hex()

Fetch = Callable[[], Awaitable[None]]


class LyingNode(FakeChain):
    """Names a stranger as a worker, in every answer about members.

    Args:
        operator: Operator whose worker the stranger is said to be.
    """

    def __init__(self, operator: bytes) -> None:
        super().__init__(target.blockchain())
        self._lie = Member(0, operator, SIGNER)

    def _with_lie(self, electorate: Electorate) -> Electorate:
        others = [one for one in electorate.members if one.operator != self._lie.operator]
        return replace(electorate, members=(*others, self._lie))

    async def electorate(self, epoch: int) -> Electorate:
        return self._with_lie(await super().electorate(epoch))

    async def current_electorate(self) -> Electorate:
        return self._with_lie(await super().current_electorate())

    async def member_of_signer(self, signer: bytes) -> Member | None:
        return self._lie if signer == SIGNER else await super().member_of_signer(signer)


@asynccontextmanager
async def stranger_of(
    service: str, folder: Path, operator: bytes, operators: tuple[str, ...]
) -> AsyncIterator[Fetch]:
    """A service behind the lying node; yields what the stranger calls to get its inputs."""
    node = LyingNode(operator)
    if service == "registry":
        registry_settings = target.registry_settings(folder, operators)
        app = registry.application(registry_settings, node, SystemClock())
    else:
        sender_settings = target.sender_settings(folder, operators)
        app = sender.application(sender_settings, node, SystemClock())
    async with listening(app, HttpSettings()) as url:

        async def fetch() -> None:
            async with AsyncExitStack() as clients:
                if service == "registry":
                    salts = HttpRegistry(url, request_signer(STRANGER))
                    clients.push_async_callback(salts.close)
                    assert await salts.salt(target.ROUND, target.DIGEST) == target.SALT
                else:
                    documents = HttpSender(url, request_signer(STRANGER))
                    clients.push_async_callback(documents.close)
                    document = await documents.document(target.ROUND, target.DOCUMENT_DIGEST)
                    assert document == target.DOCUMENT

        yield fetch


@pytest.mark.parametrize("service", ["registry", "sender"])
@pytest.mark.parametrize(
    ("operator", "operators", "code"),
    [
        (ITS_OPERATOR, (HONEST,), "operator.not_listed"),
        (
            target.OPERATOR,
            (f"{HONEST}={target.WORKER.address}",),
            "operator.other_signer",
        ),
    ],
    ids=["an operator of its own", "the name of a listed operator"],
)
async def test_a_forged_member_gets_nothing(
    service: str, operator: bytes, operators: tuple[str, ...], code: str, tmp_path: Path
) -> None:
    async with stranger_of(service, tmp_path, operator, operators) as fetch:
        with pytest.raises(RequestRejected) as rejected:
            await fetch()
    assert (rejected.value.status, rejected.value.code) == (403, code)


@pytest.mark.parametrize("service", ["registry", "sender"])
async def test_without_the_list_the_attack_succeeds(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oepnode.services.common.allow_list.AllowList.check", lambda *_: None)
    async with stranger_of(service, tmp_path, ITS_OPERATOR, (HONEST,)) as fetch:
        await fetch()


@pytest.mark.parametrize("kind", [RegistrySettings, SenderSettings])
def test_settings_without_the_list_are_rejected(
    kind: type[RegistrySettings] | type[SenderSettings], tmp_path: Path
) -> None:
    path = tmp_path / "settings.toml"
    more = "" if kind is RegistrySettings else 'key_file = "key"\ntoken_file = "token"\n'
    one, three = '["http://127.0.0.1:1"]', '["https://a", "https://b", "https://c"]'
    chain = f'rpc_urls = {one}\nchain_id = 1\ncontract = "0x{"c0" * 20}"\n'
    path.write_text(f'data_dir = "data"\n{more}[chain]\n{chain}')
    with pytest.raises(ConfigError, match="setting operators is missing; list the addresses"):
        load(kind, path)
    path.write_text(f'data_dir = "data"\n{more}[chain]\n{chain.replace(one, three)}')
    assert load(kind, path).operators == ()
    path.write_text(f'data_dir = "data"\noperators = ["{HONEST}"]\n{more}[chain]\n{chain}')
    assert load(kind, path).operators == (HONEST,)
    path.write_text(f'data_dir = "data"\noperators = ["0x71"]\n{more}[chain]\n{chain}')
    with pytest.raises(ConfigError, match=r"setting operators\.0"):
        load(kind, path)


@pytest.mark.parametrize("kind", [RegistrySettings, SenderSettings])
def test_no_second_entry_takes_the_signer_away(
    kind: type[RegistrySettings] | type[SenderSettings], tmp_path: Path
) -> None:
    path = tmp_path / "settings.toml"
    more = "" if kind is RegistrySettings else 'key_file = "key"\ntoken_file = "token"\n'
    chain = f'[chain]\nrpc_urls = ["http://127.0.0.1:1"]\nchain_id = 1\ncontract = "{HONEST}"\n'
    entries = f'"{HONEST}={target.WORKER.address}", "{HONEST.upper().replace("X", "x")}"'
    path.write_text(f'data_dir = "data"\noperators = [{entries}]\n{more}{chain}')
    with pytest.raises(ConfigError, match=f"operator {HONEST} is listed twice"):
        load(kind, path)
