// The dashboard: who is signed in sees the page that the address names.
import { render, type ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiPage } from "./pages/api";
import { Deploy } from "./pages/deploy";
import { Functions } from "./pages/functions";
import { Keys } from "./pages/keys";
import { OneFunction } from "./pages/one_function";
import { Overview } from "./pages/overview";
import { SignIn } from "./pages/sign_in";
import { Workers } from "./pages/workers";
import { to, useRoute } from "./route";
import { resume, session, signOut } from "./session";

interface Place {
  name: string;
  title: string;
  page: ComponentType;
  shown: () => boolean;
}

const always = () => true;
const places: Place[] = [
  { name: "functions", title: "Functions", page: Functions, shown: always },
  { name: "deploy", title: "Deploy", page: Deploy, shown: () => session.may("deploy") },
  { name: "overview", title: "Overview", page: Overview, shown: () => session.maySeeAll },
  { name: "workers", title: "Workers", page: Workers, shown: () => session.maySeeAll },
  { name: "keys", title: "Keys", page: Keys, shown: () => session.who?.scopes?.includes("admin") ?? false },
  { name: "api", title: "API", page: ApiPage, shown: () => session.who?.describesItself ?? false },
];

function App() {
  const [, redraw] = useState(0);
  const { path } = useRoute();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => session.subscribe(() => redraw((turn) => turn + 1)), []);
  const where = path.join("/");
  const place = places.find(({ name }) => name === (path[0] ?? "functions"));
  useEffect(() => {
    document.title = session.who && place ? `${place.title} · Infra` : "Infra";
    if (!first.current) main.current?.focus(); // who listens to the page hears of the new one
    first.current = false;
  }, [where]);
  if (!session.who) return <SignIn />;
  const Page = path[0] === "functions" && path[1] ? OneFunction : place?.page;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>Skip to the page</a>
      <header>
        <a class="brand" href={to("functions")}>Infra</a>
        <nav aria-label="Main">
          {places.filter(({ shown }) => shown()).map(({ name, title }) => (
            <a key={name} href={to(name)} aria-current={place?.name === name ? "page" : undefined}>{title}</a>
          ))}
        </nav>
        {session.who.name && <span class="quiet who">{session.who.name}</span>}
        <button type="button" class="plain" onClick={() => signOut()}>Sign out</button>
      </header>
      <main id="main" ref={main} tabIndex={-1} key={path[0] === "functions" && path[1] ? `one ${path[1]}` : path[0]}>
        {Page ? <Page /> : <p>There is no such page. <a href={to("functions")}>All functions</a></p>}
      </main>
    </>
  );
}

const root = document.getElementById("app")!;
void resume().finally(() => render(<App />, root));
