"""Functions, classes and constants of Circus' `util`, for programs."""

import logging
import os

from cvec_circus.client.endpoints import (
    DEFAULT_ENDPOINT_DEALER,
    DEFAULT_ENDPOINT_STATS,
    DEFAULT_ENDPOINT_SUB,
)
from cvec_circus.compat.connection import get_connection
from cvec_circus.compat.objects import (
    DictDiffer,
    ImportStringError,
    ObjectDict,
    check_future_exception_and_log,
    close_on_exec,
    debuglog,
    dict_differ,
    get_info,
    get_python_version,
    load_virtualenv,
    resolve_name,
)
from cvec_circus.compat.paths import finder, others
from cvec_circus.compat.values import (
    bytes2human,
    convert_opt,
    env_to_str,
    get_default_gid,
    get_username_from_uid,
    get_working_dir,
    parse_env_dict,
    parse_env_str,
    replace_env,
    replace_gnu_args,
    to_bool,
    to_bytes,
    to_gid,
    to_str,
    to_uid,
)
from cvec_circus.logs.log import FORMAT as LOG_FMT
from cvec_circus.logs.log import configure_logger
from cvec_circus.options.kinds import human2bytes
from cvec_circus.system.signals import to_signum

__all__ = [
    "DEFAULT_ENDPOINT_DEALER",
    "DEFAULT_ENDPOINT_MULTICAST",
    "DEFAULT_ENDPOINT_STATS",
    "DEFAULT_ENDPOINT_SUB",
    "FALSY_STRINGS",
    "IS_WINDOWS",
    "LOG_DATE_FMT",
    "LOG_DATE_SYSLOG_FMT",
    "LOG_FMT",
    "LOG_LEVELS",
    "MAXFD",
    "REDIRECT_TO",
    "TRUTHY_STRINGS",
    "DictDiffer",
    "ImportStringError",
    "ObjectDict",
    "bytes2human",
    "check_future_exception_and_log",
    "close_on_exec",
    "configure_logger",
    "convert_opt",
    "debuglog",
    "dict_differ",
    "env_to_str",
    "get_connection",
    "get_default_gid",
    "get_info",
    "get_python_version",
    "get_username_from_uid",
    "get_working_dir",
    "human2bytes",
    "load_virtualenv",
    "parse_env_dict",
    "parse_env_str",
    "replace_env",
    "replace_gnu_args",
    "resolve_name",
    "to_bool",
    "to_bytes",
    "to_gid",
    "to_signum",
    "to_str",
    "to_uid",
]
__all__ += others(__name__)

DEFAULT_ENDPOINT_MULTICAST = "udp://237.219.251.97:12027"
"""Nobody listens there: there is no discovery."""

IS_WINDOWS = False
MAXFD = 1024
REDIRECT_TO = os.devnull
TRUTHY_STRINGS = ("yes", "true", "on", "1")
FALSY_STRINGS = ("no", "false", "off", "0")

LOG_LEVELS = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}
LOG_DATE_FMT = "%Y-%m-%d %H:%M:%S"
LOG_DATE_SYSLOG_FMT = "%b %d %H:%M:%S"

__getattr__ = finder(__name__)
