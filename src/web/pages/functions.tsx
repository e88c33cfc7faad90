// All functions: found by name, id or runtime, sorted, a thousand at a time from the server and fifty on the screen.
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { ApiError, get, getPage, part } from "../api";
import { count, ms } from "../format";
import { Empty, Problem, Time, Waiting } from "../parts";
import { go, rewrite, to, useRoute } from "../route";
import { lookThrough, matches, wordsOf, type Looked } from "../search";
import { session } from "../session";
import type { FunctionRow } from "../types";

const SHOWN = 50;
const FIRST = "/functions?limit=1000";
const PAGES_A_LOOK = 10; // that come before they are sorted in

type Column = "name" | "runtime" | "memoryMb" | "invocations" | "avgDuration" | "updatedAt";
const COLUMNS: [Column, string, boolean][] = [["name", "Name", false], ["runtime", "Runtime", false], ["memoryMb", "Memory", true],
  ["invocations", "Runs", true], ["avgDuration", "Average", true], ["updatedAt", "Changed", true]];

interface Row extends FunctionRow {
  text: string; // what is looked through
}

function withText(row: FunctionRow): Row {
  return { ...row, text: `${row.name} ${row.functionId} ${row.runtime} ${row.description}`.toLowerCase() };
}

// There may be 100,000: they are looked through beside what is typed.
function useFound(rows: Row[], words: string): Looked<Row> {
  const wanted = wordsOf(words);
  const [state, setState] = useState<{ rows: Row[]; wanted: string; looked: Looked<Row> }>();
  useEffect(() => {
    if (wanted.length === 0) return;
    const abort = new AbortController();
    void lookThrough(rows, wanted, (looked) => setState({ rows, wanted: wanted.join(" "), looked }), abort.signal);
    return () => abort.abort();
  }, [rows, wanted.join(" ")]);
  if (wanted.length === 0) return { found: rows, looked: rows.length, done: true };
  if (state?.rows === rows && state.wanted === wanted.join(" ")) return state.looked;
  return { found: state?.looked.found ?? [], looked: 0, done: false }; // what the letters before found, for a moment
}

