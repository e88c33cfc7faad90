// The control socket and the output pipes, as docs/runner-protocol.md has them. All writes are synchronous, so that an answer comes
// after all that was printed.
'use strict';

const { readSync, writeSync } = require('fs');

const CONTROL = 3;
const MAX_FRAME = 32 * 1024 * 1024;

const { parse } = JSON;
const bufferFrom = Buffer.from.bind(Buffer);
const allocate = Buffer.allocUnsafe.bind(Buffer);
const byteLength = Buffer.byteLength.bind(Buffer);
const usual = Buffer.alloc(4096); // for frames that fit
const pause = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;

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

function printError(text) {
  writeAll(2, bufferFrom(`${text}\n`, 'utf8'));
}

module.exports = { printError, readFrame, writeAll, writeFrame };
