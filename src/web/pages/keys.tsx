// Named keys. Shown where the server has keys, to those who may administer.
import { useState } from "preact/hooks";
import { getIfThere, part, send } from "../api";
import { localTime } from "../format";
import { useAction, useLoad } from "../load";
import { Empty, Notice, Problem, Question, Text, Time, Waiting } from "../parts";
import { Audit, newestEntries } from "./audit";

interface Key {
  id: string;
  name: string;
  scopes: string[];
  functions: string[] | null;
  expiresAt: string | null;
  lastUsedAt: string | null;
  revoked: boolean;
  rateLimit: number | null;
  secrets?: number; // two while a new one has not taken the old one's place
}

const SCOPES: [string, string][] = [["invoke", "run functions"], ["read", "see functions, logs, workers"],
  ["deploy", "deploy, change, delete"], ["admin", "keys and the rest"]];

export function Keys() {
  const keys = useLoad((signal) => getIfThere<{ keys: Key[] }>("/keys", signal), []);
  const audit = useLoad(newestEntries, []);
  const [secret, setSecret] = useState("");
  const [revoking, setRevoking] = useState<Key | null>(null);
  const refresh = () => (keys.reload(), audit.reload());
  const rotate = useAction(async (id: string) => {
    setSecret((await send<{ key: string }>("POST", `/keys/${part(id)}/rotate`)).key);
    refresh();
  });
  const drop = useAction(async (id: string) => {
    await send("DELETE", `/keys/${part(id)}/secrets/old`);
    refresh();
  });
  const revoke = useAction(async () => {
    await send("DELETE", `/keys/${part(revoking!.id)}`);
    setRevoking(null);
    refresh();
  });
  if (keys.data === undefined) return keys.error ? <Problem error={keys.error} /> : <Waiting />;
  if (keys.data === null) return <Empty title="This server has no named keys"><p>Its one key may all.</p></Empty>;
  const known = keys.data.keys;
  return (
    <>
      <h1>Keys</h1>
      {secret && (
        <Notice kind="warn">This key is shown once; keep it now: <code class="words">{secret}</code>
          <button type="button" onClick={() => void navigator.clipboard?.writeText(secret)}>Copy</button>
          <button type="button" onClick={() => setSecret("")}>Done</button></Notice>
      )}
      <Problem error={rotate.error ?? drop.error ?? keys.error} />
      {known.length === 0 ? <Empty title="No named keys yet"><p>Make one for each program and person below.</p></Empty> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Keys">
          <table class="cards">
            <thead><tr><th scope="col">Name</th><th scope="col">May</th><th scope="col">Functions</th><th scope="col">Last used</th>
              <th scope="col">Ends</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
            <tbody>
              {known.map((key) => (
                <tr key={key.id}>
                  <td>{key.name} {key.revoked && <span class="status bad">revoked</span>}<small class="line"><code>{key.id}</code></small></td>
                  <td data-title="May">{key.scopes.join(", ")}</td>
                  <td data-title="Functions">{key.functions === null ? "all" : key.functions.length}</td>
                  <td data-title="Last used">{key.lastUsedAt ? <Time at={key.lastUsedAt} /> : "never"}</td>
                  <td data-title="Ends">{key.expiresAt ? localTime(key.expiresAt) : "never"}</td>
                  <td class="end">{!key.revoked && <>
                    {(key.secrets ?? 1) > 1
                      ? <button type="button" disabled={drop.busy} onClick={() => drop.run(key.id)}>End the old secret</button>
                      : <button type="button" disabled={rotate.busy} onClick={() => rotate.run(key.id)}>Rotate</button>}{" "}
                    <button type="button" class="danger" onClick={() => setRevoking(key)}>Revoke</button></>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Make made={(key) => (setSecret(key), refresh())} />
      <Audit newest={audit} nameOf={(id) => known.find((key) => key.id === id)?.name ?? id} />
      <Question title={`Revoke ${revoking?.name}?`} yes="Revoke" open={revoking !== null} busy={revoke.busy} onYes={() => revoke.run()}
        onNo={() => setRevoking(null)}>
        <p>Whoever uses it is refused within seconds.</p>
        <Problem error={revoke.error} />
      </Question>
    </>
  );
}

function Make({ made }: { made: (key: string) => void }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState(["invoke"]);
  const [functions, setFunctions] = useState("");
  const [rate, setRate] = useState("");
  const [ends, setEnds] = useState("");
  const make = useAction(async () => {
    const only = functions.split(/[\s,]+/).filter(Boolean);
    const body: Record<string, unknown> = { name, scopes };
    if (only.length > 0) body["functions"] = only;
    if (rate) body["rateLimit"] = Number(rate);
    if (ends) body["expiresAt"] = new Date(`${ends}T00:00:00Z`).toISOString();
    made((await send<{ key: string }>("POST", "/keys", body)).key);
    setName("");
  });
  return (
    <form class="narrow apart" onSubmit={(event) => (event.preventDefault(), void make.run())}>
      <h2>New key</h2>
      <Text label="Name" value={name} onValue={setName} more={{ required: true, placeholder: "ci" }} />
      <fieldset>
        <legend>It may</legend>
        {SCOPES.map(([scope, words]) => (
          <label key={scope} class="check">
            <input type="checkbox" checked={scopes.includes(scope)} onChange={(event) =>
              setScopes(event.currentTarget.checked ? [...scopes, scope] : scopes.filter((each) => each !== scope))} />
            {scope}: {words}
          </label>
        ))}
      </fieldset>
      <Text label="Only these functions" value={functions} onValue={setFunctions} hint="Ids; empty is all." />
      <div class="pair">
        <Text label="Requests a window" value={rate} onValue={setRate} more={{ type: "number", min: 1, placeholder: "as for addresses" }} />
        <Text label="Ends on" value={ends} onValue={setEnds} more={{ type: "date" }} />
      </div>
      <Problem error={make.error} />
      <button class="primary" disabled={make.busy || scopes.length === 0}>Make it</button>
    </form>
  );
}
