// A function's environment variables as people write them: NAME=value, one a line. A value that has line breaks, or begins with a quote,
// is written as a JSON text.

// Throws with why where a line is none.
export function readEnvironment(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split("\n").filter((each) => each.trim() !== "")) {
    const at = line.indexOf("=");
    if (at < 1) throw new Error(`"${line.trim()}" is not NAME=value.`);
    const name = line.slice(0, at).trim();
    variables[name] = readValue(name, line.slice(at + 1));
  }
  return variables;
}

function readValue(name: string, written: string): string {
  if (!written.startsWith('"')) return written;
  try {
    const value: unknown = JSON.parse(written);
    if (typeof value === "string") return value;
  } catch {
    // told below
  }
  throw new Error(`What ${name} is begins with a quote and is no JSON text: quotes in it are written \\".`);
}

export function writeEnvironment(variables: Record<string, string>): string {
  return Object.entries(variables).map(([name, value]) => `${name}=${/[\r\n]|^"/.test(value) ? JSON.stringify(value) : value}\n`).join("");
}
