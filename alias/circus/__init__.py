"""Circus as cvec_circus has it: every module below `circus` is the one of that name there.

A program that imports `circus` runs on cvec_circus without a change, and so does
`python -m circus.circusd`. The modules are the same objects under two names, so a class of one name
is the class of the other.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

import cvec_circus
from cvec_circus import get_arbiter, logger

__all__ = ["ArbiterHandler", "get_arbiter", "logger"]

__version__ = "0.19.0"
version_info = (0, 19, 0)
"""The version of Circus that this stands for."""

cvec_circus.stands_for = __version__

# A program sets up the logger of this name, before or after it imports this.
logger.parent = logging.getLogger(__name__)


def __getattr__(name: str) -> Any:
    """Return any other name of the package."""
    return getattr(cvec_circus, name)


class _Renamed(MetaPathFinder, Loader):
    """Finds and loads `circus.NAME` as `cvec_circus.NAME`. Immutable, safe from any thread."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module of this package; None for any other, and for one of none."""
        if not fullname.startswith(f"{__name__}."):
            return None
        try:
            ours = importlib.util.find_spec(f"cvec_{fullname}")
        except ModuleNotFoundError:  # below a package of another distribution's
            ours = None
        if ours is None:
            return None
        is_package = ours.submodule_search_locations is not None
        return importlib.util.spec_from_loader(
            fullname, self, origin=ours.origin, is_package=is_package
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import ours, which keeps what it says of itself: its name and how it is loaded."""
        module = importlib.import_module(f"cvec_{spec.name}")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing more: it has been executed under its own name."""
        spec = module.__spec__
        if spec is not None and spec.loader is self:
            module.__spec__ = spec.loader_state

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of a module, for `python -m`."""
        loader = importlib.util.find_spec(f"cvec_{fullname}").loader  # type: ignore[union-attr]
        return loader.get_code(f"cvec_{fullname}")  # type: ignore[no-any-return, union-attr]


sys.meta_path.insert(0, _Renamed())
