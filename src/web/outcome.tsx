// What came of a run: its value, what it printed, where its time went, what it used. All of it is text, never markup.
import { useState } from "preact/hooks";
import { download, part } from "./api";
import { bytes, json, ms } from "./format";
import { fileNamesOf, keepFileNames } from "./inputs";
import { useAction } from "./load";
import { Meter, Problem, Status, Text } from "./parts";
import { to } from "./route";
import type { RunResult } from "./types";

export type Timing = Record<string, number>;

// "total;dur=0.231, worker;dur=0.174, handler;dur=0.012"
export function readTiming(header: string | null): Timing {
  const timing: Timing = {};
  for (const [, name, value] of (header ?? "").matchAll(/([\w-]+);dur=([\d.]+)/g)) timing[name!] = Number(value);
  return timing;
}

interface Span {
  title: string;
  from: number;
  long: number;
}

// Of what lies in one another only lengths are known; each is shown in the middle of the one around it, the browser's outermost.
function spans(timing: Timing, tripMs: number | null): Span[] {
  const found: Span[] = [];
  let from = 0;
  let around = 0;
  const add = (title: string, long: number | undefined | null) => {
    if (long === undefined || long === null) return;
    if (found.length > 0) from += Math.max(0, around - long) / 2;
    found.push({ title, from, long });
    around = long;
  };
  add("Browser", tripMs);
  add("Request", timing["total"]);
  add("Worker", timing["worker"]);
  add("Handler", timing["handler"]);
  return found;
}

function Waterfall({ timing, tripMs }: { timing: Timing; tripMs: number | null }) {
  const found = spans(timing, tripMs);
  const whole = Math.max(...found.map((span) => span.long), 0.001);
  if (found.length === 0) return null;
  return (
    <section aria-label="Where the time went">
      <h3>Time</h3>
      <table class="waterfall">
        <tbody>
          {found.map(({ title, from, long }) => (
            <tr key={title}>
              <th scope="row">{title}</th>
              <td class="track"><span style={{ marginLeft: `${(from / whole) * 100}%`, width: `${Math.max(0.5, (long / whole) * 100)}%` }} /></td>
              <td class="num">{ms(long)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

async function fetchFile(functionId: string, requestId: string, name: string): Promise<void> {
  const path = name.split("/").map(part).join("/");
  await download(`/functions/${part(functionId)}/logs/${part(requestId)}/files/${path}`, name);
}

function Files({ functionId, result }: { functionId: string; result: RunResult }) {
  const get = useAction((name: string) => fetchFile(functionId, result.requestId, name));
  if (!result.outputFiles?.length) return null;
  keepFileNames(functionId, result.outputFiles.map(({ name }) => name));
  return (
    <section>
      <h3>Output files</h3>
      <ul class="files">
        {result.outputFiles.map((file) => (
          <li key={file.name}>
            <button type="button" class="plain link" disabled={get.busy} onClick={() => get.run(file.name)}>{file.name}</button>
            <span class="quiet">{bytes(file.size)}</span>
          </li>
        ))}
      </ul>
      <Problem error={get.error} />
    </section>
  );
}

// Of a run whose result has gone, and with it the list: the server knows the files by their names alone.
export function FileByName({ functionId, requestId }: { functionId: string; requestId: string }) {
  const [name, setName] = useState("");
  const get = useAction(() => fetchFile(functionId, requestId, name));
  return (
    <details>
      <summary>Output files</summary>
      <form class="narrow" onSubmit={(event) => (event.preventDefault(), void get.run())}>
        <Text label="Name of the file" value={name} onValue={setName} more={{ required: true, list: "file-names" }}
          hint="As the function named it in /output. The list is kept for an hour, the files for 30 days." />
        <datalist id="file-names">{fileNamesOf(functionId).map((each) => <option key={each} value={each} />)}</datalist>
        <Problem error={get.error} />
        <button disabled={get.busy || name === ""}>{get.busy ? "Fetching…" : "Download"}</button>
      </form>
    </details>
  );
}

export function Printed({ title, text }: { title: string; text: string }) {
  if (text === "") return null;
  return (
    <section>
      <h3>{title}</h3>
      <pre class="output" tabIndex={0} role="region" aria-label={title}>{text}</pre>
    </section>
  );
}

// What a run said and left behind.
export function Said({ functionId, result }: { functionId: string; result: RunResult }) {
  return (
    <>
      {result.error && <div class="notice bad" role="alert"><span class="words">{result.error}</span> {result.code && <code>{result.code}</code>}</div>}
      {result.status === "SUCCESS" && (
        <section>
          <h3>Result</h3>
          <pre class="output" tabIndex={0} role="region" aria-label="Result">{json(result.result)}</pre>
        </section>
      )}
      <Printed title="stdout" text={result.stdout} />
      <Printed title="stderr" text={result.stderr} />
      <Files functionId={functionId} result={result} />
    </>
  );
}

export function Outcome({ functionId, result, timing = {}, tripMs = null }:
  { functionId: string; result: RunResult; timing?: Timing; tripMs?: number | null }) {
  const limit = result.allocatedMemoryMb;
  const used = result.peakMemoryBytes;
  return (
    <div class="outcome" aria-live="polite">
      <p class="facts">
        <Status value={result.status} />
        <span>{ms(result.durationUs / 1000)}</span>
        <span>{result.coldStart ? "cold start" : "warm"}</span>
        <a href={to("functions", functionId, "logs", result.requestId)}><code>{result.requestId}</code></a>
      </p>
      <Said functionId={functionId} result={result} />
      <Waterfall timing={timing} tripMs={tripMs} />
      {limit !== null && used !== null && limit > 0 && (
        <Meter label="Memory" part={used / (limit * 1048576)} note={`${bytes(used)} of ${limit} MiB`} />
      )}
    </div>
  );
}
