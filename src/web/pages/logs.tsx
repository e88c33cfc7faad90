// A function's runs, newest first, as they come; and one of them, at an address of its own.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { get, getIfThere, getPage, part } from "../api";
import { bytes, localTime, ms } from "../format";
import { listen } from "../live";
import { useAction, useLoad } from "../load";
import { FileByName, Printed, Said } from "../outcome";
import { Choice, Empty, Meter, Problem, Status, Waiting } from "../parts";
import { rewrite, to, useRoute } from "../route";
import { session } from "../session";
import type { FunctionRow, LogRow, RunResult } from "../types";

const POLL_MS = 2000;
const KEPT_LINES = 500;
const SPANS: [string, string][] = [["", "any time"], ["10", "10 minutes"], ["60", "an hour"], ["1440", "a day"], ["10080", "a week"]];
const STATES: [string, string][] = [["", "any outcome"], ["SUCCESS", "success"], ["FAILED", "failed"], ["TIMEOUT", "timeout"], ["ERROR", "error"]];

interface Line {
  requestId: string;
  stream: string;
  text: string;
  at: string;
}

export function Logs({ row }: { row: FunctionRow }) {
  const { query } = useRoute();
  const [since, setSince] = useState(query.get("since") ?? "");
  const [state, setState] = useState(query.get("status") ?? "");
  const [words, setWords] = useState(query.get("search") ?? "");
  const [live, setLive] = useState(true);
  const [polls, setPolls] = useState(false);
  const [lines, setLines] = useState<Line[]>([]);
  const [older, setOlder] = useState<LogRow[]>([]);
  const [next, setNext] = useState<string | null | undefined>(undefined);
  useLayoutEffect(() => rewrite({ since, status: state, search: words }), [since, state, words]);

  const path = `/functions/${part(row.functionId)}/logs?limit=100`;
  const start = () => (since ? `&startTime=${part(new Date(Date.now() - Number(since) * 60_000).toISOString())}` : "");
  const first = useLoad((signal) => getPage<LogRow>(path + start(), signal), [row.functionId, since], live && polls ? POLL_MS : 0);
  useEffect(() => (setOlder([]), setNext(undefined)), [row.functionId, since]);

  const reload = useRef(first.reload);
  reload.current = first.reload;
  useEffect(() => {
    if (!live) return;
    return listen({ functions: [row.functionId], kinds: ["log", "run"], absent: () => setPolls(true), tell: ({ kind, data }) => {
      if (kind === "log") setLines((before) => [...before, data as unknown as Line].slice(-KEPT_LINES));
      if (kind === "gap" || (kind === "run" && data["phase"] === "finished")) reload.current();
    } });
  }, [live, row.functionId]);

  const behind = next === undefined ? (first.data?.next ?? null) : next;
  const more = useAction(async () => {
    const page = await getPage<LogRow>(behind!);
    setOlder((before) => [...before, ...page.items]);
    setNext(page.next);
  });

  if (!first.data) return first.error ? <Problem error={first.error} /> : <Waiting />;
  const known = new Set(first.data.items.map((item) => item.requestId));
  const rows = [...first.data.items, ...older.filter((item) => !known.has(item.requestId))];
  const wanted = words.toLowerCase();
  const shown = rows.filter((item) => (!state || item.status === state) &&
    (!wanted || `${item.message} ${item.requestId} ${item.code ?? ""} ${item.traceId ?? ""}`.toLowerCase().includes(wanted)));
  return (
    <>
      <div class="row filters">
        <div class="field grow">
          <label for="log-search">Search</label>
          <input id="log-search" type="search" placeholder="Text, request or trace id" value={words}
            onInput={(event) => setWords(event.currentTarget.value)} />
        </div>
        <Choice label="Outcome" value={state} onValue={setState} options={STATES} />
        <Choice label="Since" value={since} onValue={setSince} options={SPANS} />
        <label class="check">
          <input type="checkbox" checked={live} onChange={(event) => setLive(event.currentTarget.checked)} /> Live
        </label>
      </div>
      <Problem error={first.error ?? more.error} />
      {lines.length > 0 && (
        <pre class="output tail" tabIndex={0} role="log" aria-label="Lines as they are printed">
          {lines.map((line, i) => <span key={i} class={line.stream}>{line.text.replace(/\n?$/, "\n")}</span>)}
        </pre>
      )}
      {rows.length === 0 ? (
        <Empty title={since ? "No runs in that time" : "No runs yet"}>
          <p><a href={to("functions", row.functionId)}>Run it</a>, and each run is a row here.</p>
        </Empty>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Runs">
          <table class="cards">
            <thead>
              <tr><th scope="col">Time</th><th scope="col">Outcome</th><th scope="col">Message</th><th scope="col" class="num">Took</th>
                <th scope="col" class="num">Memory</th></tr>
            </thead>
            <tbody>
              {shown.map((item) => (
                <tr key={item.requestId}>
                  <td class="nowrap"><a href={to("functions", row.functionId, "logs", item.requestId)}>{localTime(item.timestamp)}</a></td>
                  <td data-title="Outcome"><Status value={item.status} />{item.coldStart && <small class="quiet"> cold</small>}</td>
                  <td class="message"><code>{item.code ? `${item.code}: ` : ""}{item.message}</code></td>
                  <td class="num" data-title="Took">{ms(item.duration)}</td>
                  <td class="num" data-title="Memory">{bytes(item.peakMemoryBytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div class="row foot">
        {rows.length > 0 && <span class="quiet" role="status">{shown.length} of {rows.length} loaded</span>}
        {behind && <button type="button" disabled={more.busy} onClick={() => more.run()}>Load older</button>}
      </div>
    </>
  );
}

// One run. All of it as long as its result is kept, an hour; then what the log row has.
export function OneRun({ row, requestId }: { row: FunctionRow; requestId: string }) {
  const log = useLoad((signal) => get<LogRow>(`/functions/${part(row.functionId)}/logs/${part(requestId)}`, signal), [requestId]);
  const kept = useLoad(async (signal) => (session.may("invoke") ? getIfThere<RunResult>(`/status/${part(requestId)}`, signal) : null), [requestId]);
  const item = log.data;
  const result = kept.data && kept.data.status !== "pending" ? kept.data : null;
  if (!item) return log.error ? <Problem error={log.error} /> : <Waiting />;
  const limit = item.allocatedMemoryMb;
  return (
    <div class="outcome">
      <p><a href={to("functions", row.functionId, "logs")}>All runs</a></p>
      <h2>Run of {localTime(item.timestamp)}</h2>
      <p class="facts">
        <Status value={item.status} />
        <span>{ms(item.duration)}{item.handlerDurationMs !== null && `, of which the handler ${ms(item.handlerDurationMs)}`}</span>
        {item.coldStart !== null && <span>{item.coldStart ? "cold start" : "warm"}</span>}
      </p>
      <p class="facts"><span>Request <code>{item.requestId}</code></span>{item.traceId && <span>Trace <code>{item.traceId}</code></span>}</p>
      {result ? <Said functionId={row.functionId} result={result} /> : (
        <>
          {item.code && <div class="notice bad"><code>{item.code}</code></div>}
          <Printed title="Message" text={item.message} />
          {kept.data === null && session.may("invoke") && <FileByName functionId={row.functionId} requestId={requestId} />}
        </>
      )}
      {limit !== null && item.peakMemoryBytes !== null && (
        <Meter label="Memory" part={item.peakMemoryBytes / (limit * 1048576)} note={`${bytes(item.peakMemoryBytes)} of ${limit} MiB`} />
      )}
    </div>
  );
}