export function Functions() {
  const { query } = useRoute();
  const [rows, setRows] = useState<Row[]>([]);
  const [next, setNext] = useState<string | null>(FIRST);
  const [error, setError] = useState<Error | undefined>();
  const [busy, setBusy] = useState(false);
  const [words, setWords] = useState(query.get("search") ?? "");
  const [sort, setSort] = useState<Column>((query.get("sort") as Column) ?? "updatedAt");
  const [down, setDown] = useState(query.get("order") !== "up");
  const [page, setPage] = useState(0);

  const more = async (from: string, all = false) => {
    setBusy(true);
    try {
      let path = from;
      let come: Row[] = [];
      for (let pages = 1; ; ++pages) {
        const { items, next: behind } = await getPage<FunctionRow>(path);
        come = come.concat(items.map(withText));
        if (!all || behind === null || pages % PAGES_A_LOOK === 0) {
          const added = come;
          setRows((before) => (from === FIRST ? added : before.concat(added)));
          setNext(behind);
          come = [];
        }
        if (!all || behind === null) break;
        path = behind;
      }
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => void (session.may("read") && more(FIRST)), []);
  useLayoutEffect(() => rewrite({ search: words, sort: sort === "updatedAt" ? "" : sort, order: down ? "" : "up" }), [words, sort, down]);

  // Of functions that are not loaded yet, one by its whole name or id.
  const open = async (event: Event) => {
    event.preventDefault();
    if (words.trim() === "") return;
    const matching = sorted.filter(({ text }) => matches(text, wordsOf(words)));
    if (matching.length === 1) return go(to("functions", matching[0]!.functionId));
    if (next === null && matching.length > 0) return;
    const id = /^[0-9a-f-]{36}$/.test(words.trim()) ? words.trim() : `name:${words.trim()}`;
    try {
      go(to("functions", (await get<FunctionRow>(`/functions/${part(id)}`)).functionId));
    } catch (failure) {
      if (!(failure instanceof ApiError) || failure.status === 0) setError(failure as Error);
    }
  };

  const sorted = useMemo(() => rows.toSorted((a, b) => {
    const order = a[sort] < b[sort] ? -1 : a[sort] > b[sort] ? 1 : 0;
    return down ? -order : order;
  }), [rows, sort, down]);
  const { found: shown, looked, done } = useFound(sorted, words);

  if (!session.may("read")) {
    return <Empty title="This key may not see functions"><p>It may run them: <code>infra invoke NAME</code></p></Empty>;
  }
  if (error && rows.length === 0) return <Problem error={error} />;
  if (rows.length === 0 && next !== null) return <Waiting />;
  if (rows.length === 0) {
    return (
      <Empty title="No functions yet">
        <p>Write one in the page, or drop a folder on it:</p>
        {session.may("deploy") && <a class="button primary" href={to("deploy")}>Deploy the first function</a>}
        <p>From a terminal: <code>infra init python hello && infra deploy hello</code></p>
      </Empty>
    );
  }

  const pages = Math.max(1, Math.ceil(shown.length / SHOWN));
  const current = Math.min(page, pages - 1);
  const choose = (column: Column) => {
    setDown(column === sort ? !down : column !== "name" && column !== "runtime");
    setSort(column);
  };
  return (
    <>
      <div class="row title">
        <h1>Functions</h1>
        <form role="search" onSubmit={open} class="grow">
          <input type="search" aria-label="Search functions" placeholder="Name, id or runtime" value={words}
            onInput={(event) => (setWords(event.currentTarget.value), setPage(0))} />
        </form>
        {session.may("deploy") && <a class="button primary" href={to("deploy")}>Deploy</a>}
      </div>
      <Problem error={error} />
      <div class="scroll" tabIndex={0} role="region" aria-label="Functions">
        <table class="cards">
          <thead>
            <tr>
              {COLUMNS.map(([column, title, numeric]) => (
                <th key={column} class={numeric ? "num" : ""} scope="col"
                  aria-sort={column === sort ? (down ? "descending" : "ascending") : undefined}>
                  <button type="button" class="plain" onClick={() => choose(column)}>
                    {title}<span aria-hidden="true">{column === sort ? (down ? " ↓" : " ↑") : ""}</span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.slice(current * SHOWN, (current + 1) * SHOWN).map((row) => (
              <tr key={row.functionId}>
                <td><a href={to("functions", row.functionId)}>{row.name || row.functionId}</a>
                  {row.quarantinedUntil && <span class="status bad">refused</span>}
                  {row.description && <small class="line">{row.description}</small>}</td>
                <td data-title="Runtime">{row.runtime}</td>
                <td class="num" data-title="Memory">{row.memoryMb} MB</td>
                <td class="num" data-title="Runs">{count(row.invocations)}</td>
                <td class="num" data-title="Average">{row.invocations > 0 ? ms(row.avgDuration) : "–"}</td>
                <td class="num" data-title="Changed"><Time at={row.updatedAt} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length === 0 && done && <p class="quiet">Nothing matches. {next !== null && "Enter opens one by its whole name or id."}</p>}
      <div class="row foot">
        <span class="quiet" role="status">
          {done ? <>{count(shown.length)} of {count(rows.length)}{next !== null && " loaded"}</>
            : <>{count(shown.length)} found, {count(looked)} of {count(rows.length)} looked at</>}
        </span>
        {next !== null && <button type="button" disabled={busy} onClick={() => more(next)}>{busy ? "Loading…" : "Load more"}</button>}
        {next !== null && <button type="button" disabled={busy} onClick={() => more(next, true)}>Load all</button>}
        {pages > 1 && (
          <span class="pages">
            <button type="button" disabled={current === 0} onClick={() => setPage(current - 1)}>Previous</button>
            <span>{current + 1} / {pages}</span>
            <button type="button" disabled={current === pages - 1} onClick={() => setPage(current + 1)}>Next</button>
          </span>
        )}
      </div>
    </>
  );
}
