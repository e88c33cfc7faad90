// A function over time, drawn by uPlot, which is loaded with this page alone.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { get, part } from "../api";
import { useLoad } from "../load";
import { Choice, Empty, Problem, Waiting } from "../parts";

interface Point {
  at: string | number;
  runs: number;
  errors: number;
  coldStarts: number;
  p50Ms: number | null;
  p99Ms: number | null;
  peakMemoryBytesMax: number | null;
}

const RANGES: [string, string][] = [["3600", "the last hour"], ["21600", "six hours"], ["86400", "a day"], ["604800", "a week"],
  ["2592000", "30 days"]];
const MOST_POINTS = 180;
const REFRESH_MS = 15_000;

type Line = [title: string, colour: string, value: (point: Point) => number | null];
const CHARTS: [string, Line[]][] = [
  ["Runs", [["runs", "--accent", (p) => p.runs], ["errors", "--bad", (p) => p.errors]]],
  ["Latency, ms", [["p50", "--accent", (p) => p.p50Ms], ["p99", "--warn", (p) => p.p99Ms]]],
  ["Cold starts", [["cold starts", "--accent", (p) => p.coldStarts]]],
  ["Peak memory, MiB", [["memory", "--accent", (p) => (p.peakMemoryBytesMax === null ? null : p.peakMemoryBytesMax / 1048576)]]],
];

export function Charts({ functionId }: { functionId: string }) {
  const [range, setRange] = useState("3600");
  const step = Math.max(60, Math.ceil(Number(range) / MOST_POINTS / 60) * 60);
  const series = useLoad((signal) => {
    const now = Date.now();
    const from = new Date(now - Number(range) * 1000).toISOString();
    return get<{ points: Point[] }>(
      `/functions/${part(functionId)}/series?from=${part(from)}&to=${part(new Date(now).toISOString())}&step=${step}`, signal);
  }, [functionId, range], REFRESH_MS);
  const points = series.data?.points;
  return (
    <>
      <Choice label="Range" value={range} onValue={setRange} options={RANGES} />
      <Problem error={series.error} />
      {!points && !series.error && <Waiting />}
      {points?.length === 0 && <Empty title="Nothing ran in that time" />}
      {points && points.length > 0 && (
        <div class="charts">{CHARTS.map(([title, lines]) => <Chart key={title} title={title} lines={lines} points={points} />)}</div>
      )}
    </>
  );
}

function Chart({ title, lines, points }: { title: string; lines: Line[]; points: Point[] }) {
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
      series: [{}, ...lines.map(([label, name]) => ({ label, stroke: colour(name), width: 1.5, points: { show: points.length < 30 } }))],
    }, [points.map(({ at }) => new Date(at).getTime() / 1000), ...lines.map(([, , value]) => points.map(value))], place.current!);
    const watch = new ResizeObserver(() => chart.setSize({ width: place.current!.clientWidth, height: 180 }));
    watch.observe(place.current!);
    return () => {
      watch.disconnect();
      chart.destroy();
    };
  }, [points]);
  const total = (value: Line[2]) => points.reduce((sum, point) => sum + (value(point) ?? 0), 0);
  const summary = title === "Runs" ? `${total(lines[0]![2])} runs, ${total(lines[1]![2])} of them errors` : title;
  return (
    <figure role="img" aria-label={summary}>
      <figcaption>{title}</figcaption>
      <div ref={place} />
    </figure>
  );
}
