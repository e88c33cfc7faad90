// One function: run it, its logs, its settings, its past.
import { lazyCharts } from "./charts_lazy";
import { get, part } from "../api";
import { count, ms } from "../format";
import { useLoad } from "../load";
import { Notice, Parts, Problem, Time, Waiting } from "../parts";
import { to, useRoute } from "../route";
import { session } from "../session";
import type { FunctionRow } from "../types";
import { NewCode } from "./code";
import { Logs, OneRun } from "./logs";
import { Run } from "./run";
import { Settings } from "./settings";

export function OneFunction() {
  const { path } = useRoute();
  const id = path[1]!;
  const tab = path[2] ?? "run"; // of a key that may not run it: what its runs say of its memory
  const { data: row, error, reload } = useLoad((signal) => get<FunctionRow>(`/functions/${part(id)}`, signal), [id]);
  const [seriesThere, Charts] = lazyCharts(id);
  if (!row) {
    return error ? <><h1 class="words">{id}</h1><Problem error={error} /><p><a href={to("functions")}>All functions</a></p></> : <Waiting />;
  }
  const parts: [string, string, string][] = [["run", session.may("invoke") ? "Run" : "Memory", to("functions", id)],
    ["logs", "Logs", to("functions", id, "logs")]];
  if (seriesThere) parts.push(["charts", "Charts", to("functions", id, "charts")]);
  if (session.may("deploy")) parts.push(["code", "Code", to("functions", id, "code")], ["settings", "Settings", to("functions", id, "settings")]);
  return (
    <>
      <div class="row title">
        <h1 class="words">{row.name || row.functionId}</h1>
      </div>
      <p class="facts">
        <span>{row.runtime}</span><span>{row.memoryMb} MB</span><span>{count(row.invocations)} runs</span>
        {row.invocations > 0 && <span>{ms(row.avgDuration)} on average</span>}
        <span>changed <Time at={row.updatedAt} /></span><code>{row.functionId}</code>
      </p>
      {row.description && <p class="words">{row.description}</p>}
      {row.quarantinedUntil && (
        <Notice kind="bad">Its runs are refused until <Time at={row.quarantinedUntil} />: it took its worker down again and again.
          New code is let in at once.</Notice>
      )}
      <Problem error={error} />
      <Parts label="Of this function" items={parts} current={tab} />
      {tab === "run" && <Run key={id} row={row} changed={reload} />}
      {tab === "logs" && (path[3] ? <OneRun row={row} requestId={path[3]} /> : <Logs key={id} row={row} />)}
      {tab === "code" && <NewCode key={id} row={row} changed={reload} />}
      {tab === "settings" && <Settings key={id} row={row} changed={reload} />}
      {tab === "charts" && Charts && <Charts functionId={id} />}
    </>
  );
}
