// The first page: asks for the key.
import { useState } from "preact/hooks";
import { useAction } from "../load";
import { Field, Notice, Problem } from "../parts";
import { session, signIn } from "../session";

export function SignIn() {
  const [key, setKey] = useState("");
  const [keep, setKeep] = useState(false);
  const enter = useAction(async () => signIn(key.trim(), keep));
  const submit = (event: Event) => {
    event.preventDefault();
    void enter.run();
  };
  return (
    <main class="narrow">
      <h1>Infra</h1>
      {session.note && !enter.error && <Notice kind="warn">{session.note}</Notice>}
      <form onSubmit={submit}>
        <Field label="API key" hint={<>Printed when Infra first started; <code>./dev run</code> keeps it in <code>.infra/api-key</code>, an
          installed Infra in <code>/etc/infra/api-key.env</code>.</>}>
          {(id, hint) => (
            <input id={id} type="password" autocomplete="off" aria-describedby={hint} value={key} required autofocus
              onInput={(event) => setKey(event.currentTarget.value)} />
          )}
        </Field>
        <label class="check">
          <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.currentTarget.checked)} />
          Stay signed in until this tab is closed
        </label>
        <Problem error={enter.error} />
        <button class="primary" disabled={enter.busy || key.trim() === ""}>{enter.busy ? "Signing in…" : "Sign in"}</button>
      </form>
    </main>
  );
}
