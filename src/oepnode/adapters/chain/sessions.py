"""HTTP sessions of a node's connection, without a lock that a cancelled request can leave locked.

web3's manager takes a thread's lock for each request, in a thread of a pool. A request that is
cancelled while that thread waits never releases the lock, and every later one waits for it without
a deadline. A connection here is of one event loop, and nothing is awaited between looking for its
session and making it: there is nothing to lock.
"""

from __future__ import annotations

from aiohttp import ClientSession, ClientTimeout, TCPConnector
from eth_typing import URI
from web3._utils.http_session_manager import HTTPSessionManager


class SessionManager(HTTPSessionManager):
    """web3's manager of sessions, for connections of one event loop."""

    async def async_cache_and_return_session(
        self,
        endpoint_uri: URI,
        session: ClientSession | None = None,
        request_timeout: ClientTimeout | None = None,
    ) -> ClientSession:
        """Return the open session of an endpoint, or open one."""
        key = str(endpoint_uri)
        known: ClientSession | None = self.session_cache.get_cache_entry(key)
        if known is None or known.closed:
            known = session or ClientSession(
                raise_for_status=True,
                connector=TCPConnector(force_close=True, enable_cleanup_closed=True),
            )
            self.session_cache.cache(key, known)
        return known
