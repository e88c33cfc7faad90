// What is wrong with an upload; a compiler's words have lines.
import { Problem } from "./parts";

export function CompilerOr({ error }: { error: Error }) {
  const [first, ...lines] = error.message.split("\n");
  if (lines.length === 0) return <Problem error={error} />;
  return (
    <div class="notice bad" role="alert">
      <p>{first}</p>
      <pre class="output" tabIndex={0} role="region" aria-label="The compiler's words">{lines.join("\n")}</pre>
    </div>
  );
}
