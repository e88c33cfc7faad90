// A function over time, drawn by uPlot, which is loaded with this page alone.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { get, part } from "../api";
import { useLoad } from "../load";
import { Choice, Empty, Problem, Waiting } from "../parts";

interface Point {
  time: string;
  runs: number;
  errors: number;
  coldStarts: number;
  p50Ms: number;
  p99Ms: number;
  peakMemoryMb: number | null;
}

interface Series {
  from: string;
  to: string;
  step: number;  // seconds
  points: Point[];  // of the steps with runs
}

/** A step of the series: its beginning in seconds since 1970, and what ran in it, if anything did. */
interface Step {
  at: number;
  point: Point | undefined;
}

function stepsOf(series: Series): Step[] {
  const points = new Map(series.points.map((point) => [Date.parse(point.time) / 1000, point]));
  const from = Date.parse(series.from) / 1000;
  const length = Math.round((Date.parse(series.to) / 1000 - from) / series.step);
  return Array.from({ length }, (_, i) => ({ at: from + i * series.step, point: points.get(from + i * series.step) }));
}

const RANGES: [string, string][] = [["3600", "the last hour"], ["21600", "six hours"], ["86400", "a day"], ["604800", "a week"],
  ["2592000", "30 days"]];
const STEPS = [60, 300, 900, 3600, 21_600]; // of 180 points at most; the server has sums of whole hours
const REFRESH_MS = 15_000;

/** Nothing ran: a count is 0 then, and a duration is none. */
type Line = [title: string, colour: string, value: (point: Point | undefined) => number | null | undefined];
const CHARTS: [string, Line[]][] = [
  ["Runs", [["runs", "--accent", (p) => p?.runs ?? 0], ["errors", "--bad", (p) => p?.errors ?? 0]]],
  ["Latency, ms", [["p50", "--accent", (p) => p?.p50Ms], ["p99", "--warn", (p) => p?.p99Ms]]],
  ["Cold starts", [["cold starts", "--accent", (p) => p?.coldStarts ?? 0]]],
  ["Peak memory, MiB", [["memory", "--accent", (p) => p?.peakMemoryMb]]],
];

export function Charts({ functionId }: { functionId: string }) {
  const [range, setRange] = useState("3600");
  const step = STEPS.find((each) => Number(range) / each <= 180)!;
  const series = useLoad((signal) => {
    const now = Date.now();
    const from = new Date(now - Number(range) * 1000).toISOString();
    return get<Series>(
      `/functions/${part(functionId)}/series?from=${part(from)}&to=${part(new Date(now).toISOString())}&step=${step}`, signal);
  }, [functionId, range], REFRESH_MS);
  const data = series.data;
  const steps = useMemo(() => data && stepsOf(data), [data]);
  return (
    <>
      <Choice label="Range" value={range} onValue={setRange} options={RANGES} />
      <Problem error={series.error} />
      {!data && !series.error && <Waiting />}
      {data?.points.length === 0 && <Empty title="Nothing ran in that time" />}
      {data && steps && data.points.length > 0 && (
        <div class="charts">{CHARTS.map(([title, lines]) => <Chart key={title} title={title} lines={lines} steps={steps} />)}</div>
      )}
    </>
  );
}

function Chart({ title, lines, steps }: { title: string; lines: Line[]; steps: Step[] }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const chart = new uPlot({
      width: place.current!.clientWidth,
      height: 180,
      cursor: { y: false },
      axes: [axis, { ...axis, size: 56 }],
      scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] } },
      series: [{}, ...lines.map(([label, name]) => ({ label, stroke: colour(name), width: 1.5, spanGaps: false }))],
    }, [steps.map(({ at }) => at), ...lines.map(([, , value]) => steps.map(({ point }) => value(point) ?? null))], place.current!);
    const watch = new ResizeObserver(() => chart.setSize({ width: place.current!.clientWidth, height: 180 }));
    watch.observe(place.current!);
    return () => {
      watch.disconnect();
      chart.destroy();
    };
  }, [steps]);
  const total = (value: Line[2]) => steps.reduce((sum, { point }) => sum + (value(point) ?? 0), 0);
  const summary = title === "Runs" ? `${total(lines[0]![2])} runs, ${total(lines[1]![2])} of them errors` : title;
  return (
    <figure role="img" aria-label={summary}>
      <figcaption>{title}</figcaption>
      <div ref={place} />
    </figure>
  );
}
