// The HTTP interface as the server describes it: /openapi.json, read by a person.
import { get, address } from "../api";
import { useLoad } from "../load";
import { Problem, Waiting } from "../parts";

interface Schema {
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  $ref?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
}

interface Content {
  schema?: Schema;
  example?: unknown;
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

interface Operation {
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { content?: Record<string, Content> };
  responses?: Record<string, { description?: string; $ref?: string }>;
}

interface Description {
  info: { title: string; version: string; description?: string };
  paths: Record<string, Record<string, Operation>>;
}

const METHODS = ["get", "post", "put", "delete"];

// What a JSON pointer of the document's own stands for.
function resolved<T>(document: Description, part: T): T {
  const pointer = (part as { $ref?: string } | undefined)?.$ref;
  if (pointer === undefined) return part;
  return pointer.split("/").slice(1).reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document) as T;
}

function typeOf(schema: Schema | undefined): string {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop()!;
  if (schema.enum) return schema.enum.map(String).join(" | ");
  if (schema.items) return `${typeOf(schema.items)}[]`;
  return [schema.type ?? []].flat().join(" | ");
}

function Body({ document, content }: { document: Description; content: Record<string, Content> }) {
  return (
    <>
      {Object.entries(content).map(([type, { schema, example }]) => (
        <div key={type}>
          <h2>Body: {type}{schema?.$ref && `, ${typeOf(schema)}`}</h2>
          {resolved(document, schema)?.properties && (
            <table>
              <tbody>
                {Object.entries(resolved(document, schema)!.properties!).map(([name, field]) => (
                  <tr key={name}><td><code>{name}</code></td><td>{typeOf(field)}</td><td>{field.description}</td></tr>
                ))}
              </tbody>
            </table>
          )}
          {example !== undefined && <pre class="output">{JSON.stringify(example, null, 2)}</pre>}
        </div>
      ))}
    </>
  );
}

function One({ document, method, path, operation }: { document: Description; method: string; path: string; operation: Operation }) {
  const parameters = (operation.parameters ?? []).map((each) => resolved(document, each));
  return (
    <details class="operation">
      <summary><code><b>{method.toUpperCase()}</b> {path}</code> <span class="quiet">{operation.summary}</span></summary>
      {operation.description && <p class="words">{operation.description}</p>}
      {parameters.length > 0 && (
        <table>
          <tbody>
            {parameters.map((each) => (
              <tr key={each.name}><td><code>{each.name}</code></td><td>{each.in}{each.required ? "" : ", optional"}</td>
                <td>{typeOf(each.schema)}</td><td>{each.description}</td></tr>
            ))}
          </tbody>
        </table>
      )}
      {operation.requestBody?.content && <Body document={document} content={operation.requestBody.content} />}
      <ul class="list">
        {Object.entries(operation.responses ?? {}).map(([status, answer]) => (
          <li key={status}><b>{status}</b> <span class="words">{resolved(document, answer)?.description}</span></li>
        ))}
      </ul>
    </details>
  );
}

export function ApiPage() {
  const { data, error } = useLoad((signal) => get<Description>("/openapi.json", signal), []);
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  return (
    <>
      <h1>{data.info.title} {data.info.version}</h1>
      <p>For programs: <a href={address("/openapi.json")}>openapi.json</a>. The key goes in the header <code>x-api-key</code>.</p>
      <div class="operations">
        {Object.entries(data.paths).flatMap(([path, operations]) => METHODS.filter((method) => operations[method]).map((method) => (
          <One key={method + path} document={data} method={method} path={path} operation={operations[method]!} />
        )))}
      </div>
    </>
  );
}
