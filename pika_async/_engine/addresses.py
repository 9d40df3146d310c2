"""The callback address of each attempt, and the attempt that an echoed address names. Pure."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from pika_async._engine.ids import job_of
from pika_async._ledger.records import Receiver
from pika_async._secret import Secret
from pika_async.callbacks import token as callback_token
from pika_async.errors import UnsupportedRequest
from pika_async.provider import Capabilities


@frozen(kw_only=True)
class Addresses:
    """Makes addresses with the first of *secrets* and reads those of all.

    *receiver* is the client's own address, if it has one; *mounted* makes that of its receiver.
    """

    secrets: tuple[bytes, ...]
    receiver: Receiver = None
    mounted: Callable[[str], Secret] | None = None

    def token(self, attempt_id: str) -> str:
        """Make the callback token of an attempt."""
        return callback_token.make_token(self.secrets[0], attempt_id)

    def make(
        self, attempt_id: str, wish: Receiver, provider: str, capabilities: Capabilities
    ) -> Secret | None:
        """Make the address of an attempt; *wish* is the order's own receiver.

        Raises `UnsupportedRequest` when a provider that needs an address must not get one.
        """
        if not capabilities.takes_address:
            return None
        match self.receiver if wish is None else wish:
            case False:
                if capabilities.callbacks == "required":
                    raise UnsupportedRequest(
                        f"{provider} requires a callback address; leave callback_url out.", provider=provider
                    )
                return None
            case str(receiver):
                return callback_token.address(self.token(attempt_id), receiver)
            case _ if self.mounted is not None:
                return self.mounted(self.token(attempt_id))
            case _ if capabilities.callbacks == "optional" and not capabilities.echoes_token:
                # Where nobody listens, an address only serves to be found again in a look-up.
                return None
            case _:
                return callback_token.address(self.token(attempt_id), None)

    def attempt_in(self, echoed: Secret | None) -> str | None:
        """Return the attempt whose token an echoed address bears; None for no address, or a foreign one."""
        return self.named(echoed) or None

    def named(self, echoed: Secret | None) -> str | None:
        """Return the attempt that an echoed address names, "" for another one, None where it says nothing.

        A provider that keeps no path of the address echoes the host alone: that is no other address.
        """
        token = callback_token.token_in(echoed.reveal()) if echoed is not None else None
        return None if token is None else callback_token.read_token(self.secrets, token) or ""

    def names_another(self, echoed: Secret | None, job_id: str) -> bool:
        """Return whether an echoed address bears the token of another job, or none of ours.

        Who signed it is not asked: the job may have been ordered with another ledger, and so its secret.
        """
        token = callback_token.token_in(echoed.reveal()) if echoed is not None else None
        return token is not None and job_of(token.rpartition(".")[0]) != job_id

    def expects_push(self, wish: Receiver, capabilities: Capabilities) -> bool:
        """Return whether the provider will call the receiver of this client."""
        return self.mounted is not None and wish is None and capabilities.takes_address
