// The process that calls share: what stands in it for Node.js's own, and what a call may change of it and the next is to find as it
// was: the environment, the console, the output streams, the working directory. What loading the code changed stays. It is looked at
// when nobody waits, between two calls.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Writable } = require('stream');
const { writeAll } = require('./frames.js');
const { isStranger } = require('./whose.js');

// A launcher that can't mount /tmp and /output says where they are instead.
const TEMPORARY = process.env.TMPDIR || '/tmp';
const BASE_ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin', HOME: TEMPORARY, LANG: 'C.UTF-8', TMPDIR: TEMPORARY,
  OUTPUT_DIR: process.env.OUTPUT_DIR || '/output',
};
const MAX_PAYLOAD_VARIABLE = 100 * 1024; // Linux takes at most 128 KiB in one environment variable

const { writeFileSync, rmSync } = fs;
const { syncBuiltinESMExports } = module.constructor; // see entry.js
const { nextTick } = process;
const { stringify } = JSON;
const { assign, create, getPrototypeOf, setPrototypeOf } = Object;
const keysOf = Object.keys;
const { ownKeys } = Reflect; // of the environment: keysOf() asks for each name again
const byteLength = Buffer.byteLength.bind(Buffer);
const environment = process.env;
const currentFolder = process.cwd.bind(process);
const changeFolder = process.chdir.bind(process);
const workspace = currentFolder();

// --- process.stdout and process.stderr: synchronous, like what Node.js makes of files, and never closed

class Output extends Writable {
  constructor(fd) {
    super({ decodeStrings: true });
    this.fd = fd;
  }

  _write(chunk, encoding, done) {
    try {
      if (!isStranger()) writeAll(this.fd, chunk);
      done();
    } catch (error) {
      done(error);
    }
  }

  // Nor do Node.js's own stay closed.
  _destroy(error, done) {
    done(error);
    this._undestroy();
    nextTick(() => { this._writableState.closeEmitted = false; }); // which 'close' sets after this, and no end would be told again
  }

  // As it was made.
  refresh() {
    while (this.writableCorked > 0) this.uncork(); // what waited for that is nobody's any more
    if (this.writableEnded || this.destroyed) this._undestroy();
    this.setDefaultEncoding('utf8');
  }
}

