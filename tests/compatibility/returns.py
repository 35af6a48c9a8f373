"""Prints what public calls of a package return, as JSON: python returns.py PACKAGE FOLDER

Values of functions are shown whole; of objects, numbers of this run and texts, the types only. What
raises is shown by what of Python it is: programs catch that.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import threading
import time
from functools import partial

PACKAGE, FOLDER = (*sys.argv[1:3], "")[:2]
TIMEOUT = 60.0
CONTROL, EVENTS = f"ipc://{FOLDER}/control", f"ipc://{FOLDER}/events"


def of(module):
    """Import a module of the package."""
    return importlib.import_module(f"{PACKAGE}.{module}")


def shape(value, depth=3):
    """Describe a value by its type, and by those of what is in it."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, (int, float)):  # a signal, too
        return "number"
    if isinstance(value, (str, bytes)):
        return type(value).__name__
    if isinstance(value, dict):
        pairs = ((k if isinstance(k, str) else "*", shape(v, depth - 1)) for k, v in value.items())
        named = dict(pairs)
        named.pop("__name__", None)  # a fault of Circus' configurations
        return named if depth else "dict"
    if isinstance(value, (list, tuple)):
        return [*{json.dumps(shape(one, depth - 1)): None for one in value}] if depth else "list"
    if hasattr(value, "add_done_callback"):
        return "future"
    module = type(value).__module__.partition(".")[0]
    return type(value).__name__ if module != PACKAGE else "its own"


def plain(value):
    """Show a value whole."""
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)  # a signal or a family, too
    return repr(value)


class Calls:
    """Collects what calls return."""

    def __init__(self):
        self.found = {}

    def see(self, name, call, show=shape):
        """Call something, and note what comes of it."""
        try:
            self.found[name] = show(call())
        except Exception as error:
            builtin = next(one for one in type(error).__mro__ if one.__module__ == "builtins")
            above = {one.__name__ for one in type(error).__mro__}
            self.found[name] = {"raises": builtin.__name__, "is": sorted(above)}

    def see_all(self, prefix, thing, names, show=shape):
        """Note attributes of an object; those that are methods are called."""
        for name in names.split():
            self.see(f"{prefix}.{name}", lambda name=name: called(getattr(thing, name)), show)


def called(value):
    """Call a method without arguments; return anything else as it is."""
    return value() if callable(value) else value


