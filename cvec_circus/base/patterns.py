"""Regular expressions that are compiled when they are first used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr

if TYPE_CHECKING:

    def regex(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
        """Return a regular expression."""
        ...

else:

    class regex:  # noqa: N801  # stands for a function
        """A regular expression that is compiled at its first use: a program that starts needs few.

        Immutable, but for what it remembers.
        """

        def __init__(self, text: AnyStr, flags: int = 0) -> None:
            self.pattern, self._flags = text, flags

        def __getattr__(self, name: str) -> Any:
            found = getattr(re.compile(self.pattern, self._flags), name)
            setattr(self, name, found)
            return found


MODULE = r"[\w-]+(?:\.[\w-]+)*"
"""The dotted name of a module. A part may have a dash or begin with a digit, which no `import`
statement takes."""

DOTTED = regex(rf"{MODULE}\.[^\W\d]\w*")
"""The dotted name of something in a module."""
