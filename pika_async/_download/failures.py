"""Why a link gave no bytes: refused for good, or broken off for now. Texts hold no link and no password."""

from __future__ import annotations

import os
import ssl

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ConnectionTimeoutError,
)


class LinkRefusedError(Exception):
    """We will not read this link; the text says why and what to do."""


class BrokenOffError(Exception):
    """The host could not be reached, stopped responding or broke off; *retry_after* is in seconds."""

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class TooSlowError(BrokenOffError):
    """The host sent, and sent too little; the bytes it did send are no reason for more patience."""


def unreached(broken: Exception, host: str, proxy: str | None) -> LinkRefusedError | BrokenOffError:
    """Tell why no answer of *host* came; *proxy* names the one that was gone through.

    What only a person can mend is refused, so that nobody waits for it.
    """
    through = "" if proxy is None else f" through the proxy {proxy}"
    match broken:
        case ClientHttpProxyError(status=407):
            return proxy_wants_password(proxy)
        case ClientHttpProxyError(status=status) if status < 500 and status not in {408, 429}:
            return LinkRefusedError(
                f"the proxy {proxy} refused to connect to {host} ({status}); ask who runs it, or except that "
                "host with NO_PROXY"
            )
        case ClientHttpProxyError(status=status):
            return BrokenOffError(f"the proxy {proxy} answered {status}")
        case ClientProxyConnectionError():
            return BrokenOffError(f"the proxy {proxy} could not be reached")
        case ClientConnectorCertificateError(certificate_error=cause):
            why = getattr(cause, "verify_message", "") or type(cause).__name__
            return LinkRefusedError(
                f"the certificate of {host} is not valid{through} ({why}); check this machine's clock and "
                "certificates (SSL_CERT_FILE), or ask the provider"
            )
        case ClientConnectorDNSError():
            return BrokenOffError("the name of the host was not found")
        case ClientConnectorError(os_error=ssl.SSLError() as cause) if not _ended(cause):
            why = cause.reason or type(cause).__name__
            return LinkRefusedError(
                f"no TLS connection to {host} could be made{through} ({why}); ask the provider"
            )
        case ClientConnectorError(os_error=OSError(errno=int(number))):
            return BrokenOffError(f"the host could not be reached{through} ({os.strerror(number)})")
        case ClientConnectorError() | ConnectionTimeoutError():
            return BrokenOffError(f"the host could not be reached{through}")
        case TimeoutError():
            return BrokenOffError(f"the host sent nothing for too long{through}")
        case _:
            return BrokenOffError(f"the connection broke off{through}")


def proxy_wants_password(proxy: str | None) -> LinkRefusedError:
    """Say that *proxy* lets nobody through without a password, or not with this one."""
    return LinkRefusedError(
        f"the proxy {proxy} wants a user name and password (407); write them as http://user:password@host:port"
    )


def broken_off(broken: Exception) -> BrokenOffError:
    """Tell why the body of an answer ended early."""
    silent = isinstance(broken, TimeoutError)
    return BrokenOffError("the host sent nothing for too long" if silent else "the connection broke off")


def _ended(cause: ssl.SSLError) -> bool:
    return isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