def functions(calls):
    """The functions of util, client, commands and config."""
    util, psutil = of("util"), importlib.import_module("psutil")
    for name, *values in (
        ("bytes2human", 0, 1023, 1024, 10**7, 2**40, "x"),
        ("human2bytes", "0B", "1K", "1.5M", "2G", "x"),
        ("to_bool", "1", "yes", "TRUE", "on", "no", "0", "False", "off", True, "maybe"),
        ("to_signum", 9, "9", "KILL", "sigkill", "SIGTERM"),
        ("to_str", b"a", "b", 5),
        ("to_bytes", b"a", "b", 5),
        ("to_uid", 0, "0", "root", "no_such", -1),
        ("to_gid", 0, "0", "root", "no_such"),
        ("get_username_from_uid", 0),
        ("get_default_gid", 0),
        ("parse_env_str", "a=1,b=2"),
        ("parse_env_dict", {"a": "$HOME/x", "b": "c"}),
        ("env_to_str", {"a": "1", "b": "2"}, {}),
        ("resolve_name", "os.sep", "os.nosuch", "nosuch.x"),
    ):
        for value in values:
            calls.see(f"util.{name}({value!r})", lambda n=name, v=value: getattr(util, n)(v), plain)
    text = "$(circus.wid) ((circus.env.x)) $(other.y)"
    for key, value in (("env", {"a": "1"}), ("numprocesses", 3), ("x", None), ("y", True)):
        calls.see(f"util.convert_opt({key})", lambda k=key, v=value: util.convert_opt(k, v), plain)
    for options in ({}, {"prefix": "other", "y": 1}, {"prefix": None, "wid": 3}):
        name = f"util.replace_gnu_args({options})"
        given = {"wid": 5, "env": {"x": "1"}, **options}
        calls.see(name, lambda g=given: util.replace_gnu_args(text, **g), plain)
    calls.see("util.dict_differ", lambda: util.dict_differ({"a": 1}, {"a": 2}), plain)
    differ = util.DictDiffer({"a": 1, "b": 2, "c": 1}, {"a": 2, "c": 1, "d": 1})
    calls.see_all("util.DictDiffer", differ, "added removed changed unchanged", plain)
    calls.see("util.get_info", lambda: util.get_info(psutil.Process()))
    calls.see("util.get_python_version", util.get_python_version, plain)
    client = of("client")
    calls.see("client.make_message", lambda: client.make_message("a", x=1), plain)
    calls.see("client.cast_message", lambda: client.cast_message("a", x=1), plain)
    calls.see("client.make_json", lambda: client.make_json("a", x=1))
    nobody = client.CircusClient(endpoint=f"ipc://{FOLDER}/nobody", timeout=0.1)
    calls.see("client.call", lambda: nobody.send_message("list"))
    nobody.stop()
    base, options = of("commands.base"), of("commands.util")
    calls.see("commands.ok", lambda: base.ok({"a": 1}))
    calls.see("commands.error", lambda: base.error("x"))
    for key, value in (
        *(("numprocesses", "3"), ("warmup_delay", "1.5"), ("uid", "root"), ("shell", "1")),
        *(("env", {"a": "b"}), ("cmd", "x"), ("stop_signal", "QUIT"), ("rlimit_nofile", "5")),
        *(("hooks.before_start", "a.b"), ("stdout_stream.filename", "f"), ("max_age", "3")),
        *(("args", "a b"), ("respawn", "no"), ("graceful_timeout", "3"), ("nosuch", "1")),
    ):
        for name in ("convert_option", "validate_option"):
            call = partial(getattr(options, name), key, value)
            calls.see(f"{name}({key}, {value!r})", call, plain)
    config = of("config")
    for value in ("5", "", "x"):
        calls.see(f"rlimit_value({value!r})", lambda v=value: config.rlimit_value(v), plain)
    calls.see("config.watcher_defaults", config.watcher_defaults)
    calls.see("config.get_config of none", lambda: config.get_config(f"{FOLDER}/nosuch.ini"))
    with open(f"{FOLDER}/c.ini", "w") as file:
        file.write(
            "[circus]\ncheck_delay = 3\n[watcher:a]\ncmd = sleep 1\nnumprocesses=2\nx.y=1\n"
            "stdout_stream.filename=x.log\nhooks.before_start=os.path.join\nrlimit_nofile=100\n"
            "singleton=false\npriority=3\n[env:a]\nQ=1\n[plugin:p]\nuse=os.path\nwindow=3\n"
        )
    calls.see("config.get_config", lambda: config.get_config(f"{FOLDER}/c.ini"))


def things(calls):
    """Pid files, sockets, and a process without a watcher."""
    pidfile = of("pidfile").Pidfile(f"{FOLDER}/pid")
    calls.see("Pidfile.create", lambda: pidfile.create(os.getpid()), plain)
    calls.see("Pidfile.create twice", lambda: of("pidfile").Pidfile(f"{FOLDER}/pid").create(1))
    calls.see_all("Pidfile", pidfile, "pid fname validate unlink")
    sockets = of("sockets")
    one = sockets.CircusSocket("s", host="127.0.0.1", port=0)
    names = "name host port family type proto backlog path umask replace so_reuseport is_unix"
    calls.see_all("CircusSocket", one, f"{names} socktype location interface blocking", plain)
    calls.see("str(CircusSocket)", lambda: str(one), plain)
    calls.see_all("CircusSocket", one, "bind_and_listen port close")
    some = sockets.CircusSockets()
    calls.see("CircusSockets.add", lambda: some.add("a", "127.0.0.1", 0))
    calls.see_all("CircusSockets", some, "backlog bind_and_listen_all close_all")
    process = of("process").Process
    calls.see("Process of no program", lambda: process("x", 1, "/no/such"))
    named = process("x", "blue", "echo $(circus.wid)")
    calls.see("Process with a name as its number", lambda: [named.wid, named.stdout.read()], plain)
    named.stop()
    top = process("Top", 1, "sleep", args=["100"], env=dict(os.environ))
    names = "name wid args cmd working_dir shell uid gid rlimits executable use_fds watcher"
    calls.see_all("Process", top, f"{names} pipe_stdout pipe_stderr username stdout stderr")
    calls.see_all("Process", top, "pid started age info children status is_alive poll format_args")
    calls.see("Process.is_child", lambda: top.is_child(5))
    calls.see("Process.send_signal", lambda: top.send_signal(signal.SIGCONT))
    calls.see("Process.send_signal_children", lambda: top.send_signal_children(15))
    calls.see("Process.send_signal_child", lambda: top.send_signal_child(2**22, 15))
    calls.see_all("Process", top, "stop wait close_output_channels")
    calls.see_all("Process ended", top, "info children status is_alive poll")
    calls.see("Process ended.send_signal", lambda: top.send_signal(15))


