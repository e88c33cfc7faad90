// What of a function can be changed besides its code, and its removal.
import { useState } from "preact/hooks";
import { get, part, send } from "../api";
import { readEnvironment, writeEnvironment } from "../environment";
import { useAction } from "../load";
import { Choice, Field, Notice, Problem, Question, Text } from "../parts";
import { go, to } from "../route";
import { session } from "../session";
import type { FunctionRow } from "../types";

export function Settings({ row, changed }: { row: FunctionRow; changed: () => void }) {
  const [name, setName] = useState(row.name);
  const [description, setDescription] = useState(row.description);
  const [memory, setMemory] = useState(String(row.memoryMb));
  const [timeout, setTimeout] = useState(row.timeoutMs ? String(row.timeoutMs / 1000) : "");
  const [network, setNetwork] = useState<string>(row.network);
  const [warm, setWarm] = useState(String(row.keepWarm));
  const [most, setMost] = useState(row.maxConcurrency ? String(row.maxConcurrency) : "");
  const [environment, setEnvironment] = useState("");
  const [valuesShown, setValuesShown] = useState(false);
  const [saved, setSaved] = useState("");
  const [asking, setAsking] = useState(false);
  const path = `/functions/${part(row.functionId)}`;

  const save = useAction(async () => {
    setSaved("");
    const change: Record<string, unknown> = { description, memoryMb: Number(memory), network, keepWarm: Number(warm) };
    if (name !== row.name) change["name"] = name;
    if (timeout) change["timeoutMs"] = Math.round(Number(timeout) * 1000);
    change["maxConcurrency"] = most ? Number(most) : 0;
    if (environment.trim() || valuesShown) change["envVars"] = readEnvironment(environment);
    await send("PUT", path, change);
    setEnvironment("");
    setValuesShown(false);
    setSaved("Saved; it holds for runs from now on.");
    changed();
  });
  const variables = Object.keys(row.envVars ?? {});
  const show = useAction(async () => {
    const { envVars } = await get<FunctionRow>(`${path}?showEnv=true`);
    setEnvironment(writeEnvironment((envVars ?? {}) as Record<string, string>));
    setValuesShown(true);
  });
  const remove = useAction(async () => {
    await send("DELETE", path);
    go(to("functions"));
  });
  if (!session.may("deploy")) return <p>This key may not change functions.</p>;
  return (
    <div class="split">
      <form onSubmit={(event) => (event.preventDefault(), void save.run())}>
        <h2>Settings</h2>
        <Text label="Name" value={name} onValue={setName} />
        <Text label="Description" value={description} onValue={setDescription} />
        <div class="pair">
          <Text label="Memory, MB" value={memory} onValue={setMemory} more={{ type: "number", min: 128, max: 10240 }} />
          <Text label="Timeout, s" value={timeout} onValue={setTimeout} more={{ type: "number", min: 0.1, max: 900, step: "any", placeholder: "as it is" }} />
          <Text label="Kept warm" value={warm} onValue={setWarm} more={{ type: "number", min: 0, max: 16 }} />
          <Text label="Runs at once" value={most} onValue={setMost} more={{ type: "number", min: 1, max: 1000, placeholder: "no limit" }} />
        </div>
        <Choice label="Network" value={network} onValue={setNetwork}
          options={[["none", "none"], ["egress", "egress: public addresses"]]} />
        <Environment value={environment} onValue={setEnvironment}
          hint={valuesShown ? "NAME=value, one a line: what stands here is what it will have."
            : "NAME=value, one a line. These replace all that it has; empty leaves them."} />
        {variables.length > 0 && !valuesShown && (
          <p class="facts">It has {variables.map((each) => <b key={each} class="mono words">{each}</b>)}
            <button type="button" disabled={show.busy} onClick={() => show.run()}>Show the values</button>
            <small class="quiet">The audit says who looked.</small></p>
        )}
        <Problem error={show.error} />
        <Problem error={save.error} />
        {saved && <Notice>{saved}</Notice>}
        <button class="primary" disabled={save.busy}>{save.busy ? "Saving…" : "Save"}</button>
      </form>
      <div>
        <h2>Remove</h2>
        <p>Its code and counters go with it. There is no way back.</p>
        <button type="button" class="danger" onClick={() => setAsking(true)}>Delete this function</button>
        <Question title={`Delete ${row.name || row.functionId}?`} yes="Delete" open={asking} busy={remove.busy} onYes={() => remove.run()}
          onNo={() => setAsking(false)}>
          <p>Runs in flight end; new ones are refused.</p>
          <Problem error={remove.error} />
        </Question>
      </div>
    </div>
  );
}

export function Environment({ value, onValue, hint }: { value: string; onValue: (text: string) => void; hint: string }) {
  return (
    <Field label="Environment" hint={hint}>
      {(id, hintId) => (
        <textarea id={id} aria-describedby={hintId} rows={3} spellcheck={false} autocomplete="off" value={value} class="mono"
          placeholder="GREETING=Hello" onInput={(event) => onValue(event.currentTarget.value)} />
      )}
    </Field>
  );
}
