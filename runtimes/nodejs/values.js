// What passes between a call and its handler: the context and the callback that it is called with, what it returned, as JSON, and what
// it threw, in words.
'use strict';

const path = require('path');
const { isNativeError } = require('util').types;
const { printError } = require('./frames.js');

const MAX_RESULT = 6 * 1024 * 1024; // of JSON text, as docs/functions.md says
const MAX_MESSAGE = 8 * 1024;
const OWN_FRAMES = __dirname + path.sep;

const { stringify } = JSON;
const { floor, max } = Math;
const slice = Function.prototype.call.bind(String.prototype.slice);
const wallTime = Date.now;
const byteLength = Buffer.byteLength.bind(Buffer);

// --- what a handler is called with beside the event, as on AWS Lambda: its context, and the callback through which a plain function may
// answer. `settle` ends the call with what it failed with (null: nothing) or its value; `wait` does so once nothing of it is under way.

// Something was given as the error, as Lambda sees it.
const isGiven = (error) => error !== undefined && error !== null;

function makeContext(call, settle) {
  const left = () => max(0, floor(call.deadlineMs - wallTime()));
  return {
    requestId: call.requestId, functionId: call.functionId, modelId: call.modelId ?? '', memoryMb: call.memoryMb,
    deadlineMs: call.deadlineMs, traceId: slice(call.traceparent ?? '', 3, 35), traceparent: call.traceparent ?? '',
    getRemainingTimeMs: left, getRemainingTimeInMillis: left,
    callbackWaitsForEmptyEventLoop: true,
    done: (error, value) => settle(call, isGiven(error) ? { error } : { value }),
    succeed: (value) => settle(call, { value }),
    fail: (error) => settle(call, { error: isGiven(error) ? error : new Error('context.fail() was called without an error.') }),
  };
}

function makeCallback(call, context, settle, wait) {
  return (error, value) => {
    if (isGiven(error)) settle(call, { error });
    else if (context.callbackWaitsForEmptyEventLoop) wait(call, { value });
    else settle(call, { value });
  };
}

// --- what it comes to

// What a call comes to if it does not succeed; `reusable` if another may be made.
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

const isError = (value) => value instanceof Error || isNativeError(value); // those of another realm, too

// `how` it came: an error can be anything.
function describe(error, how = 'thrown') {
  try {
    return (isError(error) ? `${error.name}: ${error.message}` : `${typeName(error)} ${how}: ${textOf(error)}`).slice(0, MAX_MESSAGE);
  } catch {
    return 'an error that can not be described';
  }
}

function textOf(value) {
  const text = String(value);
  return text === '[object Object]' ? stringify(value) : text;
}

// The stack to stderr, without the runner's own frames.
function printStack(error, how) {
  let text;
  try {
    text = isError(error) && error.stack ? String(error.stack) : describe(error, how);
    text = text.split('\n').filter((line) => !line.includes(OWN_FRAMES) && !/^\s+at .*\(?node:/.test(line)).join('\n');
  } catch {
    text = describe(error, how);
  }
  printError(text);
}

module.exports = { Failure, describe, encodeResult, makeCallback, makeContext, printStack, toJson };