STATE = "status is_active is_stopped is_stopping"
OF_PIDS = "info get_active_pids get_active_processes processes"


def at_rest(calls):
    """A watcher that no arbiter has, and an arbiter that does not run."""
    watcher = of("watcher").Watcher(
        "Web App", "sleep 100", "x y", 2, env={"A": "1"}, working_dir="/", **{"my.opt": "3"}
    )
    names = (
        "name res_name cmd args numprocesses warmup_delay working_dir shell shell_args uid gid"
        " max_retry send_hup stop_signal stop_children env graceful_timeout prereload_fn rlimits"
        " executable priority singleton use_sockets copy_env copy_path max_age max_age_variance"
        " respawn autostart on_demand virtualenv stdin_socket close_child_stdin close_child_stdout"
        " close_child_stderr virtualenv_py_ver arbiter stdout_stream stderr_stream"
    )
    calls.see_all("Watcher", watcher, f"{names} {STATE} {OF_PIDS}")
    signals(calls, "Watcher", watcher, 5)
    for name, options in (
        ("two singletons", {"singleton": True, "numprocesses": 2}),
        ("a virtualenv of its own", {"virtualenv": "/", "copy_path": True}),
        ("no such stream", {"stdout_stream": {"class": "no.such.Stream"}}),
        ("no such hook", {"hooks": {"before_start": ("no.such.hook", False)}}),
        ("no hook of Circus", {"hooks": {"before_any": ("os.getpid", False)}}),
    ):
        call = partial(of("watcher").Watcher, "w", "sleep 1", **options)
        calls.see(f"Watcher with {name}", lambda call=call: call().name)
    arbiter = of("arbiter").Arbiter([watcher], CONTROL, EVENTS)
    names = (
        "endpoint pubsub_endpoint stats_endpoint multicast_endpoint check_delay statsd debug"
        " debug_gc warmup_delay proc_name pidfile loglevel logoutput loggerconfig ssh_server umask"
        " endpoint_owner prereload_fn sockets running fqdn pid"
    )
    calls.see_all("Arbiter", arbiter, f"{names} numwatchers numprocesses statuses iter_watchers")
    calls.see("Arbiter.get_watcher", lambda: arbiter.get_watcher("nosuch"))
    calls.see("Arbiter.get_socket", lambda: arbiter.get_socket("nosuch"))


def signals(calls, prefix, watcher, pid):
    """Questions and signals about one process."""
    calls.see(f"{prefix}.process_info", lambda: watcher.process_info(pid))
    calls.see(f"{prefix}.send_signal", lambda: watcher.send_signal(pid, signal.SIGCONT))
    children = watcher.send_signal_children
    calls.see(f"{prefix}.send_signal_children", lambda: children(pid, signal.SIGCONT))
    child = watcher.send_signal_child
    calls.see(f"{prefix}.send_signal_child", lambda: child(pid, 2**22, signal.SIGCONT))


