// Uploads a function, runs it at once and later, changes it and removes it: what README.md shows, and what a test runs.
import createClient from "openapi-fetch";
import type { components, paths } from "./infra.js";

declare const process: { env: Record<string, string | undefined> }; // of Node.js, without its types

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

// What is no success has a code for programs and a sentence for people.
function got<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

type RunResult = components["schemas"]["RunResult"];

function isResult(answer: object): answer is RunResult {
  return "exitCode" in answer;
}

const infra = createClient<paths>({ baseUrl: need("INFRA_URL"), headers: { "x-api-key": need("INFRA_API_KEY") } });
const id = "name:ts-hello";
const path = { id };

// A form with a file: openapi-fetch sends what the serializer makes, and its type is that of the fields.
const zip = Uint8Array.from(atob(need("ZIP_BASE64")), (c) => c.charCodeAt(0));
const made = got(
  await infra.POST("/upload", {
    body: { file: "", name: "ts-hello", deploy: "true", memoryMb: "192" },
    bodySerializer(fields) {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
      form.set("file", new Blob([zip]), "code.zip");
      return form;
    },
  }),
);

const result = got(await infra.POST("/run", { body: { functionId: id, inputData: { name: "Ada" } } }));
const accepted = got(
  await infra.POST("/run", { body: { functionId: id, inputData: 2 }, params: { header: { "x-async": "true" } } }),
);
if (!("jobId" in accepted)) throw new Error("an asynchronous run gives a job");

let later = got(await infra.GET("/status/{jobId}", { params: { path: { jobId: accepted.jobId } } }));
while (!isResult(later)) {
  await new Promise((wake) => setTimeout(wake, 20));
  later = got(await infra.GET("/status/{jobId}", { params: { path: { jobId: accepted.jobId } } }));
}

got(await infra.PUT("/functions/{id}", { params: { path }, body: { memoryMb: 256 } }));
const row = got(await infra.GET("/functions/{id}", { params: { path } }));
const deleted = got(await infra.DELETE("/functions/{id}", { params: { path } }));
const gone = await infra.GET("/functions/{id}", { params: { path } });

console.log(JSON.stringify({ made, result, later, row, deleted, code: gone.error?.code, status: gone.response.status }));
