"""What a function may ask of its call without taking arguments: `import sdk`. In a plain script, and in other programs that a
function starts, nobody has begun a call here: then the environment tells of it."""

import json
import os
import sys
from time import time as _wall_time

_NOBODY = object()
_event = _context = _NOBODY
_outputs = []  # the value of return_output, once it was called


class Context(dict):
    """What a handler gets as its second argument: a dict whose entries are attributes, too."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the context has no {name}") from None

    def get_remaining_time_ms(self):
        return max(0, int(self["deadline_ms"] - _wall_time() * 1000))

    get_remaining_time_in_millis = get_remaining_time_ms


def get_input():
    """The call's input, as the handler gets it in `event`."""
    return _input_of_environment() if _event is _NOBODY else _event


def get_context():
    """The call's context, as the handler gets it in `context`."""
    return _context_of_environment() if _context is _NOBODY else _context


def return_output(value):
    """Sets the result of a handler that itself returns nothing; the last value counts. In a plain script, which has no result, it
    prints the value."""
    if _event is not _NOBODY:
        _outputs[:] = [value]
    elif value is not None:
        print(json.dumps(value) if isinstance(value, (dict, list)) else value)


def _input_of_environment():
    if "PAYLOAD_FILE" in os.environ:
        with open(os.environ["PAYLOAD_FILE"], encoding="utf-8") as file:
            return json.load(file)
    return json.loads(os.environ.get("PAYLOAD", "{}"))


def _context_of_environment():
    return Context(request_id=os.environ.get("JOB_ID", ""), function_id=os.environ.get("FUNCTION_ID", ""),
                   model_id=os.environ.get("LLM_MODEL", ""), memory_mb=int(os.environ.get("MEMORY_MB", 0)),
                   deadline_ms=int(sys._xoptions.get("infra_deadline_ms", 0)), **_trace_of(os.environ.get("TRACEPARENT", "")))


def _trace_of(traceparent):
    return {"trace_id": traceparent[3:35], "traceparent": traceparent}


def _begin(event, context):
    global _event, _context
    _event, _context = event, context
    _outputs.clear()


def _has_output():
    return bool(_outputs)


def _output():
    return _outputs[0] if _outputs else None
