// Runs one version of a Node.js function, call after call, inside its sandbox (docs/runner-protocol.md). It may wait for its first
// call long before anybody knows which function that will be of. Everything the runner needs is bound before the user's code is
// loaded, so that a function that patches globals spoils its own result at most.
'use strict';

const { loadEntry, loadFile } = require('./entry.js');
const { readFrame, writeFrame } = require('./frames.js');
const { dropPayload, environmentOfScript, keepLoadedState, rehearse, restoreState, setEnvironment, workspace } = require('./process_state.js');
const { Failure, describe, encodeResult, makeCallback, makeContext, printStack, toJson } = require('./values.js');
const whose = require('./whose.js');

const { stringify } = JSON;
const now = performance.now.bind(performance);
const later = setImmediate;
const unrefImmediate = Reflect.apply.bind(null, later(() => {}).unref);
const changeFolder = process.chdir.bind(process);
const realExit = process.exit.bind(process);

// --- answers: exactly one a call, whichever of the ways a handler can end comes first

let active = null; // the call that runs
let late = false; // it did not end at once
let spoiled = false; // something failed that an earlier call had left behind: no other call is to be made

function answer(call, { head, tail = '', reusable = '' }) {
  if (active !== call) return;
  active = null;
  whose.end();
  const timing = call.started === undefined ? '' : `,"handlerMs":${((call.ended ?? now()) - call.started).toFixed(3)}`;
  writeFrame(`{"requestId":${stringify(call.requestId)},${head}${timing}${spoiled ? NOT_REUSABLE : reusable}${tail}}`);
}

const NOT_REUSABLE = ',"reusable":false';
const succeeded = (value) => ({ head: '"ok":true', tail: `,"value":${value}` });
const ran = (exitCode) => ({ head: `"ok":true,"plain":true,"exitCode":${exitCode}` });
const failed = (code, message, reusable) =>
  ({ head: `"ok":false,"code":"${code}","message":${toJson(message)}`, reusable: reusable ? ',"reusable":true' : NOT_REUSABLE });

// What ended outside the handler's own promise leaves the process in an unknown state: it answers and goes.
function fallOver(code, message) {
  if (active === null) return;
  answer(active, failed(code, message, false));
  realExit(1);
}

process.exit = (code) => {
  if (whose.isStranger()) {
    spoiled = true;
    throw new Error('process.exit() of a call that has answered.');
  }
  const what = active.started === undefined ? 'The code called' : 'The handler called';
  fallOver(active.started === undefined ? 'import_error' : 'exited', `${what} process.exit(${code ?? process.exitCode ?? 0}) instead of returning.`);
};

function failOutside(what, error, promise) {
  if (whose.isStranger(promise)) {
    spoiled = true;
    return;
  }
  printStack(error);
  if (active.started === undefined) fallOver('import_error', `The code could not be loaded: ${describe(error)}`);
  fallOver('handler_error', `${what}: ${describe(error)}`);
}
process.on('uncaughtException', (error) => failOutside('Uncaught', error));
process.on('unhandledRejection', (error, promise) => failOutside('Unhandled rejection', error, promise));

// --- one call

let loaded = null;

async function load() {
  changeFolder(workspace); // what the function has is mounted over the folder that this process has been in so far
  const entry = await loadEntry(workspace);
  keepLoadedState();
  whose.followWhatIsLeft(late ? 0 : 1);
  return entry;
}

// What the call comes to; null if that is for others to say.
async function run(call) {
  setEnvironment(call);
  loaded ??= await load();
  if (call.load) return succeeded('null');
  call.started = now();
  if (loaded.script === undefined) return await callHandler(call); // a promise that is returned is asked by then()
  const { runScript } = require('./script.js'); // only now: none of the function's code ever runs in this process
  const exitCode = await runScript(loaded.script, workspace, environmentOfScript(call));
  call.ended = now();
  return ran(exitCode);
}

async function callHandler(call) {
  whose.enter();
  const context = makeContext(call, settle);
  let value;
  try {
    value = loaded.handle(call.input, context, makeCallback(call, context, settle, wait));
    if (isPlain(value)) {
      call.isPlain = true;
      return null;
    }
    value = await value;
  } catch (error) {
    if (active === call) printStack(error); // it may have answered before
    throw new Failure('handler_error', describe(error) + hintAtCallback(error), true);
  } finally {
    call.ended = now();
  }
  return succeeded(encodeResult(value));
}

