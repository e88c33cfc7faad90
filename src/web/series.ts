// A function's runs over time, as GET /functions/:id/series tells of them: of steps without runs it is silent.

export interface Point {
  time: string;
  runs: number;
  errors: number;
  coldStarts: number;
  p50Ms: number | null;
  p99Ms: number | null;
  peakMemoryMb: number | null;
}

export interface Series {
  from: string;
  to: string;
  step: number; // seconds
  points: Point[]; // of the steps with runs
}

// A step: its beginning in seconds since 1970, and what ran in it, if anything did.
export interface Step {
  at: number;
  point: Point | undefined;
}

// All of them, in order.
export function stepsOf(series: Series): Step[] {
  const points = new Map(series.points.map((point) => [Date.parse(point.time) / 1000, point]));
  const from = Date.parse(series.from) / 1000;
  const length = Math.round((Date.parse(series.to) / 1000 - from) / series.step);
  return Array.from({ length }, (_, i) => ({ at: from + i * series.step, point: points.get(from + i * series.step) }));
}

// Where values stand that have none beside them: no line leads to these, so each is drawn as a dot.
export function alone(values: ArrayLike<number | null | undefined>): number[] {
  const none = (i: number) => values[i] === null || values[i] === undefined;
  return Array.from({ length: values.length }, (_, i) => i).filter((i) => !none(i) && none(i - 1) && none(i + 1));
}
