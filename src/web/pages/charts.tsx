// A function over time, drawn by uPlot, which is loaded with this page alone.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { get, part } from "../api";
import { count, localTime, ms } from "../format";
import { useLoad } from "../load";
import { Choice, Empty, Problem, Waiting } from "../parts";
import { alone, stepsOf, type Point, type Series, type Step } from "../series";

const RANGES: [string, string][] = [["3600", "the last hour"], ["21600", "six hours"], ["86400", "a day"], ["604800", "a week"],
  ["2592000", "30 days"]];
const STEPS: [number, string][] = [[60, "a minute"], [300, "each 5 minutes"], [900, "each 15 minutes"], [3600, "an hour"],
  [21_600, "each 6 hours"]];
const MOST_POINTS = 180; // a line's width each on a phone
const REFRESH_MS = 15_000;
const HEIGHT = 180;
const WHOLE = [1, 2, 5].flatMap((digit) => Array.from({ length: 12 }, (_, power) => digit * 10 ** power)).sort((a, b) => a - b);

interface Line {
  title: string;
  colour: string;
  value: (point: Point | undefined) => number | null | undefined; // nothing ran: a count is 0 then, and a duration is none
}

interface Kind {
  title: (pace: string) => string;
  whole?: boolean; // counts have no halves
  shown: (value: number) => string;
  lines: Line[]; // the last lies over the others
}

const CHARTS: Kind[] = [
  { title: (pace) => `Runs ${pace}`, whole: true, shown: count, lines: [
    { title: "errors", colour: "--bad", value: (p) => p?.errors ?? 0 }, { title: "runs", colour: "--accent", value: (p) => p?.runs ?? 0 }] },
  { title: () => "Latency, ms", shown: ms, lines: [
    { title: "p50", colour: "--accent", value: (p) => p?.p50Ms }, { title: "p99", colour: "--warn", value: (p) => p?.p99Ms }] },
  { title: (pace) => `Cold starts ${pace}`, whole: true, shown: count, lines: [
    { title: "cold starts", colour: "--accent", value: (p) => p?.coldStarts ?? 0 }] },
  { title: () => "Peak memory, MB", shown: (value) => `${value} MB`, lines: [
    { title: "memory", colour: "--accent", value: (p) => p?.peakMemoryMb }] },
];

export function Charts({ functionId }: { functionId: string }) {
  const [range, setRange] = useState("3600");
  const [step, pace] = STEPS.find(([each]) => Number(range) / each <= MOST_POINTS)!;
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
      <div class="row filters"><Choice label="Range" value={range} onValue={setRange} options={RANGES} /></div>
      <Problem error={series.error} />
      {!data && !series.error && <Waiting />}
      {data?.points.length === 0 && <Empty title="Nothing ran in that time"><p>A longer range may have some.</p></Empty>}
      {data && steps && data.points.length > 0 && (
        <div class="charts">{CHARTS.map((kind, i) => <Chart key={i} kind={kind} pace={pace} steps={steps} />)}</div>
      )}
    </>
  );
}

function summaryOf({ title, lines, shown }: Kind, pace: string, steps: Step[]): string {
  const values = (line: Line) => steps.flatMap(({ point }) => line.value(point) ?? []);
  const total = (line: Line) => values(line).reduce((sum, value) => sum + value, 0);
  if (lines[0]!.title === "errors") return `${total(lines[1]!)} runs, ${total(lines[0]!)} of them errors`;
  return `${title(pace)}: ${lines.map((line) => `${line.title} at most ${shown(Math.max(0, ...values(line)))}`).join(", ")}`;
}

// Times as the other pages write them; the day stands below where it is another.
function timesOf(_plot: uPlot, splits: number[], _axis: number, _space: number, between: number): string[] {
  let day = "";
  return splits.map((at) => {
    const [date, time] = localTime(at * 1000).split(" ") as [string, string];
    if (between >= 86_400) return date.slice(5);
    const text = date === day ? time.slice(0, 5) : `${time.slice(0, 5)}\n${date.slice(5)}`;
    day = date;
    return text;
  });
}

function dataOf({ lines }: Kind, steps: Step[]): uPlot.AlignedData {
  return [steps.map(({ at }) => at), ...lines.map(({ value }) => steps.map(({ point }) => value(point) ?? null))];
}

function Chart({ kind, pace, steps }: { kind: Kind; pace: string; steps: Step[] }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  useEffect(() => {
    const box = place.current!;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const series = kind.lines.map(({ title, colour: name }): uPlot.Series => ({
      label: title, stroke: colour(name), width: 1.5, spanGaps: false, value: (_plot, value) => (value === null ? "–" : kind.shown(value)),
      points: { show: true, size: 5, fill: colour(name), filter: (plot, i) => alone(plot.data[i]!) },
    }));
    chart.current = new uPlot({
      width: box.clientWidth,
      height: HEIGHT,
      cursor: { y: false },
      axes: [{ ...axis, values: timesOf }, { ...axis, size: 56, ...(kind.whole ? { incrs: WHOLE } : {}) }],
      scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] } },
      series: [{ label: "time", value: (_plot, value) => (value === null ? "–" : localTime(value * 1000).slice(0, 16)) }, ...series],
    }, dataOf(kind, steps), box);
    const watch = new ResizeObserver(() => chart.current?.setSize({ width: box.clientWidth, height: HEIGHT }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [kind]);
  useEffect(() => chart.current?.setData(dataOf(kind, steps)), [steps]);
  return (
    <figure>
      <figcaption>{kind.title(pace)}</figcaption>
      <div role="img" aria-label={summaryOf(kind, pace, steps)} ref={place} />
    </figure>
  );
}
