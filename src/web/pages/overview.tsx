// How the platform is: its health, what runs and waits, how long runs take, what happened last.
import { useEffect, useState } from "preact/hooks";
import { call, getIfThere } from "../api";
import { count, ms, seconds } from "../format";
import { listen } from "../live";
import { useLoad } from "../load";
import { quantile, readMetrics, sum } from "../metrics";
import { useNames } from "../names";
import { Empty, Meter, Problem, Status, Time, Waiting } from "../parts";
import { to } from "../route";
import { session } from "../session";
import type { PlatformEvent } from "../types";

const POLL_MS = 3000; // where the server tells of no runs
const REFRESH_MS = 30_000; // of what no run changes
const BETWEEN_MS = 1000; // however many runs there are
const SHOWN = 30; // events

interface System {
  status: string;
  worker_count: number;
  active_jobs: number;
  pools: Record<string, number>;
  uptime_seconds: number;
}

interface Health {
  status: string;
  version: string;
  checks: Record<string, { status: string; latencyMs: number; error?: string }>;
  overload?: { pressure: Record<string, number>; actions: string[] };
}

// Answered with 503 where something is wrong; what is wrong is what is wanted.
async function health(signal: AbortSignal): Promise<Health | null> {
  const response = await fetch(new URL("./health", document.baseURI), { signal, cache: "no-store", credentials: "omit" });
  return response.json().catch(() => null) as Promise<Health | null>;
}

async function all(signal: AbortSignal) {
  const [system, state, metrics, events] = await Promise.all([
    getIfThere<System>("/system/status", signal), health(signal),
    call("/metrics", { signal }).then((response) => response.text()),
    getIfThere<PlatformEvent[]>("/logs", signal)]);
  return { system, state, samples: readMetrics(metrics), events: events ?? [] };
}

function Figure({ title, value, note, bad = false }: { title: string; value: string; note?: string; bad?: boolean }) {
  return (
    <div class="figure">
      <dt>{title}</dt>
      <dd class={bad ? "bad" : ""}>{value}{note && <small>{note}</small>}</dd>
    </div>
  );
}

export function Overview() {
  const [polls, setPolls] = useState(false);
  const { data, error, reload } = useLoad(all, [], polls ? POLL_MS : REFRESH_MS);
  useEffect(() => {
    let timer = 0;
    const soon = () => (timer ||= window.setTimeout(() => (timer = 0, reload()), BETWEEN_MS));
    const end = listen({ functions: null, kinds: ["run"], absent: () => setPolls(true), tell: soon });
    return () => (clearTimeout(timer), end());
  }, []);
  const nameOf = useNames((data?.events ?? []).slice(0, SHOWN).flatMap(({ functionId }) => functionId ?? []));
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  const { system, state, samples, events } = data;
  const runs = sum(samples, "function_invocations_total");
  const failed = runs - sum(samples, "function_invocations_total", { status: "SUCCESS" });
  const tail = (part: number) => {
    const value = quantile(samples, "function_duration_seconds", part);
    return ms(value === null ? null : value * 1000);
  };
  const ready = sum(samples, "job_queue_depth", { state: "ready" });
  const dead = sum(samples, "job_queue_depth", { state: "dead" });
  const pools = Object.entries(system?.pools ?? {});
  return (
    <>
      <div class="row title">
        <h1>Overview</h1>
        {state && <Status value={state.status} />}
      </div>
      <Problem error={error} />
      <dl class="figures">
        <Figure title="Runs" value={count(runs)} note="since the start" />
        <Figure title="Not a success" value={count(failed)} note={runs > 0 ? `${((100 * failed) / runs).toFixed(1)} %` : ""} bad={failed > 0} />
        <Figure title="p50" value={tail(0.5)} />
        <Figure title="p99" value={tail(0.99)} />
        <Figure title="Running" value={count(system?.active_jobs)} />
        <Figure title="Waiting" value={count(ready)} note={dead > 0 ? `${count(dead)} dead` : ""} />
        <Figure title="Workers" value={count(system?.worker_count)} bad={system?.worker_count === 0} />
        <Figure title="Up" value={seconds(system?.uptime_seconds ?? 0)} note={state?.version ?? ""} />
      </dl>
      <div class="split">
        <section>
          <h2>Engines</h2>
          <ul class="list">
            {Object.entries(state?.checks ?? {}).map(([name, check]) => (
              <li key={name}><Status value={check.status} /> {name} <span class="quiet">{ms(check.latencyMs)}</span>
                {check.error && <span class="words">{check.error}</span>}</li>
            ))}
          </ul>
          {state?.overload && Object.entries(state.overload.pressure).map(([name, value]) => (
            <Meter key={name} label={name.replaceAll("_", " ")} part={value} note={`${Math.round(value * 100)} %`} />
          ))}
          {state?.overload?.actions.map((name) => <p key={name} class="wrong">{name.replaceAll("_", " ")}</p>)}
          <h2>Warm instances</h2>
          <p class="facts">{pools.map(([name, value]) => <span key={name}>{name} <b>{value}</b></span>)}</p>
        </section>
        <section>
          <h2>What happened last</h2>
          {events.length === 0 ? (
            <Empty title="Nothing yet">
              {session.may("deploy") && <p><a href={to("deploy")}>Deploy a function</a> and run it.</p>}
            </Empty>
          ) : (
            <ul class="events">
              {events.slice(0, SHOWN).map((event) => (
                <li key={event.id} class={event.level.toLowerCase()}>
                  <Time at={event.timestamp} /> <What event={event} nameOf={nameOf} />
                  {event.status && event.status !== "SUCCESS" && <> <Status value={event.status} /></>}
                  {event.duration !== null && <span class="quiet nowrap"> {ms(event.duration)}</span>}
                </li>
              ))}
            </ul>
          )}
        </section>
      </div>
    </>
  );
}

function What({ event, nameOf }: { event: PlatformEvent; nameOf: (id: string) => string }) {
  const words = event.functionId ? event.msg.replace(`: ${event.functionId}`, "") : event.msg;
  if (!event.functionId) return <span class="words">{words}</span>;
  const target = event.requestId && event.duration !== null ? to("functions", event.functionId, "logs", event.requestId)
    : to("functions", event.functionId);
  return <><span class="words">{words}</span> <a class="words" href={target}>{nameOf(event.functionId)}</a></>;
}
