// Runs a function with an input, now or as a job, and shows what came of it; beside it what its memory should be.
import { useState } from "preact/hooks";
import { call, get, getIfThere, part, send } from "../api";
import { Editor } from "../editor";
import { inputOf, keepInput } from "../inputs";
import { useAction, useLoad } from "../load";
import { Outcome, readTiming, type Timing } from "../outcome";
import { Notice, Problem } from "../parts";
import { session } from "../session";
import type { Advice, FunctionRow, RunResult } from "../types";

const POLL_MS = 500;

function whyNoJson(text: string): string {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

export function Run({ row, changed }: { row: FunctionRow; changed: () => void }) {
  const [input, setInput] = useState(() => inputOf(row.functionId));
  const [shown, setShown] = useState<{ result: RunResult; timing: Timing; tripMs: number | null } | null>(null);
  const [job, setJob] = useState("");
  const [runs, setRuns] = useState(0);
  const wrong = whyNoJson(input);

  // The text goes as it was written: numbers keep their digits.
  const request = (headers: Record<string, string> = {}) => call("/run", {
    method: "POST",
    body: `{"functionId":${JSON.stringify(row.functionId)},"inputData":${input}}`,
    headers: { "content-type": "application/json", ...headers },
  });
  const now = useAction(async () => {
    if (wrong) return;
    const started = performance.now();
    const response = await request();
    const result = (await response.json()) as RunResult;
    setShown({ result, timing: readTiming(response.headers.get("server-timing")), tripMs: performance.now() - started });
    setRuns(runs + 1);
    changed();
  });
  const later = useAction(async () => {
    const { jobId } = (await (await request({ "x-async": "true" })).json()) as { jobId: string };
    setShown(null);
    setJob(jobId);
    for (;;) {
      const result = await get<RunResult>(`/status/${part(jobId)}`);
      if (result.status !== "pending") {
        setJob("");
        setShown({ result, timing: {}, tripMs: null });
        setRuns(runs + 1);
        changed();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  });
  const busy = now.busy || later.busy;
  const keep = (text: string) => {
    keepInput(row.functionId, text);
    setInput(text);
  };
  if (!session.may("invoke")) return <Memory row={row} runs={runs} changed={changed} />;
  return (
    <div class="split run">
      <section>
        <h2>Input</h2>
        <Editor label="Input, JSON" value={input} onValue={keep} rows={9} onSubmit={() => void now.run()} />
        {wrong && <p class="wrong" role="status">This is no JSON yet: {wrong}</p>}
        <div class="row">
          <button type="button" class="primary" disabled={busy || wrong !== ""} onClick={() => now.run()}>
            {now.busy ? "Running…" : "Run"}
          </button>
          <button type="button" disabled={busy || wrong !== ""} onClick={() => later.run()}>Run as a job</button>
          <small class="quiet">Ctrl + Enter runs</small>
        </div>
      </section>
      <section class="beside" aria-label="Outcome">
        <h2>Outcome</h2>
        <Problem error={now.error ?? later.error} />
        {job && <p role="status">Job <code>{job}</code> is accepted; its result comes here.</p>}
        {shown ? <Outcome functionId={row.functionId} {...shown} /> : !job && <p class="quiet">Nothing has been run from here yet.</p>}
      </section>
      <Memory row={row} runs={runs} changed={changed} />
    </div>
  );
}

function Memory({ row, runs, changed }: { row: FunctionRow; runs: number; changed: () => void }) {
  const path = `/functions/${part(row.functionId)}/advice`;
  const advice = useLoad((signal) => getIfThere<Advice>(path, signal), [row.functionId, row.memoryMb, runs]);
  const [done, setDone] = useState("");
  const apply = useAction(async () => {
    const { memoryMb } = await send<{ memoryMb: number }>("PUT", path);
    setDone(`It has ${memoryMb} MB now.`);
    changed();
  });
  if (!advice.data) return null;
  const { apply: change, optimizationTip, runs: measured, confidence } = advice.data;
  return (
    <section class="advice">
      <h2>Memory advice</h2>
      <p>{optimizationTip}</p>
      {change && <p class="quiet">From {measured} runs, confidence {confidence}.</p>}
      {change && session.may("deploy") && (
        <button type="button" disabled={apply.busy} onClick={() => apply.run()}>Give it {change.memoryMb} MB</button>
      )}
      {done && <Notice>{done}</Notice>}
      <Problem error={apply.error} />
    </section>
  );
}
