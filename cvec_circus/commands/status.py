"""status: what state the watchers are in, and why."""

from __future__ import annotations

from cvec_circus.commands.base import ANY_NAME, Answer, Command, CommandTarget, Fields


class Status(Command):
    """Immutable. The command `status`."""

    name = "status"
    doc = "Show the states of all watchers, or of one."
    properties = (ANY_NAME,)
    arguments = ("name",)
    usage = "[NAME]"

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look them up; for one watcher, the state stands where "ok" would."""
        if props["name"] is not None:
            [watcher] = target.known(props["name"])
            reason = target.reason(watcher)
            return {"status": watcher.state.value, **({"reason": reason} if reason else {})}
        watchers = target.known()
        reasons = {watcher.name: target.reason(watcher) for watcher in watchers}
        return {
            "statuses": {watcher.name: watcher.state.value for watcher in watchers},
            "reasons": {name: reason for name, reason in reasons.items() if reason},
        }

    def words(self, reply: Fields) -> str:
        """Show a watcher a line, with the reason where there is one."""
        if "statuses" not in reply:
            return _said(reply["status"], reply.get("reason", ""))
        reasons = reply.get("reasons", {})
        lines = [
            f"{name}: {_said(state, reasons.get(name, ''))}"
            for name, state in sorted(reply["statuses"].items(), key=lambda item: item[0].lower())
        ]
        return "\n".join(lines) or "no watchers"


def _said(state: str, reason: str) -> str:
    return f"{state} ({reason})" if reason else state
