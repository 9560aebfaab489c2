"""Room for as many connections as the settings allow: every socket is a file descriptor of the process."""

import resource

_OTHERS = 1_024
"""Descriptors for everything that is no connection of ours: log, stores, pipes, other servers."""


def allow_connections(count: int) -> int:
    """Raise the soft limit of open files as far as ``count`` connections need and the hard limit lets.

    Returns how many connections the process can hold now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _OTHERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return count if soft == resource.RLIM_INFINITY else max(min(count, soft - _OTHERS), 1)
