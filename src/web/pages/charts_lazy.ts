// Charts come when they are looked at, and only where the server keeps a past.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { getIfThere, part } from "../api";
import { useRoute } from "../route";

type Charts = ComponentType<{ functionId: string }>;

export function lazyCharts(functionId: string): [boolean, Charts | null] {
  const { path } = useRoute();
  const [there, setThere] = useState(false);
  const [charts, setCharts] = useState<{ page: Charts } | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const now = Date.now();
    const range = `from=${part(new Date(now - 60_000).toISOString())}&to=${part(new Date(now).toISOString())}&step=60`;
    getIfThere(`/functions/${part(functionId)}/series?${range}`, abort.signal).then((answer) => setThere(answer !== null), () => {});
    return () => abort.abort();
  }, [functionId]);
  useEffect(() => {
    if (path[2] === "charts" && charts === null) void import("./charts").then(({ Charts: page }) => setCharts({ page }));
  }, [path[2]]);
  return [there, charts?.page ?? null];
}
