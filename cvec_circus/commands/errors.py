"""The error numbers of replies, at their path in Circus."""

from cvec_circus.compat.messages import BAD_MSG_DATA_ERROR, NOT_SPECIFIED
from cvec_circus.wire.messages import BAD_MESSAGE as MESSAGE_ERROR
from cvec_circus.wire.messages import COMMAND_FAILED as COMMAND_ERROR
from cvec_circus.wire.messages import INVALID_JSON, OS_ERROR, UNKNOWN_COMMAND

__all__ = [
    "BAD_MSG_DATA_ERROR",
    "COMMAND_ERROR",
    "INVALID_JSON",
    "MESSAGE_ERROR",
    "NOT_SPECIFIED",
    "OS_ERROR",
    "UNKNOWN_COMMAND",
]
