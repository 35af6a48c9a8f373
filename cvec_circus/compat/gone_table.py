"""The public names of Circus 0.19 that are left out. The page of names is made of this table."""

from __future__ import annotations

from cvec_circus.base.named import NamedTuple

PAGE = "migration"


class Gone(NamedTuple):
    """Names of one place that are gone for one reason. Immutable.

    Attributes:
        place: The module in Circus, without the package; with a class if they are its members.
        names: The names, with blanks between them.
        was: What they were.
        instead: What to write.
        page: The page of the documentation that says more.
    """

    place: str
    names: str
    was: str
    instead: str
    page: str = PAGE

    def line(self, name: str) -> str:
        """Return what the use of a name is answered with."""
        place = f"{self.place}.{name}".lstrip(".")
        return f"{place} was {self.was}; {self.instead} (docs/{self.page}.rst)"


_TORNADO = "a part of tornado's loop, which is not used here"
_STEP = "a step of the loop that managed processes"
_CONSOLE = "a part of the console and screen"

GONE = (
    # -- programs that ask a daemon
    Gone(
        "client",
        "AsyncCircusClient",
        "a client for tornado's loop",
        "call CircusClient on a thread, such as with asyncio.to_thread",
    ),
    Gone(
        "client.CircusClient",
        "poller socket",
        "a part of ZeroMQ that the client held",
        "write call, send_message or cast; threads may share a client",
    ),
    Gone(
        "consumer.CircusConsumer",
        "keep_context poller pubsub_socket",
        "a part of ZeroMQ that the consumer held",
        "iterate over the consumer, and end that with stop()",
    ),
    Gone(
        "circusctl",
        "CircusCtl ControllerApp TIMEOUT_MSG USAGE VERSION parse_arguments prettify",
        _CONSOLE,
        "write circusctl.main(argv), or ask with CircusClient",
        "commands",
    ),
    # -- programs that embed an arbiter
    Gone(
        "arbiter.Arbiter",
        "context evpub_socket socket_event",
        "a part of ZeroMQ that ran on tornado's loop",
        "write arbiter.ask(fn) to call a function on its thread, CircusClient for commands",
        "embedding",
    ),
    Gone(
        "arbiter.Arbiter",
        "initialize manage_watchers reap_processes start_io_loop stop_controller_and_close_sockets",
        f"{_STEP}, which start() does by itself",
        "leave the call out, and override start() or stop()",
        "embedding",
    ),
    Gone(
        "arbiter.Arbiter",
        "endpoint_owner_mode get_arbiter_config get_plugin_config get_watcher_config",
        "an inner part of reload_from_config",
        "write config.get_config(path), and look into what it returns",
        "embedding",
    ),
    Gone(
        "arbiter.Arbiter",
        "stderr_stream stdout_stream",
        "the stream of plugins with debug",
        "give the plugin's section a stdout_stream of its own",
        "outputs",
    ),
    Gone(
        "arbiter.ThreadedArbiter",
        "run",
        "what its thread ran",
        "write start(), which returns when everything listens",
        "embedding",
    ),
    Gone(
        "watcher.Watcher",
        "initialize manage_processes pending_socket_event reap_and_manage_processes reap_process"
        " reap_processes remove_expired_processes spawn_process spawn_processes",
        _STEP,
        "write watcher.start(), incr(), reload() or restart(), or use a hook",
        "hooks",
    ),
    Gone(
        "watcher.Watcher",
        "call_hook do_action ignore_hook_failure notify_event",
        "what the arbiter called by itself",
        "use a hook, or a plugin that receives the events",
        "hooks",
    ),
    Gone(
        "watcher.Watcher",
        "kill_process send_signal_process",
        "a call with a process object",
        "write watcher.processes[pid].stop() or .send_signal(signum)",
        "embedding",
    ),
    Gone(
        "watcher.Watcher",
        "evpub_socket loop sockets stream_redirector",
        "an object of the arbiter that the watcher held",
        "write arbiter.get_socket(name) for a socket, and nothing for the others",
        "embedding",
    ),
    Gone(
        "watcher.Watcher",
        "optnames",
        "the names of its options",
        "write [name for name, value in watcher.options()]",
        "embedding",
    ),
    Gone(
        "process.Process",
        "redirected stopping",
        "a note of the watcher on its process",
        "write process.status or process.is_alive()",
        "embedding",
    ),
    Gone(
        "process",
        "get_children get_cmdline get_cpu_percent get_cpu_times get_create_time get_memory_info"
        " get_memory_percent get_nice get_status get_username",
        "a call of psutil",
        "call the method of the psutil.Process itself, or util.get_info(pid)",
    ),
    Gone(
        "",
        "ArbiterHandler",
        "the class of get_arbiter",
        "write get_arbiter(...)",
        "embedding",
    ),
    Gone(
        "circusd",
        "closerange get_maxfd",
        "how daemonize closed files",
        "write circusd.daemonize(), which leaves yours open",
        "embedding",
    ),
    Gone(
        "controller",
        "Controller",
        "what took commands inside the daemon",
        "ask with CircusClient, or write a plugin",
        "embedding",
    ),
    Gone(
        "sighandler",
        "SysHandler",
        "what took signals inside the daemon",
        "install handlers with signal.signal that call arbiter.stop() or arbiter.reload()",
        "embedding",
    ),
    Gone(
        "green",
        "ArbiterHandler",
        "the arbiter on gevent",
        "write cvec_circus.get_arbiter(..., background=True), which needs no loop",
        "embedding",
    ),
    Gone(
        "green",
        "get_arbiter",
        "the arbiter on gevent",
        "write cvec_circus.get_arbiter(..., background=True), which needs no loop",
        "embedding",
    ),
    *(
        Gone(
            f"green.{module}",
            name,
            f"the {name} on gevent",
            f"write {instead}, which blocks its own thread only",
        )
        for module, name, instead in (
            ("arbiter", "Arbiter", "arbiter.ThreadedArbiter"),
            ("client", "CircusClient", "client.CircusClient"),
            ("consumer", "CircusConsumer", "consumer.CircusConsumer"),
            ("controller", "Controller", "client.CircusClient"),
            ("sighandler", "SysHandler", "signal.signal"),
        )
    ),
    # -- commands, as programs build and print them
    Gone(
        "commands.base",
        "CommandMeta KNOWN_COMMANDS",
        "how commands registered themselves",
        "write commands.get_commands(); a new command is not added from outside",
        "plugins",
    ),
    Gone(
        "commands.base.Command",
        "options waiting waiting_options",
        "how circusctl knew of its switches",
        "write command.make_message(..., waiting=True)",
        "commands",
    ),
    Gone(
        "commands.base.Command",
        "console_error console_msg copy",
        "how circusctl printed a reply",
        "read the reply's status and reason, or run cvec_circusctl",
        "commands",
    ),
    Gone(
        "commands.restart",
        "execute_watcher_start_stop_restart match_options",
        "an inner part of start, stop and restart",
        "write command.make_message(name=..., match=...)",
        "commands",
    ),
    Gone(
        "commands.ipythonshell",
        "IPythonShell",
        "a shell inside the daemon, which any keystroke could stop",
        "ask with CircusClient in a shell of your own",
    ),
    # -- files
    Gone(
        "config",
        "DefaultConfigParser read_config",
        "the parser of configuration files",
        "write config.get_config(path)",
        "configuration",
    ),
    Gone(
        "util",
        "StrictConfigParser",
        "the parser of configuration files",
        "write config.get_config(path)",
        "configuration",
    ),
    Gone(
        "sockets",
        "addrinfo",
        "a look-up of a host",
        "write socket.getaddrinfo(host, port); a CircusSocket looks its own host up",
    ),
    Gone(
        "stream.redirector",
        "Redirector",
        "what read the output of processes",
        "write a stream class, which is called with what was read",
        "outputs",
    ),
    # -- statistics
    *(
        Gone(
            f"stats.{module}",
            names,
            "an inner part of the statistics process",
            "read what it publishes with stats.client.StatsClient",
            "stats",
        )
        for module, names in (
            ("collector", "BaseStatsCollector SocketStatsCollector WatcherStatsCollector"),
            ("publisher", "StatsPublisher"),
            ("streamer", "StatsStreamer"),
        )
    ),
    Gone(
        "stats.client",
        "Painter",
        _CONSOLE,
        "run cvec_circus-top, or iterate over StatsClient",
        "stats",
    ),
    # -- plugins
    Gone(
        "plugins.CircusPlugin",
        "client daemon running sub_socket substream",
        "a part of the loop that the plugin ran",
        "write handle_recv for events, self.call and self.cast for commands",
        "plugins",
    ),
    Gone(
        "plugins.flapping.Flapping",
        "check configs reset timelines timers tries update_conf",
        "how it kept its accounts",
        "override handle_recv, and see the records of watchers in .records",
        "builtin_plugins",
    ),
    Gone(
        "plugins.watchdog.WatchDog",
        "period pid_status receive_udp_socket sock starting",
        "how it listened and kept its accounts",
        "override look_after or read, and see the processes in .watched",
        "builtin_plugins",
    ),
    Gone(
        "plugins.watchdog.WatchDog",
        "graceful_timeout stop_signal watchdog_ip watchdog_port",
        "a copy of an option",
        "write .config[...] with ip, port, watchers_stop_signal or watchers_graceful_timeout",
        "builtin_plugins",
    ),
    Gone(
        "plugins.command_reloader.CommandReloader",
        "cmd_files is_modified period",
        "how it compared files",
        "override look_after, and see the files in .files",
        "builtin_plugins",
    ),
    Gone(
        "plugins.http_observer.HttpObserver",
        "http_client",
        "a client for tornado's loop",
        "write self.loop.run_in_thread(fetch, url, then=function)",
        "plugins",
    ),
    Gone(
        "plugins",
        "get_plugin_cmd",
        "the command line of a plugin",
        "give the arbiter plugins=[{'use': ...}]",
        "plugins",
    ),
    Gone(
        "plugins.statsd.StatsdClient",
        "socket",
        "the socket that it sent with",
        "write its methods, such as increment(name), which open one by themselves",
        "plugins",
    ),
    Gone(
        "stream.file_stream.WatchedFileStream",
        "dev ino",
        "how it saw that its file is another one",
        "write os.stat(stream.filename)",
        "outputs",
    ),
    # -- functions
    Gone(
        "util",
        "TransformableFuture synchronized tornado_sleep",
        _TORNADO,
        "leave it out: orders return promises, and none is refused because another one runs",
        "embedding",
    ),
    Gone(
        "util",
        "create_udp_socket",
        "a socket for the discovery by multicast, which does not exist here",
        "write the endpoint of the daemon down",
    ),
    Gone(
        "util",
        "INDENTATION_LEVEL",
        "a counter of debuglog",
        "leave it out",
    ),
)
