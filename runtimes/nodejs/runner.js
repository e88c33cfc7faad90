// Runs one version of a Node.js function, call after call, inside its sandbox (docs/runner-protocol.md). It may wait for its first
// call long before anybody knows which function that will be of. Everything the runner needs is bound before the user's code is
// loaded, so that a function that patches globals spoils its own result at most.
'use strict';

const fs = require('fs');
const path = require('path');
const { Writable } = require('stream');
const { spawn } = require('child_process');
const { syncBuiltinESMExports } = require('module');
const os = require('os');
const { pathToFileURL } = require('url');
const { performance } = require('perf_hooks');

const CONTROL = 3;
const MAX_FRAME = 32 * 1024 * 1024;
const MAX_RESULT = 6 * 1024 * 1024; // of JSON text, as docs/functions.md says
const MAX_PAYLOAD_VARIABLE = 100 * 1024; // Linux takes at most 128 KiB in one environment variable
const MAX_MESSAGE = 8 * 1024;
// A launcher that can't mount /tmp and /output says where they are instead.
const TEMPORARY = process.env.TMPDIR || '/tmp';
const BASE_ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin', HOME: TEMPORARY, LANG: 'C.UTF-8', TMPDIR: TEMPORARY,
  OUTPUT_DIR: process.env.OUTPUT_DIR || '/output',
};

const { readSync, writeSync } = fs;
const { stringify, parse } = JSON;
const bufferFrom = Buffer.from.bind(Buffer);
const allocate = Buffer.allocUnsafe.bind(Buffer);
const byteLength = Buffer.byteLength.bind(Buffer);
const now = performance.now.bind(performance);
const wallTime = Date.now;
const keysOf = Object.keys;
const later = setImmediate;
const activeResources = process.getActiveResourcesInfo; // not in every version
const environment = process.env;
const realExit = process.exit.bind(process);
const workspace = process.cwd();
const usual = Buffer.alloc(4096); // for frames that fit
const pause = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;

// --- the control socket and the output pipes; all writes are synchronous, so that an answer comes after all that was printed

function writeAll(fd, bytes, size = bytes.length) {
  for (let done = 0; done < size;) {
    try {
      done += writeSync(fd, bytes, done, size - done);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error; // a child process may have made the shared pipe non-blocking
      wait(pause, 0, 0, 1);
    }
  }
}

// Reads on until `bytes` holds so many; how many it holds then, or -1 at the end of the stream.
function fill(bytes, done, wanted) {
  let held = done;
  while (held < wanted) {
    const count = readSync(CONTROL, bytes, held, bytes.length - held, null);
    if (count === 0) return -1;
    held += count;
  }
  return held;
}

// Blocks: between calls the process rests, and timers or sockets of the function wait for the next call. Most calls come whole with
// the first read; nothing follows one before its answer.
function readFrame() {
  const held = fill(usual, 0, 4);
  if (held < 0) return null;
  const size = usual.readUInt32LE(0) + 4;
  if (size > MAX_FRAME) return null;
  const frame = size <= usual.length ? usual : allocate(size);
  if (frame !== usual) usual.copy(frame, 0, 0, held);
  return fill(frame, held, size) < 0 ? null : parse(frame.toString('utf8', 4, size));
}

function writeFrame(text) {
  const size = byteLength(text) + 4;
  const frame = size <= usual.length ? usual : allocate(size);
  frame.writeUInt32LE(size - 4, 0);
  frame.write(text, 4, 'utf8');
  writeAll(CONTROL, frame, size);
}

function synchronousStream(fd) {
  return new Writable({
    decodeStrings: true,
    write(chunk, encoding, done) {
      try {
        writeAll(fd, chunk);
        done();
      } catch (error) {
        done(error);
      }
    },
  });
}

for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
  const stream = synchronousStream(fd);
  stream.fd = fd;
  Object.defineProperty(process, name, { value: stream, configurable: true, enumerable: true, writable: true });
}

function printError(text) {
  writeAll(2, bufferFrom(`${text}\n`, 'utf8'));
}

// --- what a sandbox has no kernel's help for, said in words that help

