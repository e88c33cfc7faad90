// A new function, or new code under a name that is there.
import { useState } from "preact/hooks";
import { upload } from "../api";
import { CompilerOr } from "../compiler";
import { readEnvironment } from "../environment";
import { keepCode } from "../inputs";
import { useAction } from "../load";
import { Choice, Text } from "../parts";
import { go, to } from "../route";
import { session } from "../session";
import { Source, type Code } from "../source";
import { templates } from "../templates";
import type { Runtime } from "../types";
import { Environment } from "./settings";

const RUNTIMES = Object.entries(templates).map(([name, { title }]): [string, string] => [name, title]);
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export function Deploy() {
  const [name, setName] = useState("");
  const [runtime, setRuntime] = useState<Runtime>("python");
  const [memory, setMemory] = useState("128");
  const [timeout, setTimeout] = useState("30");
  const [environment, setEnvironment] = useState("");
  const [network, setNetwork] = useState("none");
  const [code, setCode] = useState<Code | null>(null);
  const [progress, setProgress] = useState<number | null>(null);

  const take = (given: Code | null) => {
    setCode(given);
    if (given?.runtime) setRuntime(given.runtime);
  };
  const deploy = useAction(async () => {
    const form = new FormData();
    const fields = { name, runtime, memoryMb: memory, timeoutMs: String(Math.round(Number(timeout) * 1000)), network, deploy: "true" };
    for (const [field, value] of Object.entries(fields)) form.append(field, value);
    if (environment.trim()) form.append("envVars", JSON.stringify(readEnvironment(environment)));
    form.append("file", await code!.bundle(), `${name}.zip`);
    setProgress(0);
    try {
      const { functionId } = (await upload("POST", "/upload", form, setProgress)) as { functionId: string };
      keepCode(functionId, code!.text);
      go(to("functions", functionId));
    } finally {
      setProgress(null);
    }
  });
  const named = NAME.test(name);
  const waits = progress === 1 ? (runtime === "cpp" || runtime === "go" ? "Compiling…" : "Checking…") : "Uploading…";
  if (!session.may("deploy")) return <p>This key may not deploy.</p>;
  return (
    <>
      <h1>Deploy</h1>
      <form class="split wide-left" onSubmit={(event) => (event.preventDefault(), void deploy.run())}>
        <Source runtime={runtime} onCode={take} />
        <div>
          <Text label="Name" value={name} onValue={setName} more={{ required: true, maxLength: 64, placeholder: "hello" }}
            hint={name && !named ? "Letters, digits, _ and - only." : "A function of this name gets the new code; else one is made."} />
          <Choice label="Runtime" value={runtime} onValue={(value) => setRuntime(value as Runtime)} options={RUNTIMES} />
          <div class="pair">
            <Text label="Memory, MB" value={memory} onValue={setMemory} more={{ type: "number", min: 128, max: 10240 }} />
            <Text label="Timeout, s" value={timeout} onValue={setTimeout} more={{ type: "number", min: 0.1, max: 900, step: "any" }} />
          </div>
          <details>
            <summary>More settings</summary>
            <Choice label="Network" value={network} onValue={setNetwork}
              options={[["none", "none"], ["egress", "egress: public addresses"]]} />
            <Environment value={environment} onValue={setEnvironment} hint="NAME=value, one a line." />
          </details>
          {deploy.error && <CompilerOr error={deploy.error} />}
          {progress !== null && <><progress max={1} value={progress} aria-label="Upload" /><p role="status">{waits}</p></>}
          <button class="primary" disabled={!named || !code || deploy.busy}>{deploy.busy ? "Deploying…" : "Deploy"}</button>
        </div>
      </form>
    </>
  );
}
