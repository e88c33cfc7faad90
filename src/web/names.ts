// Functions' names for pages that know ids alone: each is asked for once.
import { useEffect, useState } from "preact/hooks";
import { get, part } from "./api";

const known = new Map<string, string>();

// By id; what is not known yet, or is gone, is the end of the id: its beginning is the time.
export function useNames(ids: string[]): (id: string) => string {
  const [, redraw] = useState(0);
  const wanted = [...new Set(ids)].filter((id) => !known.has(id));
  useEffect(() => {
    for (const id of wanted) {
      known.set(id, "");
      get<{ name: string }>(`/functions/${part(id)}`).then(({ name }) => {
        known.set(id, name);
        redraw((turn) => turn + 1);
      }, () => {});
    }
  }, [wanted.join()]);
  return (id) => known.get(id) || `…${id.slice(-8)}`;
}
