"""What runner.py loads and calls before anybody's function is there."""

import time


def handler(event, context):
    return event
