"""What runner.py loads and calls before anybody's function is there."""

import time  # noqa: F401 (the import is what is rehearsed)


def handler(event, context):
    return event
