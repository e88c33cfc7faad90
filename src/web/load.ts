// Fetching for a page: the last answer, its error, and again when something it hangs on changes.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export interface Loaded<T> {
  data: T | undefined;
  error: Error | undefined;
  reload: () => void;
}

export function useLoad<T>(fetch: (signal: AbortSignal) => Promise<T>, on: unknown[], everyMs = 0): Loaded<T> {
  const [state, setState] = useState<{ data?: T; error?: Error }>({});
  const [turn, setTurn] = useState(0);
  const latest = useRef(fetch);
  latest.current = fetch;
  useEffect(() => setState({}), on);
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const load = async () => {
      if (document.hidden && everyMs > 0) {
        timer = window.setTimeout(load, everyMs);
        return;
      }
      try {
        const data = await latest.current(abort.signal);
        if (!abort.signal.aborted) setState({ data });
      } catch (error) {
        if (!abort.signal.aborted) setState((before) => ({ ...before, error: error as Error }));
      }
      if (everyMs > 0 && !abort.signal.aborted) timer = window.setTimeout(load, everyMs);
    };
    void load();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [...on, turn, everyMs]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { data: state.data, error: state.error, reload };
}

// A thing that a person starts: whether it goes on, and what went wrong.
export function useAction<A extends unknown[]>(act: (...given: A) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | undefined>();
  const run = async (...given: A) => {
    setBusy(true);
    setError(undefined);
    try {
      await act(...given);
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, run, clear: () => setError(undefined) };
}
