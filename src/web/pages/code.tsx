// New code for a function: what was typed here before, or files. The server gives nobody the code that it has.
import { useState } from "preact/hooks";
import { part, upload } from "../api";
import { CompilerOr } from "../compiler";
import { codeOf, keepCode } from "../inputs";
import { useAction } from "../load";
import { Notice } from "../parts";
import { to } from "../route";
import { session } from "../session";
import { Source, type Code } from "../source";
import type { FunctionRow } from "../types";

export function NewCode({ row, changed }: { row: FunctionRow; changed: () => void }) {
  const [code, setCode] = useState<Code | null>(null);
  const [progress, setProgress] = useState(0);
  const [saved, setSaved] = useState(false);
  const known = codeOf(row.functionId);
  const replace = useAction(async () => {
    setSaved(false);
    const form = new FormData();
    form.append("file", await code!.bundle(), "code.zip");
    await upload("PUT", `/functions/${part(row.functionId)}`, form, setProgress);
    keepCode(row.functionId, code!.text);
    setSaved(true);
    changed();
  });
  if (!session.may("deploy")) return <p>This key may not change functions.</p>;
  return (
    <>
      <h2>New code</h2>
      <Source runtime={row.runtime} onCode={setCode} text={known} files={known === undefined} />
      {replace.error && <CompilerOr error={replace.error} />}
      {saved && <Notice>The new code is in place. <a href={to("functions", row.functionId)}>Run it</a></Notice>}
      <button type="button" class="primary" disabled={!code || replace.busy} onClick={() => replace.run()}>
        {replace.busy ? `Uploading ${Math.round(progress * 100)} %` : "Replace the code"}
      </button>
    </>
  );
}