const { networkInterfaces } = os;
const LOOPBACK = { mac: '00:00:00:00:00:00', internal: true };
os.networkInterfaces = function networkInterfacesOrLoopback() {
  try {
    return networkInterfaces();
  } catch { // the kernel is asked over a kind of socket that is closed to functions; the loopback is what there always is
    return { lo: [{ address: '127.0.0.1', netmask: '255.0.0.0', family: 'IPv4', ...LOOPBACK, cidr: '127.0.0.1/8' },
      { address: '::1', netmask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', family: 'IPv6', ...LOOPBACK, cidr: '::1/128', scopeid: 0 }] };
  }
};

const { watch } = fs;
fs.watch = function watchOrSay(...options) {
  try {
    return watch(...options);
  } catch (error) {
    if (error.syscall === 'watch') error.message += ". A function can't be told of changes to files; fs.watchFile() looks for them.";
    throw error;
  }
};
syncBuiltinESMExports();

// --- values

class Failure extends Error {
  constructor(code, message, reusable) {
    super(message);
    this.failureCode = code;
    this.reusable = reusable;
  }
}

// stringify() writes a surrogate that belongs to no pair as an escape, which strict readers refuse.
function toJson(value) {
  const text = stringify(value);
  if (text === undefined || !text.includes('\\ud')) return text;
  return text.replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, '$1\ufffd');
}

function encodeResult(value) {
  let text;
  try {
    text = toJson(value === undefined ? null : value);
  } catch (error) {
    throw new Failure('result_not_json', `The handler returned a ${typeName(value)} that can't be written as JSON: ${describe(error)}`, true);
  }
  if (text === undefined) throw new Failure('result_not_json', `The handler returned a ${typeName(value)}, which is not JSON.`, true);
  const size = byteLength(text);
  if (size > MAX_RESULT) {
    throw new Failure('result_too_large', `The handler's result is ${size} bytes of JSON; at most ${MAX_RESULT} (6 MiB) are allowed.`, true);
  }
  return text;
}

function typeName(value) {
  return typeof value === 'object' && value !== null ? (value.constructor && value.constructor.name) || 'object' : typeof value;
}

function describe(error) {
  try {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : `${typeName(error)} thrown: ${String(error)}`;
    return text.slice(0, MAX_MESSAGE);
  } catch {
    return 'an error that can not be described';
  }
}

// The stack to stderr, without the runner's own frames.
function printStack(error) {
  let text;
  try {
    text = error instanceof Error && error.stack ? String(error.stack) : describe(error);
    text = text.split('\n').filter((line) => !line.includes(__filename) && !/^\s+at .*\(?node:/.test(line)).join('\n');
  } catch {
    text = describe(error);
  }
  printError(text);
}

// --- answers: exactly one a call, whichever of the ways a handler can end comes first

let active = null; // the call that runs

function answer(call, members) {
  if (active !== call) return;
  active = null;
  const timing = call.started === undefined ? '' : `,"handlerMs":${((call.ended ?? now()) - call.started).toFixed(3)}`;
  writeFrame(`{"requestId":${stringify(call.requestId)},${members.head}${timing}${members.tail ?? ''}}`);
}

const succeeded = (value) => ({ head: '"ok":true', tail: `,"value":${value}` });
const ran = (exitCode) => ({ head: `"ok":true,"plain":true,"exitCode":${exitCode}` });
const failed = (code, message, reusable) =>
  ({ head: `"ok":false,"code":"${code}","message":${toJson(message)},"reusable":${reusable}` });

// What ended outside the handler's own promise leaves the process in an unknown state: it answers and goes.
function fallOver(code, message) {
  if (active === null) return;
  answer(active, failed(code, message, false));
  realExit(1);
}

process.exit = (code) => {
  if (active !== null) {
    const what = active.started === undefined ? 'The code called' : 'The handler called';
    fallOver(active.started === undefined ? 'import_error' : 'exited', `${what} process.exit(${code ?? process.exitCode ?? 0}) instead of returning.`);
  }
  realExit(code);
};
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => {
    printStack(error);
    if (active === null) realExit(1);
    if (active.started === undefined) fallOver('import_error', `The code could not be loaded: ${describe(error)}`);
    const what = event === 'uncaughtException' ? 'Uncaught' : 'Unhandled rejection';
    fallOver('handler_error', `${what}: ${describe(error)}`);
  });
}
process.on('beforeExit', () => fallOver('handler_error', 'The handler waits for a promise that nothing can settle any more.'));

// --- the user's code

function findEntry() {
  const names = ['index.js', 'index.mjs'];
  const found = names.map((name) => path.join(workspace, name)).find((file) => fs.existsSync(file));
  if (found === undefined) throw new Failure('import_error', 'The bundle has neither index.js nor index.mjs at its root.', false);
  return found;
}

// A file can only export through one of these. Decided by its text and not by loading it, because loading a plain script would
// run it; a script that merely mentions them is told so (handler_missing) instead of being run twice.
const EXPORTS = /\bmodule\s*(?:\.\s*exports\b|\[)|\bexports\s*(?:[.[=,)]|\?\.)|^[ \t]*export\s*(?:default\b|async\b|const\b|let\b|var\b|function\b|class\b|[{*])|[;}]\s*export\s*(?:default\b|async\b|const\b|let\b|var\b|function\b|class\b|[{*])/m;

async function load() {
  process.chdir(workspace); // what the function has is mounted over the folder that this process has been in so far
  const entry = findEntry();
  if (!EXPORTS.test(fs.readFileSync(entry, 'utf8'))) return { script: entry };
  let module;
  try {
    module = await import(pathToFileURL(entry).href);
  } catch (error) {
    printStack(error);
    throw new Failure('import_error', `${path.basename(entry)} could not be loaded: ${describe(error)}`, false);
  }
  const candidates = [module.handler, module.default && module.default.handler, module.default,
    module.default && module.default.default];
  const handler = candidates.find((candidate) => typeof candidate === 'function');
  if (handler === undefined) {
    throw new Failure('handler_missing', `${path.basename(entry)} exports no handler: it needs exports.handler = …, module.exports = …, ` +
      'export function handler … or export default …. (A plain script must not mention exports.)', false);
  }
  return { handler };
}

function makeContext(call) {
  const left = () => Math.max(0, Math.floor(call.deadlineMs - wallTime()));
  return {
    requestId: call.requestId, functionId: call.functionId, modelId: call.modelId ?? '', memoryMb: call.memoryMb,
    deadlineMs: call.deadlineMs, getRemainingTimeMs: left, getRemainingTimeInMillis: left,
  };
}

let given = { __proto__: null }; // the variables of the last call

// What a call did to its environment is undone before the next comes, when nobody waits: to look at all of it takes 30 µs.
function restoreEnvironment() {
  process.env = environment;
  const wanted = { __proto__: null, ...BASE_ENVIRONMENT, ...given };
  for (const name of keysOf(environment)) if (!(name in wanted)) delete environment[name];
  for (const name in wanted) if (environment[name] !== wanted[name]) environment[name] = wanted[name]; // asking costs less
}

// Without PAYLOAD, which is for plain scripts: libc keeps every value that a variable ever had, and a handler is called a
// million times.
function setEnvironment(env) {
  delete env.PAYLOAD;
  const before = given;
  given = { __proto__: null, ...env };
  let known = 0;
  for (const name in given) {
    if (name in before) known += 1;
    if (given[name] !== before[name]) environment[name] = given[name];
  }
  if (known !== keysOf(before).length) restoreEnvironment(); // some are gone
}

// A plain script runs whole, in a process of its own, with the call's input in PAYLOAD or in a file.
function runScript(file, call) {
  const env = { ...environment };
  const payload = stringify(call.input ?? null);
  const payloadFile = byteLength(payload) > MAX_PAYLOAD_VARIABLE ? path.join(TEMPORARY, `payload-${call.requestId}.json`) : null;
  if (payloadFile === null) {
    env.PAYLOAD = payload;
  } else {
    fs.writeFileSync(payloadFile, payload);
    env.PAYLOAD_FILE = payloadFile;
  }
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file], { cwd: workspace, env, stdio: ['ignore', 1, 2] });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (payloadFile !== null) fs.rmSync(payloadFile, { force: true });
      resolve(code ?? 128 + (require('os').constants.signals[signal] ?? 0)); // as a shell reports it
    });
  });
}

