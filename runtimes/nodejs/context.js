// What a handler is called with beside the event: its context, and the callback through which a plain function may answer, as on AWS
// Lambda. `settle` ends the call with what it failed with (null: nothing) or its value; `wait` does so once nothing of it is under way.
'use strict';

const wallTime = Date.now;
const { floor, max } = Math;

// Something was given as the error, as Lambda sees it.
const isGiven = (error) => error !== undefined && error !== null;

function makeContext(call, settle) {
  const left = () => max(0, floor(call.deadlineMs - wallTime()));
  return {
    requestId: call.requestId, functionId: call.functionId, modelId: call.modelId ?? '', memoryMb: call.memoryMb,
    deadlineMs: call.deadlineMs, getRemainingTimeMs: left, getRemainingTimeInMillis: left,
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

module.exports = { makeCallback, makeContext };
