// Addresses in the page: #/functions/ID/logs?status=FAILED. They hold names and ids alone, never a key or an input.
import { useEffect, useState } from "preact/hooks";

export interface Route {
  path: string[];
  query: URLSearchParams;
}

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function to(...path: string[]): string {
  return `#/${path.map(encodeURIComponent).join("/")}`;
}

export function go(hash: string): void {
  location.hash = hash;
}

// The address of what is shown now, without a step back to the one before.
export function rewrite(query: Record<string, string>): void {
  const kept = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
  const [path] = location.hash.split("?", 1);
  history.replaceState(null, "", `${path || "#/"}${kept.size > 0 ? `?${kept}` : ""}`);
}

export function useRoute(): Route {
  const [route, change] = useState(read);
  useEffect(() => {
    const listener = () => change(read());
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  return route;
}
