// The workers, and what each does.
import { get } from "../api";
import { seconds } from "../format";
import { useLoad } from "../load";
import { Empty, Problem, Status, Waiting } from "../parts";
import type { WorkerRow } from "../types";

const REFRESH_MS = 3000;

export function Workers() {
  const { data, error } = useLoad((signal) => get<{ workers: WorkerRow[] }>("/workers", signal), [], REFRESH_MS);
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  const runtimes = Object.keys(data.workers[0]?.pools ?? {});
  return (
    <>
      <h1>Workers</h1>
      <Problem error={error} />
      {data.workers.length === 0 ? (
        <Empty title="No worker is alive">
          <p>Runs wait until one comes: start <code>infra worker</code> on a machine that reaches the same engines.</p>
        </Empty>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Workers">
          <table class="cards">
            <thead>
              <tr><th scope="col">Worker</th><th scope="col">State</th><th scope="col" class="num">Running</th>
                {runtimes.map((name) => <th key={name} scope="col" class="num">{name}</th>)}
                <th scope="col" class="num">Up</th><th scope="col" class="num">Heard</th></tr>
            </thead>
            <tbody>
              {data.workers.map((worker) => (
                <tr key={worker.workerId}>
                  <td><code>{worker.workerId}</code>{worker.takesJobs === false && <small class="line">takes no jobs here</small>}</td>
                  <td data-title="State"><Status value={worker.status} /></td>
                  <td class="num" data-title="Running">{worker.activeJobs}</td>
                  {runtimes.map((name) => <td key={name} class="num" data-title={name}>{worker.pools[name] ?? 0}</td>)}
                  <td class="num" data-title="Up">{seconds(worker.uptimeSeconds)}</td>
                  <td class="num" data-title="Heard">{worker.lastSeenAgo} ago</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
