// Whose is what runs: the call's that is under way, or that of an earlier one, which left a timer or a promise behind? A stranger's
// output and failures are kept out of the call. Following every promise costs 0.1 µs each, so nothing is followed in an instance until
// something was under way at the end of a call, or of the loading.
//
// What comes once (a timer, a promise, a request) belongs to whoever began it. What stays (a socket, a port) and was there before the
// call is at its service: a connection that is kept in a module variable belongs to the call that runs.
'use strict';

const { createHook, executionAsyncId, executionAsyncResource } = require('async_hooks');
const { isPromise } = require('util').types;

const OWNER = Symbol('call'); // its number: a call is not to live as long as its timers
const COMES_ONCE = /^(?:Timeout|Immediate|PROMISE|TickObject|Microtask)$|REQ|QUERYWRAP|CONNECTWRAP|WRITEWRAP|SHUTDOWNWRAP|SENDWRAP/;
const CALLS_BACK = /^(?:FSREQ|FILEHANDLECLOSEREQ|GETADDRINFO|GETNAMEINFO|QUERYWRAP)|(?<!HTTPCLIENT)REQUEST$/; // once, and can't be asked
const OBJECT_COMES_ONCE = /^(?:FSReq|GetAddrInfo|GetNameInfo|QueryReq)/;

const SERVES = /^(?:TCPSocket|Pipe|TLS|UDP|TTY|Process|MessagePort)/; // and not Timeout, or a server
const FEW = 1024;

const activeResources = process.getActiveResourcesInfo.bind(process);
const { apply } = Reflect;
const Timeout = endedClassOf(setTimeout, clearTimeout);
const Immediate = endedClassOf(setImmediate, clearImmediate);

let calls = 0;
let running = null; // the number of the call that is under way
let following = false;
let hasHidden = false; // timers that activeResources() does not show
let held = []; // what the call has begun and may still keep the event loop alive
let heldLimit = FEW; // where those that have ended are sorted out
const expected = new Set(); // ids of what it has begun and that will call back

function endedClassOf(begin, end) {
  const object = begin(() => {}, 0);
  end(object);
  return object.constructor;
}

const { unref } = Timeout.prototype;
Timeout.prototype.unref = function unrefAndNote() {
  hasHidden = true;
  return apply(unref, this, []);
};

function memoized(pattern) {
  const known = new Map();
  return (type) => {
    let answer = known.get(type);
    if (answer === undefined) known.set(type, (answer = pattern.test(type)));
    return answer;
  };
}
const comesOnce = memoized(COMES_ONCE);
const callsBack = memoized(CALLS_BACK);

// Null is nobody that runs. What has no owner was there before anything was followed, or stays.
function ownerOf(resource) {
  const owner = resource[OWNER];
  if (owner !== undefined) return owner;
  const isOld = isPromise(resource) || resource instanceof Timeout || resource instanceof Immediate || OBJECT_COMES_ONCE.test(resource.constructor?.name);
  return isOld ? null : running;
}

// Of what runs now. An async function that was not followed when it began to wait goes on without any resource (id 0).
function currentOwner() {
  const resource = executionAsyncResource();
  return executionAsyncId() === 0 ? resource[OWNER] ?? null : ownerOf(resource);
}

const hook = createHook({
  init(id, type, trigger, resource) {
    const owner = currentOwner();
    if (type === 'PROMISE' || comesOnce(type)) resource[OWNER] = owner;
    if (type === 'PROMISE' || type === 'TickObject' || owner === null || owner !== running) return;
    if (typeof resource.hasRef === 'function' || type === 'ZLIB') hold(resource);
    else if (callsBack(type)) expected.add(id);
  },
  after(id) {
    if (expected.size > 0) expected.delete(id);
  },
});

// A timer that has ended says so in _destroyed alone; zlib's streams have their input in `buffer` while they work on it.
const isHeld = (resource) => (resource.hasRef === undefined ? resource.buffer != null : resource._destroyed !== true && resource.hasRef());

function hold(resource) {
  if (held.length >= heldLimit) {
    held = held.filter(isHeld);
    heldLimit = Math.max(FEW, 2 * held.length);
  }
  held.push(resource); // it is not made yet, and says so
}

function begin() {
  running = ++calls;
  enter();
}

// What runs from here on is the call's. It has begun nothing yet.
function enter() {
  held = [];
  expected.clear();
  if (following) executionAsyncResource()[OWNER] = running;
}

function end() {
  running = null;
}

// `immediates`: how many of the runner's own are waiting.
function followWhatIsLeft(immediates = 0) {
  if (following || (!hasHidden && activeResources().length <= immediates)) return;
  following = true;
  hook.enable();
}

// `promise`: one that was rejected, whose own owner counts.
function isStranger(promise) {
  return running === null || (following && (promise === undefined ? currentOwner() : ownerOf(promise)) !== running);
}

// Whether nothing that the call began is under way. Where nothing is left of others either, the event loop tells by running out of work,
// and more exactly. `mayBeServed`: it may still be answered, so that a connection of earlier calls may be what it waits for.
const canTellIdle = () => following;
function isIdle(mayBeServed) {
  held = held.filter(isHeld);
  return held.length === 0 && expected.size === 0 && !(mayBeServed && activeResources().some((name) => SERVES.test(name)));
}
const isTimer = (value) => value instanceof Timeout || value instanceof Immediate;
const hasImmediates = () => activeResources().includes('Immediate');

module.exports = { begin, canTellIdle, end, enter, followWhatIsLeft, hasImmediates, isIdle, isStranger, isTimer };
