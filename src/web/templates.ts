// Code to begin with, for each runtime: the same functions that `infra init` makes.
import type { Runtime } from "./types";

export interface Template {
  title: string;
  entry: string;
  indent: string;
  code: string;
}

export const templates: Record<Runtime, Template> = {
  python: {
    title: "Python",
    entry: "main.py",
    indent: "    ",
    code: `def handler(event, context):
    name = (event or {}).get("name", "world")
    print(f"greeting {name}")  # goes to the logs
    return {"greeting": f"Hello, {name}!"}
`,
  },
  nodejs: {
    title: "Node.js",
    entry: "index.js",
    indent: "  ",
    code: `exports.handler = async (event, context) => {
  const name = event?.name ?? 'world';
  console.log(\`greeting \${name}\`); // goes to the logs
  return { greeting: \`Hello, \${name}!\` };
};
`,
  },
  cpp: {
    title: "C++",
    entry: "main.cpp",
    indent: "  ",
    code: `#include <cstdio>
#include <infra.hpp>
#include <string>

// The event comes as JSON text, and JSON text is what goes back.
std::string handler(const std::string& event, const infra::Context& context) {
  std::printf("run %s\\n", context.request_id.c_str());  // goes to the logs
  return "{\\"youSaid\\":" + event + "}";
}
INFRA_HANDLER(handler)
`,
  },
  go: {
    title: "Go",
    entry: "main.go",
    indent: "\t",
    code: `package main

import (
	"encoding/json"
	"fmt"

	"infra"
)

type person struct {
	Name string \`json:"name"\`
}

func greet(ctx infra.Context, event json.RawMessage) (any, error) {
	who := person{Name: "world"}
	if err := json.Unmarshal(event, &who); err != nil {
		return nil, err
	}
	fmt.Println("greeting", who.Name) // goes to the logs
	return map[string]string{"greeting": "Hello, " + who.Name + "!"}, nil
}

func main() {
	infra.Handle(greet)
}
`,
  },
};

// What a bundle's files say of its runtime.
export function runtimeOf(paths: string[]): Runtime | null {
  const entries: [string, Runtime][] = [["main.py", "python"], ["index.js", "nodejs"], ["index.mjs", "nodejs"], ["main.cpp", "cpp"],
    ["main.go", "go"]];
  return entries.find(([entry]) => paths.includes(entry))?.[1] ?? null;
}
