// Where a function's code comes from: typed in the page, or a ZIP or folder that is dropped on it.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Editor } from "./editor";
import { bytes } from "./format";
import { templates, runtimeOf } from "./templates";
import type { Runtime } from "./types";
import { entriesOfDrop, entriesOfFiles, zip, type Entry } from "./zip";

export interface Code {
  label: string;
  runtime: Runtime | null; // as its files say it
  bundle: () => Promise<Blob>;
  text?: string; // if it was typed
}

interface Props {
  runtime: Runtime;
  onCode: (code: Code | null) => void;
  text?: string | undefined; // to begin with
  files?: boolean; // are looked for first
}

function typed(runtime: Runtime, text: string): Code {
  const { entry } = templates[runtime];
  return { label: entry, runtime, text, bundle: () => zip([{ path: entry, data: new Blob([text]) }]) };
}

function ofEntries(entries: Entry[]): Code | null {
  const only = entries[0];
  if (!only) return null;
  if (entries.length === 1 && /\.zip$/i.test(only.path)) {
    return { label: `${only.path}, ${bytes(only.data.size)}`, runtime: null, bundle: async () => only.data };
  }
  const size = entries.reduce((sum, entry) => sum + entry.data.size, 0);
  const label = `${entries.length} ${entries.length === 1 ? "file" : "files"}, ${bytes(size)}`;
  return { label, runtime: runtimeOf(entries.map((entry) => entry.path)), bundle: () => zip(entries) };
}

export function Source({ runtime, onCode, text: given, files = false }: Props) {
  const [way, setWay] = useState<"edit" | "files">(files ? "files" : "edit");
  const [texts, setTexts] = useState<Partial<Record<Runtime, string>>>(given === undefined ? {} : { [runtime]: given });
  const [dropped, setDropped] = useState<Code | null>(null);
  const [over, setOver] = useState(false);
  const group = useId();
  const folder = useRef<HTMLInputElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const text = texts[runtime] ?? templates[runtime].code;

  useEffect(() => onCode(way === "edit" ? typed(runtime, text) : dropped), [way, runtime, text, dropped]);

  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer) setDropped(ofEntries(await entriesOfDrop(event.dataTransfer)));
  };
  const choose = (event: Event) => {
    const { files } = event.currentTarget as HTMLInputElement;
    if (files) setDropped(ofEntries(entriesOfFiles(files)));
  };
  return (
    <fieldset class="source">
      <legend>Code</legend>
      <div class="row">
        {([["edit", "Write it here"], ["files", "ZIP or folder"]] as const).map(([name, title]) => (
          <label key={name} class="check">
            <input type="radio" name={group} checked={way === name} onChange={() => setWay(name)} /> {title}
          </label>
        ))}
      </div>
      {way === "edit" ? (
        <>
          <p class="quiet file"><code>{templates[runtime].entry}</code></p>
          <Editor label={`Code, ${templates[runtime].entry}`} value={text} indent={templates[runtime].indent} rows={16}
            onValue={(value) => setTexts({ ...texts, [runtime]: value })} />
        </>
      ) : (
        <div class={`drop ${over ? "over" : ""}`} onDragOver={(event) => (event.preventDefault(), setOver(true))}
          onDragLeave={() => setOver(false)} onDrop={drop}>
          <p>{dropped ? dropped.label : "Drop a ZIP or a folder here"}</p>
          <div class="row">
            <button type="button" onClick={() => file.current?.click()}>Choose files…</button>
            <button type="button" onClick={() => folder.current?.click()}>Choose a folder…</button>
          </div>
          <input ref={file} type="file" multiple hidden onChange={choose} aria-label="Files" />
          <input ref={folder} type="file" hidden onChange={choose} aria-label="Folder" {...{ webkitdirectory: true }} />
        </div>
      )}
    </fieldset>
  );
}
