from collections import Counter


def handler(event, context):
    """Counts lines, words and characters as wc does, and names the most frequent words."""
    text = event["text"]
    words = text.split()
    frequent = Counter(word.strip(".,;:!?\"'()").lower() for word in words)
    frequent.pop("", None)
    return {
        "lines": text.count("\n"),
        "words": len(words),
        "characters": len(text),
        "frequent": dict(frequent.most_common(event.get("top", 5))),
    }
