// The input that each function was last tried with, as long as the page is open: inputs may be secret, so they are stored nowhere.

const inputs = new Map<string, string>();

export function inputOf(functionId: string): string {
  return inputs.get(functionId) ?? '{\n  "name": "Ada"\n}';
}

export function keepInput(functionId: string, text: string): void {
  inputs.set(functionId, text);
}
