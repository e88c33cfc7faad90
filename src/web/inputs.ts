// What each function was last tried with, and the code that was typed for it, as long as the page is open: both may be secret, so they
// are stored nowhere.

const inputs = new Map<string, string>();
const codes = new Map<string, string>();

export function inputOf(functionId: string): string {
  return inputs.get(functionId) ?? '{\n  "name": "Ada"\n}';
}

export function keepInput(functionId: string, text: string): void {
  inputs.set(functionId, text);
}

export function codeOf(functionId: string): string | undefined {
  return codes.get(functionId);
}

export function keepCode(functionId: string, text: string | undefined): void {
  if (text === undefined) codes.delete(functionId);
  else codes.set(functionId, text);
}
