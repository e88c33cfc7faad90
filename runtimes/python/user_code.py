"""Finds out what a bundle's main.py is and loads it: a module with a handler, or a plain script. Its root comes first for every
module that an interpreter has not loaded at its own start, as for `python3 main.py`."""

import _imp
import _ast
import os
import sys
import traceback
import types
from builtins import (BaseException, Exception, FileNotFoundError, OSError, SyntaxError, SystemExit, TypeError, ValueError, any,
                      callable, compile, exec, getattr, int, isinstance, list, max, min, open, range, staticmethod, type)
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader

from frames import write_all
from values import Failure, describe, to_utf8

HANDLERS = ("handler", "main")
OWN_FILES = os.path.dirname(__file__) + "/"
ONLY_PARSE = 0x400  # PyCF_ONLY_AST
TAKES_ALL = 0x04  # CO_VARARGS
SUFFIXES = (".py", ".pyc", *_imp.extension_suffixes())
SCOPES = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef, _ast.Lambda)

os_join, os_dirname, os_isfile, os_scandir, os_chdir = os.path.join, os.path.dirname, os.path.isfile, os.scandir, os.chdir
format_exception = traceback.format_exception
importer_cache = sys.path_importer_cache
CodeType, FunctionType, ModuleType = types.CodeType, types.FunctionType, types.ModuleType


# --- its place among the modules


def enter(workspace, start_up):
    """The bundle's root comes first. What it has is mounted over the folder that this process has been in so far. `start_up` are the
    modules that an interpreter has loaded before it runs any code; all others are the bundle's, if it has them."""
    os_chdir(workspace)
    sys.path.insert(0, workspace)
    importer_cache.pop(workspace, None)  # of when it was empty
    sys.modules["__main__"] = ModuleType("__main__")  # the runner's names are no function's business
    hidden = {name for name in names_at(workspace) if is_replaceable(name, start_up)}
    if hidden:
        for name in [*sys.modules]:
            if name.partition(".")[0] in hidden:
                del sys.modules[name]


def is_replaceable(name, start_up):
    """Built-in and frozen modules come before every folder."""
    return name in sys.modules and name not in start_up and name not in sys.builtin_module_names and not _imp.is_frozen(name)


def names_at(folder):
    """Of the modules and packages there. A folder without __init__ yields to any module of its name."""
    with os_scandir(folder) as entries:
        for entry in entries:
            name, dot, rest = entry.name.partition(".")
            if dot and "." + rest in SUFFIXES:
                yield name
            elif not dot and name in sys.modules and any(os_isfile(os_join(folder, name, "__init__" + end)) for end in SUFFIXES):
                yield name


# --- what main.py is


def load(workspace):
    """Its handler, or None if it is a plain script, of which nothing runs here."""
    path = os_join(workspace, "main.py")
    try:
        source = read(path)
    except OSError as error:
        why = "The bundle has no main.py at its root." if isinstance(error, FileNotFoundError) else f"main.py can't be read: {error}."
        raise Failure("import_error", why, reusable=False) from None
    try:
        code = compile_module(source, path)
        if code is None:
            return None
        module = import_code(code, path)
    except SystemExit as error:
        raise Failure("import_error", f"main.py called exit({exit_code(error)}) while it was being loaded.",
                      reusable=False) from None
    except BaseException as error:
        print_traceback(error)
        raise Failure("import_error", f"main.py could not be loaded: {describe(error)}", reusable=False) from None
    for name in HANDLERS:
        found = getattr(module, name, None)
        if callable(found):
            return found
    raise Failure("handler_missing", "main.py defines neither handler(event, context) nor main(event, context).",
                  reusable=False)


def compile_module(source, path):
    """None for a plain script. Most modules say `def handler`, and need not be looked at more closely."""
    if any(word in source for word in (b"def handler", b"def main")):
        code = compile(source, path, "exec", dont_inherit=True)
        if any(type(constant) is CodeType and constant.co_name in HANDLERS for constant in code.co_consts):
            return code
    tree = compile(source, path, "exec", flags=ONLY_PARSE, dont_inherit=True)
    return compile(tree, path, "exec", dont_inherit=True) if binds_handler(tree, os_dirname(path), os_dirname(path), {path}) else None


