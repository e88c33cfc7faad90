"""What passes between a call and its JSON: the result, or why there is none. Bound before a function can patch anything."""

import json
import json.encoder
from builtins import (BaseException, Exception, RecursionError, TypeError, UnicodeEncodeError, bool, dict, enumerate, float, int,
                      isinstance, len, list, repr, str, super, tuple, type)

MAX_RESULT = 6 * 1024 * 1024  # of JSON text, as docs/functions.md says
MAX_MESSAGE = 8 * 1024
MAX_PATH = 16  # steps to a value that is no JSON; who nests deeper finds it without them
ALLOWED = "Return dicts, lists, strings, finite numbers, booleans or None."

make_encoder = json.encoder.c_make_encoder
encode_string = json.encoder.encode_basestring


class Failure(Exception):
    """Why a call has no value, in the protocol's words."""

    def __init__(self, code, message, reusable=True):
        super().__init__(message)
        self.code = code
        self.message = message
        self.reusable = reusable


def to_utf8(text):
    """UTF-8, with U+FFFD for surrogates that belong to no pair."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


def reject(value):
    raise TypeError("a value of type " + type(value).__name__)


def encode(value, allow_nan=False):
    """JSON text. The encoder is made anew: one that failed remembers what it had open."""
    return "".join(make_encoder({}, reject, encode_string, None, ":", ",", False, False, allow_nan)(value, 0))


def encode_result(value):
    try:
        text = encode(value)
    except RecursionError:
        raise Failure("result_not_json", "The handler's result is nested too deeply to be JSON.") from None
    except BaseException as error:  # a class of the user's may raise anything while it is being read
        raise Failure("result_not_json", f"The handler returned a {type(value).__name__} that can't be written as JSON: "
                                         f"{describe(error)}{where(value)}. {ALLOWED}") from None
    size = len(to_utf8(text))
    if size > MAX_RESULT:
        raise Failure("result_too_large", f"The handler's result is {size} bytes of JSON; at most {MAX_RESULT} (6 MiB) "
                                          "are allowed.")
    return text


def where(value):
    """", at result['a'][3]", if what is no JSON is found below `value`."""
    try:
        path = path_to_fault(value, MAX_PATH)
    except BaseException:
        return ""
    return f", at result{path}"[:MAX_MESSAGE] if path else ""


def path_to_fault(value, steps):
    """Of the first that is no JSON; None if there is none."""
    if isinstance(value, float):
        return None if value - value == 0 else ""  # not of infinities, nor of what is no number
    if value is None or isinstance(value, (str, int, bool)):
        return None
    if not isinstance(value, (dict, list, tuple)):
        return ""
    if steps == 0:
        return None
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if not isinstance(key, (str, int, float, bool, type(None))):
            return ""
        path = path_to_fault(item, steps - 1)
        if path is not None:
            return f"[{repr(key)[:80]}]{path}"
    return None


def describe(error):
    """"ValueError: what it says", whatever the exception's own __str__ does."""
    try:
        said = str(error)
    except BaseException:
        said = ""
    name = type(error).__name__
    return (f"{name}: {said}" if said else name)[:MAX_MESSAGE]