// Whether what the handler returned is no answer: nothing, or whatever came of the last expression of one that is given a callback.
function isPlain(value) {
  if (typeof value?.then === 'function') return false;
  return value === undefined || loaded.takesCallback || whose.isTimer(value);
}

function hintAtCallback(error) {
  if (!(error instanceof TypeError) || !/^(?:callback|cb|done|next) is not a function$/.test(error.message)) return '';
  return '. The callback is the third argument of a handler: (event, context, callback); or return a promise.';
}

// A call's own word for what it comes to; the first counts.
function settle(call, { error, value }) {
  if (active !== call || call.members !== undefined || call.outcome !== undefined) return;
  call.ended = now();
  if (error !== undefined) {
    printStack(error, 'given as the error');
    call.members = failed('handler_error', describe(error, 'given as the error'), true);
  } else {
    call.members = membersOf(value);
  }
  if (late) later(finish);
}

function membersOf(value) {
  try {
    return succeeded(encodeResult(value));
  } catch (error) {
    return failed(error.failureCode, error.message, error.reusable);
  }
}

// An answer that comes once nothing of the call is under way any more.
function wait(call, outcome) {
  call.outcome ??= outcome;
}

function comeToRest() {
  const call = active;
  if (call === null || call.members !== undefined) return;
  if (call.started === undefined) fallOver('import_error', 'The code could not be loaded: it waits for a promise that nothing can settle any more.');
  if (call.outcome === undefined && !call.isPlain) {
    fallOver('handler_error', 'The handler waits for a promise that nothing can settle any more.');
  }
  call.ended = now();
  call.members = membersOf(call.outcome?.value);
  finish();
}
process.on('beforeExit', comeToRest);

// Where what earlier calls left keeps the event loop alive, it is looked at in each round; one that does not keep it alive itself.
function watchForRest() {
  if (active === null || active.members !== undefined) return;
  if (whose.isIdle(loaded.mayAnswerLater && active.outcome === undefined)) comeToRest();
  else unrefImmediate(later(watchForRest), []);
}

// The first import of either kind costs 20 ms, most of them Node's own: they are spent before anybody waits, and so is what functions
// that start processes or open sockets begin with. It starts the pool of threads as well, whose size can't be changed any more.
async function warmUp() {
  const [, , poolSize] = process.argv;
  if (poolSize !== undefined) process.env.UV_THREADPOOL_SIZE = poolSize;
  require('child_process');
  for (const name of ['warm_up.mjs', 'warm_up.js']) await loadFile(__dirname, name); // the first imports the second
  rehearse();
}

// --- the loop. A rejection that nobody handles still counts against its call: Node.js looks for those between two immediates of one
// round, so a call that ends at once is answered in the second. A whole round would take longer than such a call.

function nextRound() {
  later(beginCall);
  later(endCall);
}

function beginCall() {
  restoreState();
  const call = readFrame();
  if (call === null) realExit(0);
  active = call;
  late = false;
  whose.begin();
  conduct(call);
}

async function conduct(call) { // with await, which no function can patch as it can then()
  let members;
  try {
    members = await run(call);
  } catch (error) {
    if (!(error instanceof Failure)) return fallOver('handler_error', describe(error));
    members = failed(error.failureCode, error.message, error.reusable);
  }
  if (active !== call || call.members !== undefined) return;
  if (members !== null) {
    call.members = members;
    if (late) later(finish);
  } else if (late) {
    endPlain();
  }
}

function endCall() {
  late = true;
  if (active === null) return;
  if (active.members !== undefined) whose.hasImmediates() ? later(finish) : finish();
  else if (active.isPlain) endPlain();
}

// It has answered once its event loop has nothing to do (beforeExit).
function endPlain() {
  if (whose.canTellIdle()) later(watchForRest);
}

function finish() {
  dropPayload();
  answer(active, active.members);
  whose.followWhatIsLeft();
  nextRound();
}

async function serve() {
  await warmUp();
  writeFrame('{"ready":true}');
  nextRound();
}

serve();
