"""`cvec_circusd --doctor`: what this machine allows a daemon, told without one."""

from __future__ import annotations

import json
import sys

from cvec_circus.commands.doctor import checks_table
from cvec_circus.ctl.output import lay_out, page_of, say
from cvec_circus.exc import EXIT_OK
from cvec_circus.system import doctor


def report(as_json: bool) -> int:
    """Print every check, for people or as the field `checks` of an answer to `doctor`.

    Returns:
        The exit code: 0, whatever is lacking.

    Raises:
        OutputError: The standard output cannot be written.
    """
    checks = [check.row for check in doctor.examine()]
    if as_json:
        text = json.dumps({"checks": checks})
    else:
        text = lay_out(checks_table(checks), page_of(sys.stdout))
    say(text)
    return EXIT_OK