let loaded = null;

async function run(call) {
  setEnvironment(call.env);
  loaded ??= await load();
  if (call.load) return succeeded('null');
  call.started = now();
  if (loaded.script !== undefined) {
    const exitCode = await runScript(loaded.script, call);
    call.ended = now();
    return ran(exitCode);
  }
  let value;
  try {
    value = await loaded.handler(call.input, makeContext(call));
  } catch (error) {
    printStack(error);
    throw new Failure('handler_error', describe(error), true);
  } finally {
    call.ended = now();
  }
  return succeeded(encodeResult(value));
}

// The first import of either kind costs 20 ms, most of them Node's own: they are spent before anybody waits.
async function warmUp() {
  for (const name of ['warm_up.js', 'warm_up.mjs']) await import(pathToFileURL(path.join(__dirname, name)).href);
}

// --- the loop. A rejection that nobody handles still counts against its call: Node.js looks for those between two immediates of one
// round, so a call that ends at once is answered in the second. A whole round would take longer than such a call.

let members = null; // of the answer to the call that runs, once it has ended
let late = false; // it did not end at once

function nextRound() {
  later(beginCall);
  later(endCall);
}

function beginCall() {
  restoreEnvironment();
  const call = readFrame();
  if (call === null) realExit(0);
  active = call;
  members = null;
  late = false;
  conduct(call);
}

async function conduct(call) { // with await, which no function can patch as it can then()
  try {
    members = await run(call);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    members = failed(error.failureCode, error.message, error.reusable);
  }
  if (late) later(finishCall);
}

function endCall() {
  late = true;
  if (members !== null) hasImmediates() ? later(finishCall) : finishCall();
}

// Of the function's own, which are still part of the call.
function hasImmediates() {
  return activeResources === undefined || activeResources().includes('Immediate');
}

function finishCall() {
  answer(active, members);
  nextRound();
}

async function serve() {
  await warmUp();
  writeFrame('{"ready":true}');
  nextRound();
}

serve();
