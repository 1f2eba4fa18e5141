"""CPU time that the processes started by a bench have spent, by what they are."""

from collections import defaultdict

import psutil


class Spent:
    """What is spent from now on; processes that end meanwhile are not counted."""

    def __init__(self) -> None:
        self._before = _seconds()

    def by_process(self) -> dict[str, float]:
        """Seconds by service or server, the most first."""
        spent: defaultdict[str, float] = defaultdict(float)
        for key, (name, seconds) in _seconds().items():
            spent[name] += seconds - self._before.get(key, (name, 0.0))[1]
        return dict(sorted(spent.items(), key=lambda pair: -pair[1]))


def _seconds() -> dict[tuple[int, float], tuple[str, float]]:
    found = {}
    for process in psutil.Process().children(recursive=True):
        try:
            with process.oneshot():
                times = process.cpu_times()
                key = process.pid, process.create_time()
                found[key] = _name(process), times.user + times.system
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def _name(process: psutil.Process) -> str:
    """`python -m transform` is transform; a server is its program."""
    command = process.cmdline()
    if "-m" in command:
        return command[command.index("-m") + 1].partition(".")[0]
    return process.name()
