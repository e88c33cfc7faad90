// One of the AWS services that tests talk to, on a free port of loopback and in memory: `fauxqs` (S3 and SQS) or `dynalite`
// (DynamoDB), whose clock a line `advance <ms>` on stdin moves forward, and whose long polls a line `end-polls` ends, with what there
// is. It says its port on stdout, and ends with stdin.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [kind, folder] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(folder, "node_modules", path)));

let shift = 0;
const realNow = Date.now;
Date.now = () => realNow() + shift;

async function startFauxqs() {
  const { buildApp } = await load("fauxqs/dist/app.js");
  const { SqsStore } = await load("fauxqs/dist/sqs/sqsStore.js");
  const { INVALID_MESSAGE_BODY_CHAR } = await load("fauxqs/dist/sqs/sqsTypes.js");
  // SQS takes U+10000 and above; fauxqs looks at UTF-16 halves and refuses them.
  const invalid = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;
  INVALID_MESSAGE_BODY_CHAR.test = (text) => invalid.test(text);

  const sqsStore = new SqsStore();
  sqsStore.host = undefined; // A queue's URL starts with the Host it was created by: the gate's.
  const app = buildApp({ logger: false, stores: { sqsStore } });
  app.addHook("preHandler", (request, _reply, done) => {
    request.body ??= Buffer.alloc(0); // an empty object may be put
    done();
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  return { server: app.server, clockMoved: () => sqsStore.processAllTimers(), endPolls: () => sqsStore.shutdown() };
}

async function startDynalite() {
  const require = createRequire(join(folder, "package.json"));
  const server = require("dynalite")({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return { server, clockMoved: () => {}, endPolls: () => {} };
}

const peer = await (kind === "fauxqs" ? startFauxqs() : startDynalite());
peer.server.keepAliveTimeout = 0; // Node.js would end idle connections after 5 s, and race with the next request
console.log(JSON.stringify({ port: peer.server.address().port }));
const control = createInterface({ input: process.stdin });
control.on("line", (line) => {
  const [command, step] = line.split(" ");
  if (command === "end-polls") {
    peer.endPolls();
  } else {
    shift += Number(step);
    peer.clockMoved();
  }
  console.log("ok");
});
control.on("close", () => process.exit(0));
