// Finds the function in its bundle: what kind of file it begins with, and which of its exports is the handler.
'use strict';

const { readFileSync } = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { readModuleSyntax } = require('./module_syntax.js');
const { Failure, describe, printStack } = require('./values.js');

const MAX_NAMES = 8; // of exports that are no handler
const CALLBACK = 3; // is the third parameter
const CONTEXT = 2;
const CONTEXT_ANSWERS = /\b(?:done|succeed|fail)\b/;
const { createRequire } = module.constructor; // is `module`; require('module') would also make an ES module of it, in every boot
const { parse } = JSON;
const sourceOf = Function.prototype.call.bind(Function.prototype.toString);
const keysOf = Object.keys;


function readText(file, name) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw new Failure('import_error', `${name} could not be read: ${describe(error)}`, false);
  }
}

// "module" or "commonjs" as Node.js reads it; undefined where nobody has said.
function declaredType(workspace, name) {
  if (name.endsWith('.mjs')) return 'module';
  try {
    const { type } = parse(readFileSync(path.join(workspace, 'package.json'), 'utf8').replace(/^\ufeff/, ''));
    return type === 'module' || type === 'commonjs' ? type : undefined;
  } catch {
    return undefined; // Node.js has its own words for one that is broken
  }
}

async function loadEntry(workspace) {
  const found = await loadFile(workspace, 'index.js') ?? await loadFile(workspace, 'index.mjs');
  if (found === null) throw new Failure('import_error', 'The bundle has neither index.js nor index.mjs at its root.', false);
  return found;
}

// The handler, as findHandler() gives it; { script } of a file that is to be run whole; null if there is none. Decided by its text and
// not by loading it, because that would run it.
async function loadFile(workspace, name) {
  const file = path.join(workspace, name);
  const text = readText(file, name);
  if (text === null) return null;
  const type = declaredType(workspace, name);
  const { offers, esm } = readModuleSyntax(text, type === 'module');
  if (!offers) return { script: { name, file, type } };
  try {
    return findHandler(esm ? await import(pathToFileURL(file).href) : createRequire(file)(file), name);
  } catch (error) {
    if (error instanceof Failure) throw error;
    printStack(error);
    throw new Failure('import_error', `${name} could not be loaded: ${describe(error)}${placeOf(error, name)}${hintFor(error, esm, type)}`, false);
  }
}

// A syntax error has its place in the first line of its stack.
function placeOf(error, name) {
  if (!(error instanceof SyntaxError)) return '';
  const line = /^(?:file:\/\/)?(\/[^\n]*):(\d+)\n/.exec(String(error.stack));
  return line === null ? '' : ` (${path.basename(line[1]) === name ? name : line[1]}, line ${line[2]})`;
}

function hintFor(error, esm, type) {
  return error instanceof SyntaxError && esm && type !== 'module' ? ' An ES module is to be index.mjs, or to have "type": "module" in its package.json.' : '';
}

// As bundlers and compilers wrap it: in `default`, also twice. `mayAnswerLater`: there are signs that it calls something to answer.
function findHandler(exported, name) {
  const levels = [exported, exported?.default, exported?.default?.default];
  const owner = levels.find((level) => typeof level?.handler === 'function');
  const handler = owner === undefined ? levels.find((level) => typeof level === 'function' && !isClass(level)) : owner.handler;
  if (handler === undefined) throw new Failure('handler_missing', describeMissing(exported, name), false);
  const takesCallback = handler.length >= CALLBACK;
  const mayAnswerLater = takesCallback || (handler.length === CONTEXT && CONTEXT_ANSWERS.test(sourceOf(handler)));
  return { handle: handler.bind(owner), takesCallback, mayAnswerLater };
}

function isClass(value) {
  return /^class\b/.test(sourceOf(value));
}

function describeMissing(exported, name) {
  const isObject = (typeof exported === 'object' && exported !== null) || typeof exported === 'function';
  const names = isObject ? keysOf(exported) : [];
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  const what = names.length > 0 ? `what it exports is ${names.slice(0, MAX_NAMES).join(', ')}${more}` : 'it exports nothing by name';
  return `${name} exports no handler: it needs exports.handler = \u2026, module.exports = \u2026, export function handler \u2026 or export default \u2026; ` +
    `${what}. (A plain script is one that does not use exports at all.)`;
}

module.exports = { loadEntry, loadFile };