const outputs = { stdout: new Output(1), stderr: new Output(2) };
for (const [name, value] of Object.entries(outputs)) {
  Object.defineProperty(process, name, { value, configurable: true, enumerable: true, writable: true });
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

// --- the environment

let given = { __proto__: null }; // the variables of the last call
let givenCount = 0;
let loaded = { __proto__: null }; // those that the code set while it was loaded; undefined: it deleted them
let wanted = { __proto__: null }; // those that the next call is to find
let wantedCount = 0;

// All but those that the code has a say in.
const givenVariables = () => ({ __proto__: null, ...BASE_ENVIRONMENT, ...given });

function renewWanted() {
  wanted = assign(givenVariables(), loaded);
  for (const name in loaded) if (loaded[name] === undefined) delete wanted[name];
  wantedCount = keysOf(wanted).length;
}

// Most calls have left it as it is to be; to ask for a variable costs less than to set one.
function restoreEnvironment() {
  process.env = environment;
  let held = 0;
  for (const name of ownKeys(environment)) {
    const value = wanted[name];
    if (value === undefined) {
      delete environment[name];
    } else {
      held += 1;
      if (environment[name] !== value) environment[name] = value;
    }
  }
  if (held === wantedCount) return;
  for (const name in wanted) if (environment[name] !== wanted[name]) environment[name] = wanted[name];
}

function setEnvironment(call) {
  const { env } = call;
  call.payload = env.PAYLOAD;
  delete env.PAYLOAD;
  if (call.traceparent !== undefined) delete env.TRACEPARENT;
  offered = call;
  const before = given;
  given = { __proto__: null, ...env };
  let known = 0;
  let count = 0;
  for (const name in given) {
    count += 1;
    if (name in before) known += 1;
    if (given[name] !== before[name] && !(name in loaded)) environment[name] = wanted[name] = given[name];
  }
  if (known === count && known === givenCount) return;
  givenCount = count;
  renewWanted();
  restoreEnvironment(); // some may be gone
}

function keepLoadedEnvironment() {
  if (process.env !== environment) assign(environment, process.env);
  process.env = environment;
  const usual = givenVariables();
  for (const name of keysOf(environment)) if (environment[name] !== usual[name]) loaded[name] = environment[name];
  for (const name in usual) if (environment[name] === undefined) loaded[name] = undefined;
  renewWanted();
}

// --- the input, as PAYLOAD or PAYLOAD_FILE, and the trace, as TRACEPARENT. These are no variables of the process, because libc keeps
// every value that one ever had, and a handler is called a million times: process.env inherits them.

let offered = null; // the call whose input and trace are in there
let payloadFile = null;
setPrototypeOf(environment, create(getPrototypeOf(environment), {
  TRACEPARENT: { get: () => offered?.traceparent, enumerable: true },
  PAYLOAD: { get: () => offered?.payload, enumerable: true },
  PAYLOAD_FILE: { get: () => (needsFile(offered) ? writePayload(offered.requestId, stringify(offered.input ?? null)) : undefined), enumerable: true },
}));

const needsFile = (call) => call !== null && call.payload === undefined && !call.load;

function writePayload(requestId, text) {
  if (payloadFile === null) {
    const file = path.join(TEMPORARY, `payload-${requestId}.json`);
    writeFileSync(file, text);
    payloadFile = file;
  }
  return payloadFile;
}

function dropPayload() {
  offered = null;
  if (payloadFile === null) return;
  rmSync(payloadFile, { force: true });
  payloadFile = null;
}

// Of a process of its own, which is gone before the next call.
function environmentOfScript(call) {
  const payload = call.payload ?? stringify(call.input ?? null);
  const trace = call.traceparent === undefined ? {} : { TRACEPARENT: call.traceparent };
  if (byteLength(payload) > MAX_PAYLOAD_VARIABLE) return { ...environment, ...trace, PAYLOAD_FILE: writePayload(call.requestId, payload) };
  return { ...environment, ...trace, PAYLOAD: payload };
}

// --- the rest

// An object's properties as they were.
class Kept {
  constructor(object, names) {
    this.object = object;
    this.names = names;
    this.values = names.map((name) => object[name]);
  }

  restore() {
    const { object, names, values } = this;
    for (let n = 0; n < names.length; ++n) if (object[names[n]] !== values[n]) object[names[n]] = values[n];
  }
}

// All of them, so that others go again. A stream changes those with an underscore itself.
class KeptWhole extends Kept {
  constructor(object) {
    const all = keysOf(object);
    super(object, all.filter((name) => name[0] !== '_'));
    this.all = new Set(all);
  }

  restore() {
    const now = keysOf(this.object);
    if (now.length !== this.all.size) for (const name of now) if (!this.all.has(name)) delete this.object[name];
    super.restore();
  }
}

let kept = null;
let folder = workspace;

// What the code has made of its process by loading is what its calls find.
function keepLoadedState() {
  keepLoadedEnvironment();
  folder = currentFolder();
  const indent = Object.getOwnPropertySymbols(console).filter((symbol) => symbol.description === 'kGroupIndent');
  kept = [new Kept(globalThis, ['console']), new KeptWhole(console), new Kept(console, indent),
    new Kept(process, ['stdout', 'stderr', 'exit', 'exitCode']), new KeptWhole(outputs.stdout), new KeptWhole(outputs.stderr)];
}

function restoreState() {
  restoreEnvironment();
  if (kept === null) return;
  for (const one of kept) one.restore();
  outputs.stdout.refresh();
  outputs.stderr.refresh();
  if (currentFolder() !== folder) changeFolder(folder);
}

// Once before there is any code: what runs for the first time is slow.
function rehearse() {
  keepLoadedState();
  restoreState();
  loaded = { __proto__: null };
  renewWanted();
  kept = null;
}

module.exports = { dropPayload, environmentOfScript, keepLoadedState, rehearse, restoreState, setEnvironment, workspace };
