// The platform's HTTP API as the pages use it: the key goes along in a header, an error says what the server said.

export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly requestId = "") {
    super(message);
  }
}

export interface Call {
  method?: string;
  body?: string | Blob | FormData;
  json?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

let key: string | null = null;
let whenRefused: () => void = () => {};

export function holdKey(given: string | null): void {
  key = given;
}

// What tabs with the same key know each other by. Null where the browser lets the page compute none: without HTTPS, from elsewhere.
export async function keyTag(): Promise<string | null> {
  if (key === null || globalThis.crypto?.subtle === undefined) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`tab ${key}`)));
  return Array.from(digest.slice(0, 12), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function onRefusedKey(tell: () => void): void {
  whenRefused = tell;
}

// Beside the page, wherever a proxy has put it.
export function address(path: string): string {
  return new URL(`.${path}`, document.baseURI).toString();
}

export function withKey(headers: Record<string, string> = {}): Record<string, string> {
  return key === null ? headers : { ...headers, "x-api-key": key };
}

export function errorOf(status: number, text: string): ApiError {
  try {
    const said = JSON.parse(text) as { error?: string; code?: string; requestId?: string };
    if (said.error) return new ApiError(status, said.code ?? "", said.error, said.requestId);
  } catch {
    // a proxy's words, not the server's
  }
  return new ApiError(status, "", `The server answered ${status}.`);
}

export async function call(path: string, options: Call = {}): Promise<Response> {
  const headers = withKey(options.headers);
  const init: RequestInit = { method: options.method ?? "GET", headers, cache: "no-store", credentials: "omit" };
  if (options.signal) init.signal = options.signal;
  if (options.json !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(options.json);
  } else if (options.body !== undefined) {
    init.body = options.body;
  }
  const used = key;
  let response: Response;
  try {
    response = await fetch(address(path), init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", "The server does not answer. Is Infra running?");
  }
  if (response.ok) return response;
  if (response.status === 401 && used !== null && used === key) whenRefused();
  throw errorOf(response.status, await response.text());
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call(path, signal ? { signal } : {})).json() as Promise<T>;
}

export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  return (await call(path, { method, json: body })).json() as Promise<T>;
}

// Null where the server has no such route.
export async function getIfThere<T>(path: string, signal?: AbortSignal): Promise<T | null> {
  try {
    return await get<T>(path, signal);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 501)) return null;
    throw error;
  }
}

export interface Page<T> {
  items: T[];
  next: string | null; // a path
}

// `within`: the field that holds the items, where the answer is not they themselves.
export async function getPage<T>(path: string, signal?: AbortSignal, within?: string): Promise<Page<T>> {
  const response = await call(path, signal ? { signal } : {});
  const next = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
  const body = (await response.json()) as T[] | Record<string, T[]>;
  return { items: Array.isArray(body) ? body : body[within!]!, next: next ? next.replace(/^.*?(?=\/(functions|audit))/, "") : null };
}

export function part(text: string): string {
  return encodeURIComponent(text);
}

// With its progress, from 0 to 1, which fetch does not tell.
export function upload(method: string, path: string, form: FormData, progress: (part: number) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address(path));
    for (const [name, value] of Object.entries(withKey())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new ApiError(0, "unreachable", "The upload broke off; the server does not answer."));
    request.onload = () => {
      if (request.status === 401) whenRefused();
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(errorOf(request.status, request.responseText));
    };
    request.send(form);
  });
}

export async function download(path: string, name: string): Promise<void> {
  const blob = await (await call(path)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.split("/").pop() ?? "file";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
