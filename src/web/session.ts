// Who is signed in. The key is kept in memory, and in the tab's own storage if that is wished; it leaves in a header.
import { ApiError, call, get, getIfThere, holdKey, onRefusedKey } from "./api";

export interface Who {
  name: string;
  scopes: string[] | null; // null: the server has no named keys, and its one key may all
  ofSome: boolean; // it is for some functions alone, and is told nothing of the whole platform
  describesItself: boolean; // it has /openapi.json
}

const STORED = "infra-key";

let who: Who | null = null;
let note = "";
const listeners = new Set<() => void>();

export const session = {
  get who(): Who | null {
    return who;
  },
  // Why one is signed out, if that was not one's own wish.
  get note(): string {
    return note;
  },
  may(scope: "invoke" | "read" | "deploy" | "admin"): boolean {
    return who !== null && (who.scopes === null || who.scopes.includes(scope) || who.scopes.includes("admin"));
  },
  // What tells of the whole platform.
  get maySeeAll(): boolean {
    return this.may("read") && !who?.ofSome;
  },
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

function tell(): void {
  for (const listener of listeners) listener();
}

export function signOut(why = ""): void {
  holdKey(null);
  sessionStorage.removeItem(STORED);
  who = null;
  note = why;
  tell();
}

// Fails with what the server said of the key.
export async function signIn(key: string, keep: boolean): Promise<void> {
  holdKey(key);
  try {
    const named = await getIfThere<{ key: string; name: string; scopes: string[]; functions?: string[] | null }>("/whoami");
    if (named === null) await get("/system/status"); // an older server: does the key open a door?
    const describesItself = await call("/openapi.json", { method: "HEAD" }).then(() => true, () => false);
    who = { name: named ? named.name || named.key : "", scopes: named ? named.scopes : null, ofSome: !!named?.functions, describesItself };
  } catch (error) {
    holdKey(null);
    throw error;
  }
  if (keep) sessionStorage.setItem(STORED, key);
  note = "";
  tell();
}

// What this tab was signed in with before it was loaded again.
export async function resume(): Promise<void> {
  const key = sessionStorage.getItem(STORED);
  if (key === null) return;
  try {
    await signIn(key, true);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return signOut("The key is not valid any more.");
    note = (error as Error).message; // the key may be good: the tab keeps it for the next try
  }
}

onRefusedKey(() => {
  if (who !== null) signOut("The server refused the key: it was changed or revoked.");
});
