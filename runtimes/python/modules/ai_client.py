"""Asks the AI node through the platform's proxy: `import ai_client`. A function needs no network for it."""

import json
import os
import urllib.error
import urllib.request


class AiError(RuntimeError):
    """The AI node gave no answer; the text says why."""


def generate(prompt, model=None, **more):
    """The node's answer to `prompt`, as text. `model` is the call's model if not given; `more` goes into the question (options=…,
    system=…, format=…), but for `stream`: the answer comes whole."""
    return _ask("/api/generate", {**more, "prompt": prompt}, model).get("response", "")


def chat(messages, model=None, **more):
    """The node's next message in a conversation, as text. `messages` are dicts with `role` and `content`; all else as above."""
    message = _ask("/api/chat", {**more, "messages": messages}, model).get("message") or {}
    return message.get("content", "")


def _ask(path, question, model):
    endpoint = os.environ.get("AI_ENDPOINT")
    if not endpoint:
        raise AiError("AI_ENDPOINT is not set: this platform has no AI node.")
    model = model or os.environ.get("LLM_MODEL")
    if not model:
        raise AiError("No model is named: pass model=…, or give modelId with the run.")
    request = urllib.request.Request(
        endpoint.rstrip("/") + path,
        data=json.dumps({**question, "model": model, "stream": False}).encode(),
        headers={"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the endpoint is local: no proxy is asked
    try:
        with opener.open(request) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise AiError(f"The AI node answered {error.code}: {_reason(error)}") from None
    except (OSError, ValueError) as error:
        raise AiError(f"The AI node could not be asked: {error}") from None


def _reason(error):
    text = error.read(4096).decode("utf-8", "replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text.strip() or error.reason
