"""What Circus' classes take by position, and what Circus itself calls of them."""

from __future__ import annotations

ARBITER_FURTHER = (
    "statsd stats_endpoint statsd_close_outputs multicast_endpoint plugins sockets warmup_delay"
    " httpd httpd_host httpd_port httpd_close_outputs debug debug_gc ssh_server proc_name pidfile"
    " loglevel logoutput loggerconfig fqdn_prefix umask endpoint_owner"
)
"""What Circus' arbiter takes by position after its loop."""

ARBITER_CALLS = (
    "initialize start_watcher start_watchers _start_watchers stop_watchers _stop_watchers"
    " manage_watchers reap_processes start_io_loop stop_controller_and_close_sockets"
    " _emergency_stop _stop _restart reload restart reload_from_config add_watcher rm_watcher"
    " get_watcher iter_watchers statuses"
)
"""What Circus' commands and its loop call of an arbiter, and nothing here does."""

WATCHER_FURTHER = (
    "shell shell_args uid max_retry gid send_hup stop_signal stop_children env graceful_timeout"
    " prereload_fn rlimits executable stdout_stream stderr_stream priority loop singleton"
    " use_sockets copy_env copy_path max_age max_age_variance hooks respawn autostart on_demand"
    " virtualenv stdin_socket close_child_stdin close_child_stdout close_child_stderr"
    " virtualenv_py_ver"
)
"""What Circus' watcher takes by position after its working directory."""

WATCHER_CALLS = frozenset(
    "initialize start _start stop _stop restart _restart reload _reload spawn_process"
    " spawn_processes manage_processes reap_process reap_processes reap_and_manage_processes"
    " remove_expired_processes kill_process kill_processes send_signal send_signal_process"
    " send_signal_child send_signal_children call_hook notify_event set_numprocesses incr decr"
    " set_opt do_action info process_info options status".split()
)
"""What Circus itself calls of a watcher, and nothing here does."""
