"""Prints every switch, key and property of the installed Circus as JSON: python published.py

It is a program of its own, because it imports Circus. It looks at what is there: the parsers of the
command lines, the keys that the reader of configurations asks for or compares with, the signatures
of the classes that take them, and the properties that each command looks at. Names of groups and
rows are those of `switches.py`.
"""

import argparse
import ast
import inspect
import json
import sys
import textwrap

import circus.arbiter
import circus.circusctl
import circus.circusd
import circus.config
import circus.plugins
import circus.plugins.command_reloader
import circus.plugins.flapping
import circus.plugins.http_observer
import circus.plugins.redis_observer
import circus.plugins.resource_watcher
import circus.plugins.statsd
import circus.plugins.watchdog
import circus.sockets
import circus.stats
import circus.stats.client
import circus.stream
import circus.watcher
from circus.commands import get_commands

PLUGINS = (
    circus.plugins.command_reloader.CommandReloader,
    circus.plugins.flapping.Flapping,
    circus.plugins.http_observer.HttpObserver,
    circus.plugins.redis_observer.RedisObserver,
    circus.plugins.resource_watcher.ResourceWatcher,
    circus.plugins.statsd.BaseObserver,
    circus.plugins.statsd.StatsdEmitter,
    circus.plugins.watchdog.WatchDog,
)

NOT_FROM_OUTSIDE = {"self", "name", "loop", "prereload_fn", "options", "kwargs", "context"}


class Parser(Exception):  # noqa: N818 - it is what was looked for
    """The parser that a program has made."""


def tree(thing):
    """Parse the source of a function or class."""
    return ast.parse(textwrap.dedent(inspect.getsource(thing)))


def texts(node):
    """Yield the string constants in a piece of source."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def called(node):
    """Return the last word of what is called: "get" for self.options.get(...)."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def parser_of(main):
    """Return the argparse parser that a program's main function makes."""

    def stop(self, *args, **kwargs):
        raise Parser(self)

    original = argparse.ArgumentParser.parse_args
    argparse.ArgumentParser.parse_args = stop
    try:
        main()
    except Parser as found:
        return found.args[0]
    finally:
        argparse.ArgumentParser.parse_args = original
    raise AssertionError("no parser")


def arguments(parser):
    """Yield the switches and arguments of a parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        if action.option_strings:
            yield max(action.option_strings, key=len)
        else:
            yield action.dest


def signature(thing):
    """Yield what a class is made of."""
    for name in inspect.signature(thing.__init__).parameters:
        if name not in NOT_FROM_OUTSIDE:
            yield name


def circus_section():
    """Yield the keys of [circus]: those that the reader asks for."""
    for function in (circus.config.get_config, circus.config.read_config):
        for node in ast.walk(tree(function)):
            if isinstance(node, ast.Call) and called(node) == "dget":
                section, key = node.args[:2]
                if isinstance(section, ast.Constant) and section.value == "circus":
                    yield key.value


def compared(function, variable):
    """Yield the texts that a function compares a variable with, or that it may begin with."""
    for node in ast.walk(tree(function)):
        if isinstance(node, ast.Compare) and getattr(node.left, "id", "") == variable:
            for part in node.comparators:
                yield from texts(part)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "startswith" and getattr(node.func.value, "id", "") == variable:
                yield next(texts(node)) + "*"


def watcher_section():
    """Yield the keys of a watcher, of files and of its class."""
    yield from signature(circus.watcher.Watcher)
    for name in compared(circus.config.get_config, "opt"):
        yield {"stderr_stream*": "stderr_stream", "stdout_stream*": "stdout_stream"}.get(name, name)


def hooks():
    """Yield the names of hooks: those that a watcher calls."""
    for node in ast.walk(tree(circus.watcher.Watcher)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "call_hook":
            if isinstance(node.args[0], ast.Constant):
                yield node.args[0].value
        elif isinstance(node, ast.Assign):
            if getattr(node.targets[0], "attr", "") == "ignore_hook_failure":
                yield from texts(node.value)


def plugin_options(plugin):
    """Yield the options of a plugin: what its own class asks its configuration for."""
    for node in ast.walk(tree(plugin)):
        if isinstance(node, ast.Call) and called(node) == "get":
            config = node.func.value
            if "config" in (getattr(config, "id", ""), getattr(config, "attr", "")):
                yield node.args[0].value


def properties(command):
    """Yield the properties that a command wants, sends, or looks at."""
    yield from command.properties
    yield from (option[1] for option in command.options if option[1] != "terminate")
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[command.__module__]))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_props = getattr(node.func.value, "id", "") == "props"
            if of_props and node.func.attr == "get" and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value
            if node.func.attr == "make_message":
                yield from (keyword.arg for keyword in node.keywords if keyword.arg)
        elif isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "props":
            if isinstance(node.slice, ast.Constant):
                yield node.slice.value
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
            if getattr(node.comparators[0], "id", "") == "props":
                yield from texts(node.left)


def collect():
    """Return every group with its names."""
    commands = get_commands()
    found = {
        "circusd": arguments(parser_of(circus.circusd.main)),
        "circusctl": arguments(
            parser_of(lambda: circus.circusctl.parse_arguments(["status"], commands))
        ),
        "circus-plugin": arguments(parser_of(circus.plugins.main)),
        "circusd-stats": arguments(parser_of(circus.stats.main)),
        "circus-top": arguments(parser_of(circus.stats.client.main)),
        "[circus]": circus_section(),
        "[watcher:NAME]": watcher_section(),
        "[socket:NAME]": signature(circus.sockets.CircusSocket),
        "hooks": hooks(),
        "Arbiter": signature(circus.arbiter.Arbiter),
        "commands": commands,
    }
    for stream in ("FileStream", "WatchedFileStream", "TimedRotatingFileStream"):
        found[stream] = signature(getattr(circus.stream, stream))
    for stream in ("StdoutStream", "FancyStdoutStream", "QueueStream"):
        found[stream] = signature(getattr(circus.stream, stream))
    for plugin in PLUGINS:
        found[plugin.__name__] = set(plugin_options(plugin)) - {"name"}
    for name, command in commands.items():
        found[f"properties of {name}"] = properties(command)
        found[f"switches of {name}"] = (f"--{option[1]}" for option in command.options)
    return {group: sorted(set(names)) for group, names in found.items()}


if __name__ == "__main__":
    sys.argv = ["published"]
    print(json.dumps(collect(), indent=1))
