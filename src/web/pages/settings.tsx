// What of a function can be changed besides its code, and its removal.
import type { ComponentChildren } from "preact";
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
  const [environment, setEnvironment] = useState<string | null>(null); // null: stays as it is, unseen
  const [saved, setSaved] = useState("");
  const [asking, setAsking] = useState(false);
  const path = `/functions/${part(row.functionId)}`;

  const save = useAction(async () => {
    setSaved("");
    const change: Record<string, unknown> = { description, memoryMb: Number(memory), network, keepWarm: Number(warm) };
    if (name !== row.name) change["name"] = name;
    if (timeout) change["timeoutMs"] = Math.round(Number(timeout) * 1000);
    change["maxConcurrency"] = most ? Number(most) : 0;
    if (environment !== null) change["envVars"] = readEnvironment(environment);
    await send("PUT", path, change);
    setEnvironment(null);
    setSaved("Saved; it holds for runs from now on.");
    changed();
  });
  const variables = Object.keys(row.envVars ?? {});
  const show = useAction(async () => {
    const { envVars } = await get<FunctionRow>(`${path}?showEnv=true`);
    setEnvironment(writeEnvironment((envVars ?? {}) as Record<string, string>));
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
        {environment === null && variables.length > 0 ? (
          <fieldset>
            <legend>Environment</legend>
            <p class="facts">{variables.map((each) => <b key={each} class="mono words">{each}</b>)}</p>
            <div class="row">
              <button type="button" disabled={show.busy} onClick={() => show.run()}>Show the values</button>
              <button type="button" onClick={() => setEnvironment("")}>Replace them all</button>
            </div>
            <small class="quiet">Values stay as they are, unseen. The audit says who had them shown.</small>
          </fieldset>
        ) : (
          <Environment value={environment ?? ""} onValue={setEnvironment}
            hint={variables.length > 0 ? <>NAME=value, one a line: what stands here is all that it will have.{" "}
              <button type="button" class="plain link" onClick={() => setEnvironment(null)}>Leave them as they are</button></>
              : "NAME=value, one a line."} />
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

export function Environment({ value, onValue, hint }: { value: string; onValue: (text: string) => void; hint: ComponentChildren }) {
  return (
    <Field label="Environment" hint={hint}>
      {(id, hintId) => (
        <textarea id={id} aria-describedby={hintId} rows={3} spellcheck={false} autocomplete="off" value={value} class="mono"
          placeholder="GREETING=Hello" onInput={(event) => onValue(event.currentTarget.value)} />
      )}
    </Field>
  );
}
