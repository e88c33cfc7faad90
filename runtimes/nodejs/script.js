// A plain script runs whole, in a process of its own, with the call's input in PAYLOAD or in a file.
'use strict';

const { spawn, spawnSync } = require('child_process');
const { openSync, closeSync } = require('fs');
const { signals } = require('os').constants;
const { Failure } = require('./values.js');

const MAX_WORDS = 64 * 1024;
const OF_A_MODULE = /import statement|'import\.meta'|Unexpected token 'export'|await is only valid/; // in a script
const nodePath = process.execPath;
const { features } = process;

function runScript(script, folder, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(nodePath, [script.file], { cwd: folder, env, stdio: ['ignore', 1, 2] });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 1) script.syntaxError ??= findSyntaxError(script, env);
      if (script.syntaxError) reject(new Failure('import_error', `${script.name} could not be loaded: ${script.syntaxError}`, false));
      else resolve(code ?? 128 + (signals[signal] ?? 0)); // as a shell reports it
    });
  });
}

// In words, or '' if there is none. Looked for once a file, and only if it has failed as such a file does: what is wrong stands in its
// output already, but as nobody's failure.
function findSyntaxError({ file, type }, env) {
  const words = check(file, type ?? 'commonjs', env);
  if (words === '' || type !== undefined || !features.require_module || !OF_A_MODULE.test(words)) return words;
  return check(file, 'module', env); // as Node.js itself does, since it has that feature
}

function check(file, kind, env) {
  const input = openSync(file);
  const { status, stderr } = spawnSync(nodePath, [`--input-type=${kind}`, '--check', '-'], { env, stdio: [input, 'ignore', 'pipe'], maxBuffer: MAX_WORDS, encoding: 'utf8' });
  closeSync(input);
  if (status === 0) return '';
  const error = /^SyntaxError: .*/m.exec(stderr);
  const line = /^(?:\[stdin\]|file:.*):(\d+)$/m.exec(stderr);
  return error === null ? '' : error[0] + (line === null ? '' : ` (line ${line[1]})`);
}

module.exports = { runScript };