def until(predicate):
    """Wait until something is so."""
    deadline = time.monotonic() + TIMEOUT
    while not predicate():
        if time.monotonic() > deadline:
            raise SystemExit("it never was so")
        select.select([], [], [], 0.02)


class Orders:
    """Gives orders on the thread of an arbiter, as Circus wants, and waits for their end."""

    def __init__(self, calls, arbiter):
        self.calls = calls
        self.arbiter = arbiter

    def order(self, name, give):
        """Give an order, and note what it returns, and what its future has in the end."""
        done = threading.Event()

        def end(future):
            self.calls.see(f"{name} in the end", future.result)
            done.set()

        def begin():
            given = []
            self.calls.see(name, lambda: given.append(give()) or given[0])
            if given and hasattr(given[0], "add_done_callback"):
                given[0].add_done_callback(end)
            else:
                done.set()

        self.arbiter.loop.add_callback(begin)
        if not done.wait(TIMEOUT):
            raise SystemExit(f"{name} has no end")


def asked(calls, arbiter):
    """An arbiter that runs, and its watchers, asked by another thread."""
    web, idle = arbiter.get_watcher("WEB"), arbiter.get_watcher("idle")
    until(lambda: len(web.processes) == 2 and web.is_active())
    calls.see_all("running", arbiter, "running statuses numwatchers numprocesses")
    calls.see_all("running Watcher", web, f"{STATE} {OF_PIDS}")
    calls.see("running Watcher.options", lambda: dict(web.options()))
    pid = min(web.get_active_pids())
    process = web.processes[pid]
    names = "name wid pid started args cmd shell uid gid use_fds stdout stderr username"
    calls.see_all("its Process", process, f"{names} age info children status is_alive poll")
    signals(calls, "running Watcher", web, pid)
    signals(calls, "of another pid", web, 1)
    order, add = Orders(calls, arbiter).order, arbiter.add_watcher
    order("Watcher.incr", web.incr)
    order("Watcher.decr", lambda: web.decr(1))
    order("Watcher.set_numprocesses", lambda: web.set_numprocesses(2))
    order("Watcher.set_opt", lambda: web.set_opt("graceful_timeout", 3))
    order("Watcher.set_opt of no value", lambda: web.set_opt("graceful_timeout", "x"))
    for name in ("stop", "start", "restart", "reload", "kill_processes"):
        order(f"Watcher.{name}", getattr(web, name))
    order("Arbiter.start_watcher", lambda: arbiter.start_watcher(idle))
    order("Arbiter.rm_watcher", lambda: arbiter.rm_watcher("idle"))
    order("Arbiter.add_watcher", lambda: add("new", "sleep 100", copy_env=True))
    order("Arbiter.add_watcher twice", lambda: add("new", "sleep 100"))
    for name in ("start_watchers", "stop_watchers", "reload"):
        order(f"Arbiter.{name}", getattr(arbiter, name))


def running(calls):
    """The life of an arbiter on the main thread."""
    watcher = of("watcher").Watcher
    more = {"copy_env": True, "graceful_timeout": 2}
    watchers = [
        watcher("Web", "sleep 1000", numprocesses=2, **more),
        watcher("idle", "sleep 1000", autostart=False, **more),
    ]
    arbiter = of("arbiter").Arbiter(watchers, CONTROL, EVENTS, check_delay=0.1)
    client = of("client").CircusClient(endpoint=CONTROL, timeout=TIMEOUT)

    def talk():
        try:
            asked(calls, arbiter)
        finally:
            until(lambda: client.send_message("quit", waiting=True)["status"] == "ok")
            client.stop()

    thread = threading.Thread(target=talk)

    def begun(started):
        calls.see("what cb gets", lambda: [started.done(), started.exception()], plain)
        thread.start()

    calls.see("Arbiter.start", lambda: arbiter.start(begun))
    thread.join()
    calls.see_all("Arbiter ended", arbiter, "running stop")


def main():
    calls = Calls()
    functions(calls)
    things(calls)
    at_rest(calls)
    running(calls)
    print(json.dumps(calls.found))
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(0)  # Circus leaves threads behind


if __name__ == "__main__":
    main()
