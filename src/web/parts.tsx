// What all pages are put together of.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { ApiError } from "./api";
import { ago, localTime } from "./format";

export function Problem({ error }: { error: Error | undefined }) {
  if (!error) return null;
  const id = error instanceof ApiError ? error.requestId : "";
  return (
    <div class="notice bad" role="alert">
      <span class="words">{error.message}</span>
      {id && <small> Request <code>{id}</code></small>}
    </div>
  );
}

export function Notice({ children, kind = "good" }: { children: ComponentChildren; kind?: string }) {
  return <div class={`notice ${kind}`} role="status">{children}</div>;
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Waiting() {
  return <p class="waiting" role="status">Loading…</p>;
}

const MARKS: Record<string, string> = { SUCCESS: "good", done: "good", healthy: "good", OK: "good", FAILED: "bad", ERROR: "bad", TIMEOUT: "warn" };

export function Status({ value }: { value: string }) {
  return <span class={`status ${MARKS[value] ?? ""}`}>{value.toLowerCase()}</span>;
}

export function Time({ at }: { at: string | number }) {
  return <time dateTime={new Date(at).toISOString()} title={localTime(at)}>{ago(at)}</time>;
}

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  children: (id: string, hintId: string | undefined) => ComponentChildren;
}

export function Field({ label, hint, children }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, hint ? `${id}-hint` : undefined)}
      {hint && <small id={`${id}-hint`}>{hint}</small>}
    </div>
  );
}

interface TextProps {
  label: string;
  value: string;
  onValue: (value: string) => void;
  hint?: ComponentChildren;
  more?: Record<string, unknown>;
}

export function Text({ label, value, onValue, hint, more = {} }: TextProps) {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <input id={id} aria-describedby={hintId} value={value} autocomplete="off" spellcheck={false} {...more}
          onInput={(event) => onValue(event.currentTarget.value)} />
      )}
    </Field>
  );
}

export function Choice({ label, value, onValue, options }: TextProps & { options: [string, string][] }) {
  return (
    <Field label={label}>
      {(id) => (
        <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value)}>
          {options.map(([name, shown]) => <option key={name} value={name}>{shown}</option>)}
        </select>
      )}
    </Field>
  );
}

// Of a page's parts, each with an address of its own.
export function Parts({ label, items, current }: { label: string; items: [string, string, string][]; current: string }) {
  return (
    <nav class="parts" aria-label={label}>
      {items.map(([name, title, href]) => (
        <a key={name} href={href} aria-current={name === current ? "page" : undefined}>{title}</a>
      ))}
    </nav>
  );
}

interface QuestionProps {
  title: string;
  yes: string;
  open: boolean;
  busy?: boolean;
  children?: ComponentChildren;
  onYes: () => void;
  onNo: () => void;
}

// Before what can't be taken back.
export function Question({ title, yes, open, busy = false, children, onYes, onNo }: QuestionProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open) dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onNo}>
      <h2 id={id}>{title}</h2>
      {children}
      <div class="row end">
        <button type="button" onClick={onNo}>Cancel</button>
        <button type="button" class="danger" disabled={busy} onClick={onYes}>{yes}</button>
      </div>
    </dialog>
  );
}

export function Meter({ label, part, note }: { label: string; part: number; note: string }) {
  const shown = Math.max(0, Math.min(1, part));
  return (
    <div class="meter">
      <span>{label}</span>
      <span class={`bar ${shown > 0.85 ? "bad" : ""}`} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100}
        aria-valuenow={Math.round(shown * 100)}>
        <span style={{ width: `${shown * 100}%` }} />
      </span>
      <span class="num">{note}</span>
    </div>
  );
}
