"""Logs of the long-running programs: one event per line on standard error.

Guarantees: no NMI, salt or key enters an event. Events are key=value text for people, or JSON with
``OEPNODE_LOG=json``. An event is a snake_case name with these keys, where they apply: ``round``,
``operator``, ``digest``, ``input``, ``reason``; for an exception ``error`` (its type) and
``location`` (file and line in this package).

- worker, rounds: ``round_opened``, ``round_requested``, ``round_request_skipped``,
  ``round_ended``, ``chain_follow_failed``, ``chain_reorganised``, ``sender_poll_failed``,
  ``foreign_ballot_detected``
- worker, computation: ``fetch_retried``, ``computation_progress``, ``computation_failed``,
  ``inputs_failed``, ``archiving_failed``
- worker, effects: ``effect_retried``, ``ballot_handed_in``, ``relay_bypassed``, ``ballot_cast``,
  ``abstained``, ``root_revealed``, ``failed_round_closed``, ``bundles_published``,
  ``partition_skipped``
- every service: ``request_rejected``, ``request_failed``, ``chain_unavailable``,
  ``malformed_http``
- sender's gateway and NMI registry: ``document_stored``, ``request_granted``
- relay: ``ballot_held``, ``second_ballot_rejected``, ``ballots_cast``, ``batch_failed``,
  ``batch_postponed``, ``round_released``
- every program: ``secret_file_group_readable``
"""

from __future__ import annotations

import logging
import os
import sys

import structlog


def configure() -> None:
    """Set up structlog and the standard library's logging for this process."""
    is_json = os.environ.get("OEPNODE_LOG") == "json"
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
