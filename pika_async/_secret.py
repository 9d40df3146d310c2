"""The one wrapper around text that must not be seen: API keys and callback tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NoReturn
from urllib.parse import quote

from pika_async._plain import plain

HIDDEN = "***"
# `<job>-<number>-<nonce>.<MAC>`, wherever an address has it; the look-behind keeps the search linear.
_CALLBACK_TOKEN = re.compile(r"(?<![0-9a-z])[0-9a-z]{1,40}-[0-9]{1,6}-[0-9a-z]{1,40}\.[\w-]{22}(?![\w-])")
_DEEPEST = 20
_SHORTEST = 4


class Secret:
    """Text that shows itself only to `reveal()`.

    `repr`, `str` and f-strings show `***`, so a log line or a traceback with locals holds no key.
    The transport reveals secrets while it encodes a request, and nothing else does.

    >>> Secret("sk-123"), f"Bearer {Secret('sk-123')}"
    (Secret('***'), 'Bearer ***')
    >>> Secret("sk-123").within("Bearer {}").reveal()
    'Bearer sk-123'
    """

    __slots__ = ("_forms", "_text")

    def __init__(self, text: str | Secret) -> None:
        if not isinstance(text, str | Secret | None):
            raise TypeError(f"text must be text or a Secret, not a value of type {type(text).__name__}.")
        self._text: str = text.reveal() if isinstance(text, Secret) else text or ""
        self._forms: tuple[str, ...] | None = None

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def within(self, template: str) -> Secret:
        """Put the text where *template* has `{}`, keeping the whole secret."""
        return Secret(template.replace("{}", self._text))

    def hidden_in(self, text: str) -> str:
        """Return *text* with `***` in the place of this secret, also where it is percent-encoded.

        A secret of fewer than four characters is not looked for: that would make words unreadable.
        """
        if self._forms is None:
            whole = self._text if len(self._text) >= _SHORTEST else ""
            self._forms = tuple(form for form in dict.fromkeys((whole, quote(whole, safe=""))) if form)
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Secret cannot be pickled, nor can what holds one; make it in the other process with "
            "Secret(text), where the text comes from its environment."
        )

    # Inside its process a copy is harmless, and an unchangeable value is its own copy.
    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: object) -> Secret:
        return self

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)


@plain.register
def _plain_secret(_: Secret) -> str:
    return HIDDEN


def conceal_text(text: str, secrets: Iterable[Secret]) -> str:
    """Return *text* with `***` in the place of *secrets*, and of the callback tokens of attempts.

    >>> conceal_text("no account for sk-123", [Secret("sk-123")])
    'no account for ***'
    """
    for secret in secrets:
        text = secret.hidden_in(text)
    return _CALLBACK_TOKEN.sub(HIDDEN, text) if "-" in text and "." in text else text


def conceal(value: Any, secrets: Iterable[Secret], names: frozenset[str] = frozenset()) -> Any:
    """Copy foreign JSON without the members called *names*, and with *secrets* concealed in every text.

    What lies deeper than 20 levels becomes None.

    >>> conceal({"ip": "192.0.2.1", "log": ["key k-12345678"]}, [Secret("k-12345678")], frozenset({"ip"}))
    {'log': ['key ***']}
    """
    return _concealed(value, tuple(secrets), names, _DEEPEST)


def _concealed(value: Any, secrets: tuple[Secret, ...], names: frozenset[str], depth: int) -> Any:
    match value:
        case str():
            return conceal_text(value, secrets)
        case dict() if depth:
            return {
                conceal_text(name, secrets): _concealed(inner, secrets, names, depth - 1)
                for name, inner in value.items()
                if name not in names
            }
        case list() | tuple() if depth:
            return [_concealed(inner, secrets, names, depth - 1) for inner in value]
        case dict() | list() | tuple():
            return None
    return value


_QUOTES = "\"'`\u2018-\u201f\u00ab\u00bb"
_FAULTS: Final = (
    (
        r"(?i)(authorization:?\s*)?(bearer|basic|token)[\s:]",
        "begins with a word like Bearer; leave it out",
    ),
    (r"(?i)(bearer|basic)$", "is only the word that goes before a key; set the key itself"),
    (rf"[{_QUOTES}].*|.*[{_QUOTES}]$", "is in quotation marks; remove them"),
    (r"(export\s+|set\s+)?[A-Za-z_]\w*\s*=\s*[^=\s]", "is a whole assignment; keep what follows the ="),
    (r"\$\w|.*(\$[{(]|\{\{|\}\})|%\w+%$|<.*>$|\[.*\]$|\{.*\}$", "is a placeholder that nothing has replaced"),
    (r"(?i).*your[-_ ].*(key|token)", "is a placeholder that nothing has replaced"),
    (r"(?i)(your|insert|enter|replace|paste|put)([\W_]|$)", "is a placeholder that nothing has replaced"),
    (r"(?i)(none|null|nil|undefined|todo|tbd|xxx+|change[-_]?me|api[-_]?key)$", "is a placeholder"),
    (r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_(KEY|TOKEN)$", "is the name of a variable; set its value"),
    (r".*(\*\*\*|\.\.\.|\u2026|\u2022\u2022)", "is shortened, as consoles show it; copy the whole one"),
    (r"(?i)https?://", "is an address; set the key itself"),
)


def key_fault(key: Secret) -> str | None:
    """Say what is wrong with an API key as it was given, quoting nothing of it; None for one to try.

    >>> key_fault(Secret("Bearer sk-123"))
    'begins with a word like Bearer; leave it out'
    """
    text = key.reveal()
    for pattern, fault in _FAULTS:
        if re.match(pattern, text, re.DOTALL):
            return fault
    if re.fullmatch(r"[!-~]+", text) is None:
        return "holds what no key has; check the API key for line breaks, spaces and letters outside ASCII"
    return None
