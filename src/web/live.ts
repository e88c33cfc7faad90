// Runs and log lines as they happen: GET /events read by fetch, which may send the key. It is closed while the page is hidden, and
// goes on with the event after the last one it had. Where the server has no such route, whoever listens is told, and asks by itself.
import { address, errorOf, withKey } from "./api";

export interface LiveEvent {
  kind: string;
  data: Record<string, unknown>;
}

const RETRY_MS = 2000;

// Blocks between empty lines, however the bytes come. Gives what is not whole yet.
export function readBlocks(text: string, tell: (kind: string, data: string, id: string) => void): string {
  const blocks = text.split(/\r?\n\r?\n/);
  const rest = blocks.pop()!;
  for (const block of blocks) {
    let kind = "message", id = "";
    const data: string[] = [];
    for (const line of block.split(/\r?\n/)) {
      const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (field === "event") kind = value!;
      else if (field === "data") data.push(value!);
      else if (field === "id") id = value!;
    }
    if (data.length > 0) tell(kind, data.join("\n"), id);
  }
  return rest;
}

export function listen(query: string, tell: (event: LiveEvent) => void, absent: () => void): () => void {
  let stopped = false;
  let last = "";
  let open: AbortController | null = null;
  let timer = 0;

  const read = async () => {
    if (stopped || document.hidden || open) return;
    const own = open = new AbortController();
    try {
      const headers = withKey({ accept: "text/event-stream", ...(last ? { "last-event-id": last } : {}) });
      const response = await fetch(address(`/events?${query}`), { headers, signal: own.signal, cache: "no-store", credentials: "omit" });
      if (response.status === 404 || response.status === 405 || response.status === 501) {
        stopped = true;
        return absent();
      }
      if (!response.ok) throw errorOf(response.status, await response.text());
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        text = readBlocks(text + value, (kind, data, id) => {
          if (id) last = id;
          tell({ kind, data: JSON.parse(data) as Record<string, unknown> });
        });
      }
    } catch {
      // it broke off, or was closed: on with the last id
    } finally {
      if (open === own) open = null;
    }
    if (!stopped && !document.hidden) timer = window.setTimeout(read, RETRY_MS);
  };
  const seen = () => {
    clearTimeout(timer);
    if (document.hidden) open?.abort();
    else void read();
  };
  document.addEventListener("visibilitychange", seen);
  void read();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
    open?.abort();
  };
}