def binds_handler(node, root, folder, seen):
    """Whether running the module could give a name of HANDLERS a value, wherever at its top level that stands: below `if`, `try`,
    `with`, `for` or `match`, too, and inside expressions; or in a module of the bundle's `folder` that it takes all names from.
    `seen` are the files that have been looked at."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _ast.Name):
            if node.id in HANDLERS and isinstance(node.ctx, _ast.Store):
                return True
            continue
        if isinstance(node, _ast.alias):
            if (node.asname or node.name.partition(".")[0]) in HANDLERS:
                return True
            continue
        if isinstance(node, _ast.ImportFrom) and node.names[0].name == "*":
            if may_offer_handler(node, root, folder, seen):
                return True
            continue
        # Of functions and classes, `except … as`, and the patterns of `match`.
        if any(getattr(node, field, None) in HANDLERS for field in ("name", "rest")):
            return True
        if isinstance(node, SCOPES) or isinstance(node, _ast.AnnAssign) and node.value is None:
            continue
        for field in node._fields:
            if isinstance(node, _ast.comprehension) and field == "target":
                continue  # of its own scope
            value = getattr(node, field, None)
            if isinstance(value, _ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(item for item in value if isinstance(item, _ast.AST))
    return False


def may_offer_handler(node, root, folder, seen):
    """Of a module in the bundle: what is the standard library's or the operator's offers no handler of this function."""
    place = root if node.level == 0 else folder
    for _ in range(node.level - 1):
        place = os_dirname(place)
    if node.module:
        place = os_join(place, node.module.replace(".", "/"))
    for path in (f"{place}/__init__.py", f"{place}.py"):
        if path in seen or not os_isfile(path):
            continue
        seen.add(path)
        try:
            tree = compile(read(path), path, "exec", flags=ONLY_PARSE, dont_inherit=True)
        except (OSError, SyntaxError, ValueError):  # which the import will say
            return True
        return binds_handler(tree, root, os_dirname(path), seen)
    return False


def import_code(code, path, name="main"):
    module = sys.modules[name] = ModuleType(name)
    module.__file__, module.__package__ = path, ""
    module.__loader__ = SourceFileLoader(name, path)
    module.__spec__ = ModuleSpec(name, module.__loader__, origin=path)
    module.__spec__.has_location = True
    exec(code, module.__dict__)
    return sys.modules.get(name, module)  # as import does: a module may put something else in its place


def rehearse(folder):
    """As for a function's main.py, and nothing is left of it."""
    path = f"{folder}/rehearsal.py"
    module = import_code(compile_module(read(path), path), path, "rehearsal")
    del sys.modules["rehearsal"]
    return module


def rehearse_import(folder):
    """As of a module that main.py imports."""
    folders, sys.path[:] = sys.path[:], [folder]
    import_module("rehearsal")
    sys.path[:] = folders
    del sys.modules["rehearsal"]
    importer_cache.pop(folder, None)


def read(path):
    with open(path, "rb") as file:
        return file.read()


# --- how its handler is called


def count_arguments(handler):
    """How many of (event, context) a call of `handler` takes: both, if it may. What it wraps is asked only if it takes whatever comes."""
    if type(handler) is FunctionType:
        own = min(handler.__code__.co_argcount, 2)
        return max(own, count_wrapped(handler)) if handler.__code__.co_flags & TAKES_ALL else own
    if type(handler) is staticmethod:
        return count_arguments(handler.__func__)
    import inspect  # slow to load, and plain functions do not need it
    try:
        signature = inspect.signature(handler, follow_wrapped=False)
    except Exception:
        return count_wrapped(handler)  # functools.cache is written in C, and says nothing itself
    for count in (2, 1, 0):
        try:
            signature.bind(*(None, None)[:count])
            return count
        except TypeError:
            pass
    return 2


def count_wrapped(handler):
    wrapped = getattr(handler, "__wrapped__", None)
    return count_arguments(wrapped) if callable(wrapped) else 2


# --- what is said when it fails


def print_traceback(error):
    """The traceback to stderr, from the first frame that is the user's."""
    trace = error.__traceback__
    while trace is not None and is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    try:
        text = "".join(format_exception(type(error), error, trace))
    except BaseException:
        text = describe(error) + "\n"
    try:
        write_all(2, to_utf8(text))
    except OSError:  # the function has closed it
        pass


def is_machinery(filename):
    return filename.startswith((OWN_FILES, "<frozen "))


def exit_code(error):
    code = error.code
    return 0 if code is None else code if isinstance(code, int) else 1
