// A textarea for code: line numbers, Tab and indentation, brackets that close themselves and show their mates.
import { useRef, useState } from "preact/hooks";

const PAIRS: Record<string, string> = { "(": ")", "[": "]", "{": "}" };
const OPENING = Object.fromEntries(Object.entries(PAIRS).map(([open, close]) => [close, open]));

// The position of the mate of the bracket beside the cursor; strings and comments are not told apart.
export function mateOf(text: string, at: number): [number, number] | null {
  for (const from of [at - 1, at]) {
    const bracket = text[from] ?? "";
    const mate = PAIRS[bracket] ?? OPENING[bracket];
    if (mate === undefined) continue;
    const step = bracket in PAIRS ? 1 : -1;
    for (let depth = 0, i = from; i >= 0 && i < text.length; i += step) {
      if (text[i] === bracket) depth += 1;
      else if (text[i] === mate) depth -= 1;
      if (depth === 0) return [from, i];
    }
    return null;
  }
  return null;
}

// Whether each bracket of that kind has its mate: a closing one that is there already is then stepped over.
function balanced(text: string, closing: string): boolean {
  return text.split(closing).length === text.split(OPENING[closing]!).length;
}

interface Props {
  label: string;
  value: string;
  onValue: (value: string) => void;
  indent?: string;
  rows?: number;
  onSubmit?: () => void; // Ctrl+Enter
}

export function Editor({ label, value, onValue, indent = "  ", rows = 12, onSubmit }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const behind = useRef<HTMLPreElement>(null);
  const numbers = useRef<HTMLPreElement>(null);
  const [mate, setMate] = useState<[number, number] | null>(null);
  const [leaving, setLeaving] = useState(false);

  const look = () => {
    const { selectionStart, selectionEnd, value: text } = area.current!;
    setMate(selectionStart === selectionEnd && text.length < 100_000 ? mateOf(text, selectionStart) : null);
  };
  const scroll = () => {
    const { scrollTop, scrollLeft } = area.current!;
    behind.current!.scrollTop = numbers.current!.scrollTop = scrollTop;
    behind.current!.scrollLeft = scrollLeft;
  };
  // As if it were typed, so that it can be undone.
  const type = (text: string, back = 0) => {
    const target = area.current!;
    if (!document.execCommand("insertText", false, text)) target.setRangeText(text, target.selectionStart, target.selectionEnd, "end");
    target.selectionStart = target.selectionEnd = target.selectionEnd - back;
    onValue(target.value);
  };
  const press = (event: KeyboardEvent) => {
    const { selectionStart: start, selectionEnd: end, value: text } = area.current!;
    const line = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onSubmit?.();
    } else if (event.key === "Escape") {
      setLeaving(true); // the next Tab leaves: the keyboard is not trapped
    } else if (event.key === "Tab" && !leaving && !event.shiftKey) {
      event.preventDefault();
      type(indent);
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      const before = /^[ \t]*/.exec(line)![0];
      const opens = /[([{:]\s*$/.test(line);
      const closes = opens && /^[)\]}]/.test(text.slice(end));
      type(`\n${before}${opens ? indent : ""}${closes ? `\n${before}` : ""}`, closes ? before.length + 1 : 0);
    } else if (event.key in PAIRS && start === end && /^(\s|[)\]}]|$)/.test(text.slice(end, end + 1))) {
      event.preventDefault();
      type(event.key + PAIRS[event.key]!, 1);
    } else if (event.key in OPENING && start === end && text[start] === event.key && balanced(text, event.key)) {
      event.preventDefault();
      area.current!.selectionStart = area.current!.selectionEnd = start + 1;
    } else if (event.key === "Backspace" && start === end && PAIRS[text[start - 1] ?? ""] === text[start] && text[start] !== undefined) {
      area.current!.selectionEnd = start + 1;
      area.current!.selectionStart = start - 1;
      event.preventDefault();
      document.execCommand("delete");
    }
  };

  const lines = value.split("\n").length;
  const marked = mate && mate[1] < value.length ? [...mate].sort((a, b) => a - b) : null;
  return (
    <div class="editor" style={{ "--rows": rows }}>
      <pre class="numbers" ref={numbers} aria-hidden="true">{Array.from({ length: lines }, (_, i) => i + 1).join("\n")}</pre>
      <div class="code">
        <pre class="behind" ref={behind} aria-hidden="true">
          {marked ? [value.slice(0, marked[0]), <mark>{value[marked[0]!]}</mark>, value.slice(marked[0]! + 1, marked[1]),
            <mark>{value[marked[1]!]}</mark>, value.slice(marked[1]! + 1)] : value}{"\n"}
        </pre>
        <textarea ref={area} value={value} aria-label={label} title="Escape, then Tab, leaves the editor" wrap="off" spellcheck={false}
          autocomplete="off" autocapitalize="off" onInput={(event) => onValue(event.currentTarget.value)} onKeyDown={press}
          onKeyUp={look} onClick={look} onScroll={scroll} onBlur={() => setLeaving(false)} />
      </div>
    </div>
  );
}
