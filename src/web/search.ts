// Looking through many rows without holding up the page: a slice at a time, and between them the browser has its turn.

export interface Looked<T> {
  found: T[];
  looked: number; // of the rows
  done: boolean;
}

const SLICE_MS = 8;
const TELL_MS = 100; // what is drawn costs more than what is looked at
const BETWEEN_LOOKS_AT_THE_CLOCK = 500; // rows

export function wordsOf(text: string): string[] {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

export function matches(text: string, words: string[]): boolean {
  return words.every((word) => text.includes(word));
}

// Tells after the first slice, ten times a second and at the end; nothing any more once `signal` says so.
export async function lookThrough<T extends { text: string }>(rows: T[], words: string[], tell: (looked: Looked<T>) => void,
  signal: AbortSignal): Promise<void> {
  const found: T[] = [];
  let told = -TELL_MS;
  for (let at = 0; ;) {
    const begun = performance.now();
    while (at < rows.length && (at % BETWEEN_LOOKS_AT_THE_CLOCK !== 0 || performance.now() - begun < SLICE_MS)) {
      if (matches(rows[at]!.text, words)) found.push(rows[at]!);
      ++at;
    }
    const done = at === rows.length;
    if (done || performance.now() - told >= TELL_MS) {
      told = performance.now();
      tell({ found: done ? found : found.slice(), looked: at, done });
    }
    if (done) return;
    await new Promise((resolve) => setTimeout(resolve));
    if (signal.aborted) return;
  }
}
