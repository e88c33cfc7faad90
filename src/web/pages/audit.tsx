// Who changed what, and what was refused, newest first.
import { useState } from "preact/hooks";
import { ApiError, getPage, type Page } from "../api";
import { localTime } from "../format";
import { useAction, type Loaded } from "../load";
import { Problem, Status } from "../parts";

export interface Entry {
  at: string;
  key: string;
  action: string;
  target: string;
  outcome: string;
  requestId: string;
  before: unknown;
  after: unknown;
}

const INLINE = 2; // changes; more are folded

// Null where the server has none.
export async function newestEntries(signal: AbortSignal): Promise<Page<Entry> | null> {
  try {
    return await getPage<Entry>("/audit?limit=100", signal, "entries");
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 501)) return null;
    throw error;
  }
}

// `nameOf`: a key's, by its id.
export function Audit({ newest, nameOf }: { newest: Loaded<Page<Entry> | null>; nameOf: (key: string) => string }) {
  const [older, setOlder] = useState<{ after: Page<Entry> | null; page: Page<Entry> }>({ after: null, page: { items: [], next: null } });
  const loaded = newest.data ?? null;
  const behind = loaded !== null && older.after === loaded ? older.page : { items: [], next: loaded?.next ?? null };
  const more = useAction(async () => {
    const page = await getPage<Entry>(behind.next!, undefined, "entries");
    setOlder({ after: loaded, page: { items: [...behind.items, ...page.items], next: page.next } });
  });
  if (loaded === null) return <Problem error={newest.error} />;
  const entries = [...loaded.items, ...behind.items];
  return (
    <section class="apart">
      <h2>Audit</h2>
      {entries.length === 0 ? <p class="quiet">Nothing was changed yet.</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Audit">
          <table class="cards audit">
            <thead><tr><th scope="col">Time</th><th scope="col">Key</th><th scope="col">What</th><th scope="col">Outcome</th>
              <th scope="col">Change</th></tr></thead>
            <tbody>
              {entries.map((entry) => (
                <tr key={`${entry.requestId}${entry.at}${entry.action}`}>
                  <td class="nowrap">{localTime(entry.at)}</td>
                  <td data-title="Key">{nameOf(entry.key)}</td>
                  <td class="nowrap">{entry.action}{entry.target && <small class="line"><code>{entry.target}</code></small>}</td>
                  <td data-title="Outcome"><Status value={entry.outcome} /></td>
                  <td class="message"><Changes entry={entry} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Problem error={newest.error ?? more.error} />
      {behind.next && <div class="row foot"><button type="button" disabled={more.busy} onClick={() => more.run()}>Load older</button></div>}
    </section>
  );
}

const fieldsOf = (value: unknown) => (typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {});
const isNothing = (value: unknown) => value === undefined || value === null || value === "" || JSON.stringify(value) === "{}";
const shown = (value: unknown) => (isNothing(value) ? "nothing" : typeof value === "string" ? value : JSON.stringify(value));

function Changes({ entry }: { entry: Entry }) {
  const before = fieldsOf(entry.before), after = fieldsOf(entry.after);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) =>
    JSON.stringify(before[name]) !== JSON.stringify(after[name]) && !(isNothing(before[name]) && isNothing(after[name])));
  if (names.length === 0) return null;
  const list = (
    <ul class="list">
      {names.map((name) => (
        <li key={name}><b>{name}</b><span class="words">{isNothing(before[name]) ? "" : `${shown(before[name])} → `}{shown(after[name])}</span></li>
      ))}
    </ul>
  );
  if (names.length <= INLINE) return list;
  return <details><summary>{names.slice(0, INLINE).join(", ")} and {names.length - INLINE} more</summary>{list}</details>;
}
