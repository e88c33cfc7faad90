"""What a function may ask of its call without taking arguments: `import sdk`."""

_event = None
_context = None
_outputs = []  # the value of return_output, once it was called


def get_input():
    """The call's input, as the handler gets it in `event`."""
    return _event


def get_context():
    """The call's context, as the handler gets it in `context`."""
    return _context


def return_output(value):
    """Sets the result of a handler that itself returns nothing. The last value counts."""
    _outputs[:] = [value]


def _begin(event, context):
    global _event, _context
    _event, _context = event, context
    _outputs.clear()


def _has_output():
    return bool(_outputs)


def _output():
    return _outputs[0] if _outputs else None
