// Values as a person reads them.

export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 1) return `${value.toFixed(2)} ms`;
  if (value < 1000) return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} ms`;
  return value < 60_000 ? `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s` : `${Math.round(value / 60_000)} min`;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toLocaleString("en");
}

export function seconds(value: number): string {
  const steps: [number, string][] = [[86400, "d"], [3600, "h"], [60, "min"]];
  for (const [size, name] of steps) if (value >= size) return `${Math.floor(value / size)} ${name}`;
  return `${Math.round(value)} s`;
}

export function ago(time: string | number): string {
  const past = (Date.now() - new Date(time).getTime()) / 1000;
  return past < 2 ? "now" : `${seconds(past)} ago`;
}

export function localTime(time: string | number): string {
  const date = new Date(time);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function json(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? "null";
}
