// What each function was last tried with, the code that was typed for it and the names of files that its runs left, as long as the page
// is open: they may be secret, so they are stored nowhere.

const inputs = new Map<string, string>();
const codes = new Map<string, string>();
const fileNames = new Map<string, Set<string>>();

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

export function fileNamesOf(functionId: string): string[] {
  return [...(fileNames.get(functionId) ?? [])].sort();
}

export function keepFileNames(functionId: string, names: string[]): void {
  fileNames.set(functionId, new Set([...(fileNames.get(functionId) ?? []), ...names].slice(-100)));
}
