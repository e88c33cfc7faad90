// Runs and log lines as they happen, one stream for all tabs of a key: browsers have six connections to a server. The tab that holds a
// lock reads what all that are visible want, and tells the others; when it is hidden or closed another one goes on, behind the last
// event it heard of. Where the browser has no locks for pages (plain HTTP from another machine) each tab has a stream of its own.
import { keyTag } from "./api";
import { readEvents, type LiveEvent } from "./event_stream";

interface Want {
  functions: string[] | null; // null: all
  kinds: string[];
}

interface Listener extends Want {
  tell: (event: LiveEvent) => void;
  absent: () => void; // the server has no events: whoever listens has to ask
}

type Message = { want: Want; tab: string } | { leave: string } | { who: true } | { event: LiveEvent } | { absent: true };

const RETRY_MS = 2000;
const GATHER_MS = 50; // tabs that answer the one that begins to read

const tab = Math.random().toString(36).slice(2);
const listeners = new Set<Listener>();
const others = new Map<string, Want>();
let channel: BroadcastChannel | null = null;
let turn: AbortController | null = null; // of waiting for the lock, and of reading under it
let asked: { query: string; end: AbortController } | null = null;
let last = "";

function together(wants: Want[]): Want {
  const all = (of: (want: Want) => string[]) => [...new Set(wants.flatMap(of))].sort();
  return { functions: wants.some(({ functions }) => functions === null) ? null : all((want) => want.functions!), kinds: all((want) => want.kinds) };
}

function query(): string {
  const { functions, kinds } = together([...listeners, ...others.values()]);
  return `kinds=${kinds.join(",")}${functions === null ? "" : `&functions=${functions.map(encodeURIComponent).join(",")}`}`;
}

function hear(event: LiveEvent): void {
  if (event.id) last = event.id;
  for (const { functions, kinds, tell } of listeners) {
    const { functionId } = event.data;
    const wanted = functions === null || functionId === undefined || functions.includes(String(functionId));
    if (event.kind === "gap" || (kinds.includes(event.kind) && wanted)) tell(event);
  }
}

function say(message: Message): void {
  channel?.postMessage(message);
}

function receive(message: Message): void {
  if ("event" in message) hear(message.event);
  if ("absent" in message) giveUp();
  if ("who" in message) announce();
  if ("want" in message) others.set(message.tab, message.want);
  if ("leave" in message) others.delete(message.leave);
  if (("want" in message || "leave" in message) && asked && asked.query !== query()) asked.end.abort(); // and on with what is wanted now
}

function announce(): void {
  if (listeners.size > 0 && !document.hidden) say({ want: together([...listeners]), tab });
}

function giveUp(): void {
  for (const { absent } of listeners) absent();
  listeners.clear();
  leave();
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function lead(signal: AbortSignal): Promise<void> {
  others.clear();
  say({ who: true });
  await sleep(GATHER_MS);
  while (!signal.aborted) {
    const end = new AbortController();
    asked = { query: query(), end };
    const there = await readEvents(asked.query, last, (event) => (hear(event), say({ event })), AbortSignal.any([signal, end.signal]));
    if (asked?.end === end) asked = null;
    if (!there) {
      say({ absent: true });
      giveUp();
    } else if (!end.signal.aborted && !signal.aborted) {
      await sleep(RETRY_MS);
    }
  }
}

async function join(): Promise<void> {
  if (turn !== null) return;
  const own = turn = new AbortController();
  const tag = await keyTag();
  if (own.signal.aborted) return;
  if (tag === null || navigator.locks === undefined || typeof BroadcastChannel === "undefined") return void lead(own.signal);
  channel = new BroadcastChannel(`infra-events-${tag}`);
  channel.onmessage = ({ data }) => receive(data as Message);
  announce();
  navigator.locks.request(`infra-events-${tag}`, { signal: own.signal }, () => lead(own.signal)).catch(() => {});
}

function leave(): void {
  say({ leave: tab });
  turn?.abort();
  turn = null;
  channel?.close();
  channel = null;
}

function look(): void {
  if (document.hidden || listeners.size === 0) leave();
  else void join();
}

export function listen(listener: Listener): () => void {
  listeners.add(listener);
  if (turn !== null) {
    announce();
    if (asked && asked.query !== query()) asked.end.abort();
  }
  look();
  return () => {
    listeners.delete(listener);
    look();
  };
}

document.addEventListener("visibilitychange", look);
addEventListener("pagehide", leave);
