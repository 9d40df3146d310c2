"""The one wrapper around text that must not be seen: API keys and callback tokens."""

from __future__ import annotations


class Secret:
    """Text that shows itself only to `reveal()`.

    `repr`, `str` and f-strings give `***`, so a log line or a traceback with locals holds no key.
    The transport reveals secrets while it encodes a request, and nothing else does.

    >>> Secret("sk-123"), f"Bearer {Secret('sk-123')}"
    (Secret('***'), 'Bearer ***')
    >>> Secret("sk-123").within("Bearer {}").reveal()
    'Bearer sk-123'
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        self._text: str = text.reveal() if isinstance(text, Secret) else text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def within(self, template: str) -> Secret:
        """Put the text where *template* has `{}`, keeping the whole secret."""
        return Secret(template.replace("{}", self._text))

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
