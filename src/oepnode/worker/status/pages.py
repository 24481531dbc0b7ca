"""HTTP pages for a worker's operator alone: status page, status as JSON.

They are served beside metrics and health, on a listener of their own. Of a round that is not over
they show nothing that follows from its result. Public pages: `public_pages`.
"""

from __future__ import annotations

from html import escape
from typing import Final

import msgspec
from aiohttp import web

from oepnode.worker.status.view import OperatorView, RoundLine, WorkerStatus

_VIEW: Final = web.AppKey("view", OperatorView)

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>oepnode worker</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="10">
<style>
:root {{ color-scheme: light dark; --line: #8884; --soft: #888; --bad: #c33; --good: #2a7d46; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto;
  padding: 0 1rem }}
h1 {{ font-size: 1.3rem; margin: 0 0 .2rem }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0 }}
dt {{ color: var(--soft) }} dd {{ margin: 0; overflow-wrap: anywhere }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top }}
th {{ font-weight: 600; color: var(--soft) }} td.n {{ text-align: right }}
code {{ font-size: .9em }} .bad {{ color: var(--bad) }} .good {{ color: var(--good) }}
.soft {{ color: var(--soft) }}
</style></head><body>
<h1>oepnode worker</h1>
<p class="{health_class}">{health}</p>
<dl>{facts}</dl>
<table><thead><tr><th>Round</th><th>Horizon (NEM time)</th><th>State</th><th>This worker</th>
<th>Votes</th><th>Sites</th><th>Partitions</th><th>Seconds</th><th>Root</th></tr></thead>
<tbody>{rows}</tbody></table>
</body></html>
"""


def add_status_pages(app: web.Application, view: OperatorView) -> None:
    """Add the pages to the application for the worker's operator."""
    app[_VIEW] = view
    app.add_routes([web.get("/", _page), web.get("/v1/status", _status)])


async def _page(request: web.Request) -> web.Response:
    return web.Response(text=render(request.app[_VIEW].status()), content_type="text/html")


async def _status(request: web.Request) -> web.Response:
    body = msgspec.json.encode(request.app[_VIEW].status())
    return web.Response(body=body, content_type="application/json")


def render(status: WorkerStatus) -> str:
    """The status page as HTML."""
    facts = {
        "Operator": status.operator,
        "Signer": status.signer,
        "Contract": f"{status.contract} on chain {status.chain_id}",
        "Chain head": f"block {status.head_block}, {status.head_time}"
        if status.head_block is not None
        else "not read yet",
        "Version": status.version,
    }
    problems = [text for text in (status.chain_error, status.sender_error) if text]
    return _PAGE.format(
        health=escape("; ".join(problems) or "Following the chain and polling the sender."),
        health_class="bad" if problems else "good",
        facts="".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()),
        rows="".join(_row(line) for line in status.rounds)
        or '<tr><td colspan="9" class="soft">No round yet.</td></tr>',
    )


def _row(line: RoundLine) -> str:
    differs = bool(line.root and line.final_root and line.root != line.final_root)
    note = f'<br><span class="soft">{escape(line.detail)}</span>' if line.detail else ""
    mine = escape(line.mine) + note
    cells = (
        f'<td class="n">{line.round}</td>',
        f"<td>{escape(line.horizon)}</td>",
        f"<td>{escape(line.phase)}</td>",
        f'<td class="{"bad" if differs else ""}">{mine}</td>',
        f'<td class="n">{line.votes} of {line.members}</td>',
        f'<td class="n">{_number(line.sites)}</td>',
        f'<td class="n">{_number(line.partitions)}</td>',
        f'<td class="n">{"" if line.seconds is None else f"{line.seconds:.1f}"}</td>',
        f"<td><code>{escape((line.final_root or line.root)[:16])}</code></td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
