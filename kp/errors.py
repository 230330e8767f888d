"""Mistakes a user can make, told in one line that names the culprit and the fix."""


class KpError(Exception):
    """Bad input. The message is one line: what is wrong, where, and what to do."""
