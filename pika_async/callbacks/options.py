"""The options of callbacks: the address that providers use, and the secrets that sign it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, SupportsIndex

from attrs import Attribute, field, frozen
from attrs.converters import optional

from pika_async import _arguments as check
from pika_async._crossing import Value
from pika_async._links import fault
from pika_async._secret import Secret
from pika_async.errors import ConfigError

_SHORTEST = 16


def _stripped(url: str) -> str:
    if not isinstance(url, str):
        raise check.refuse("public_url", "an http(s) address", url)
    return url.rstrip("/")


def _check_url(_: object, __: Attribute[Any], url: str) -> None:
    if fault(url) or not url.isascii() or set("?#") & set(url):
        raise ConfigError(
            "public_url must be an http(s) address without password, query or fragment, such as "
            '"https://app.example.com/pika"; correct it.'
        )


def _wrapped(secret: str | bytes | Secret) -> Secret:
    # Every byte becomes one character, so that text and bytes can be kept, and measured, alike.
    match secret:
        case Secret():
            return secret
        case str():
            return Secret(secret.encode("utf-8", "surrogatepass").decode("latin-1"))
        case bytes():
            return Secret(secret.decode("latin-1"))
    raise check.refuse("secret and old_secrets", "text or bytes", secret)


def _all_wrapped(secrets: str | bytes | Iterable[str | bytes | Secret]) -> tuple[Secret, ...]:
    if isinstance(secrets, str | bytes | Secret):
        return (_wrapped(secrets),)
    if isinstance(secrets, Mapping) or not isinstance(secrets, Iterable):
        raise check.refuse("old_secrets", "a list of secrets", secrets)
    return tuple(map(_wrapped, secrets))


def _check_secrets(_: object, attribute: Attribute[Any], secrets: Secret | tuple[Secret, ...] | None) -> None:
    for secret in (secrets,) if isinstance(secrets, Secret) else secrets or ():
        if len(secret.reveal()) < _SHORTEST:
            raise ConfigError(
                f"A callback secret in {attribute.name} has fewer than {_SHORTEST} bytes; make a long random "
                "one, for instance with secrets.token_urlsafe()."
            )


def _check_size(_: object, attribute: Attribute[Any], value: object) -> None:
    check.count(attribute.name, value)


def _check_seconds(_: object, attribute: Attribute[Any], value: object) -> None:
    check.number(attribute.name, value, above=0)


@frozen(kw_only=True)
class Callbacks(Value):
    """Ask for callbacks to *public_url*, the address under which providers reach your receiver.

    *secret*, text or bytes, signs the addresses; every process that submits or receives needs the same.
    Without *secret*, the ledger's own is used, which is made once and kept there. *old_secrets* still verify.
    A body may have *max_body* bytes and take *body_timeout* seconds to arrive.

    >>> Callbacks(public_url="https://app.example.com/pika/", secret="sixteen bytes or more")
    Callbacks(public_url='https://app.example.com/pika', secret=Secret('***'), old_secrets=(), \
max_body=1048576, body_timeout=10.0)
    """

    public_url: str = field(converter=_stripped, validator=_check_url)
    secret: Secret | None = field(default=None, converter=optional(_wrapped), validator=_check_secrets)
    old_secrets: tuple[Secret, ...] = field(default=(), converter=_all_wrapped, validator=_check_secrets)
    max_body: int = field(default=1024 * 1024, validator=_check_size)
    body_timeout: float = field(default=10.0, validator=_check_seconds)

    def address(self, token: str) -> Secret:
        """Return the address to which the provider sends the callbacks of one attempt."""
        return Secret(f"{self.public_url}/{token}")

    def keys(self, ledger_secret: bytes) -> tuple[bytes, ...]:
        """Return all keys that verify tokens; the first one signs new tokens.

        The ledger's own secret is always among them: it signed everything that was sent before *secret*
        was set.
        """
        old = (secret.reveal().encode("latin-1") for secret in self.old_secrets)
        first = ledger_secret if self.secret is None else self.secret.reveal().encode("latin-1")
        return tuple(dict.fromkeys((first, *old, ledger_secret)))

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if self.secret is not None or self.old_secrets:
            raise TypeError(
                "Callbacks with a secret cannot be pickled or copied; call Callbacks(public_url=..., "
                "secret=...) in the other process, with the secret from its environment."
            )
        return super().__reduce_ex__(protocol)
