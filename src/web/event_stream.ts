// GET /events, read by fetch, which may send the key.
import { address, errorOf, withKey } from "./api";

export interface LiveEvent {
  kind: string;
  id: string;
  data: Record<string, unknown>;
}

// Blocks between empty lines, however the bytes come. Gives what is not whole yet.
export function readBlocks(text: string, tell: (event: LiveEvent) => void): string {
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
    if (data.length > 0) tell({ kind, id, data: JSON.parse(data.join("\n")) as Record<string, unknown> });
  }
  return rest;
}

// Until the stream ends or breaks off, or `signal` ends it. False: the server has no such route.
export async function readEvents(query: string, last: string, tell: (event: LiveEvent) => void, signal: AbortSignal): Promise<boolean> {
  try {
    const headers = withKey({ accept: "text/event-stream", ...(last ? { "last-event-id": last } : {}) });
    const response = await fetch(address(`/events?${query}`), { headers, signal, cache: "no-store", credentials: "omit" });
    if (response.status === 404 || response.status === 405 || response.status === 501) return false;
    if (!response.ok) throw errorOf(response.status, await response.text());
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    // What came between the page's first look and now nobody has told.
    if (!last) tell({ kind: "gap", id: "", data: { lost: null } });
    for (let text = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return true;
      text = readBlocks(text + value, tell);
    }
  } catch {
    return true; // whoever wants it tries again
  }
}
