// process.stdout and process.stderr: synchronous, like what Node.js makes of files, and never closed.
'use strict';

const { Writable } = require('stream');
const { writeAll } = require('./frames.js');
const { isStranger } = require('./whose.js');

const { nextTick } = process;

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

module.exports = { outputs };
