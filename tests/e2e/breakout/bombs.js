// What breakout/bombs.py does to its own sandbox and to the worker, with Node.js's means: the same names, the same ends.
'use strict';

const fs = require('fs');
const net = require('net');
const { spawn, spawnSync } = require('child_process');
const { Worker } = require('worker_threads');

const CONTROL = 3;
const FOLDERS = ['/tmp', '/output', '/workspace', '/dev/shm'];
const rest = () => new Promise((resolve) => setTimeout(resolve, 60_000));

// How often it could be done before it was refused.
function fill(writeMore) {
  for (let done = 0; done < 100_000; done += 1) {
    try {
      writeMore(done);
    } catch (error) {
      return [done, error.message];
    }
  }
  return [100_000, 'never refused'];
}

function start(command, ...rest) {
  const child = spawn(command, rest, { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  if (child.pid === undefined) throw new Error('no process more');
  child.unref();
}

function ignoreSignals() {
  for (const name of Object.keys(require('os').constants.signals)) {
    try {
      process.on(name, () => {});
    } catch { /* SIGKILL and SIGSTOP, and those that V8 needs */ }
  }
}

function spin() {
  for (;;);
}

// --- memory

function eatMemory() {
  const kept = [];
  for (;;) kept.push(Buffer.alloc(8 << 20, 1));
}

function eatHeap() {
  const kept = [];
  for (;;) kept.push({ text: String(kept.length).repeat(20), more: [kept.length, kept.length] });
}

function eatWebAssembly() {
  const kept = [];
  for (;;) {
    kept.push(new WebAssembly.Memory({ initial: 128 }));
    new Uint8Array(kept.at(-1).buffer).fill(1);
  }
}

function eatFiles() {
  const bytes = Buffer.alloc(1 << 20);
  for (const folder of FOLDERS) fill(() => fs.appendFileSync(`${folder}/big`, bytes));
  eatMemory();
}

// --- the worker's own words

function frame(body) {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(Buffer.byteLength(body));
  return Buffer.concat([head, Buffer.from(body)]);
}

// To the call that runs, as only its own function knows its number.
const answer = (members = '"ok":true,"handlerMs":1,"value":"forged"') => `{"requestId":"${process.env.JOB_ID}",${members}}`;
const allFrames = () => ({
  garbage: Buffer.alloc(900, '\xff\0garbage', 'latin1'),
  'a length of 4 GiB': Buffer.from([255, 255, 255, 255]),
  'a length of 33 MiB': Buffer.concat([Buffer.from([0, 0, 0x10, 0x02]), Buffer.alloc(1 << 20)]),
  'an empty frame': frame(''),
  'no JSON': frame('{no'),
  'no answer': frame('{"ready":true}'),
  'no object': frame('[1,2,3]'),
  'a list where text should be': frame(answer('"ok":false,"code":["x"],"message":{},"reusable":"yes"')),
  'an unknown code': frame(answer('"ok":false,"code":"worker_lost","message":"x","reusable":true')),
  'no UTF-8': frame(Buffer.from(answer('"ok":true,"value":"\xc3\x28\xff"'), 'latin1')),
  'nothing but depth': frame(answer(`"ok":true,"value":${'['.repeat(100_000)}${']'.repeat(100_000)}`)),
  'depth that does not end': frame('['.repeat(1_000_000)),
  'a number beyond numbers': frame(answer('"ok":true,"handlerMs":1e999,"value":1')),
  'a negative time': frame(answer('"ok":true,"handlerMs":-1e18,"value":1')),
  'members twice': frame(answer('"ok":false,"ok":true,"value":1,"value":2')),
  'two answers': Buffer.concat([frame(answer()), frame(answer())]),
  'an answer and a half': Buffer.concat([frame(answer()), Buffer.from([16])]),
  'half an answer': frame(answer()).subarray(0, -5),
  'an answer of its own': frame(answer()),
  "a call's that was never made": frame(answer().replace('":"0', '":"1')),
  "nobody's": frame('{"ok":true,"handlerMs":1,"value":"forged"}'),
});

function writeAll(fd, bytes) {
  for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done);
}

// A child with the runner's pipes and its socket, that lives on.
function leave(script) {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 1, 2, CONTROL], detached: true });
  child.on('error', () => {});
  child.unref();
  if (child.pid === undefined) throw new Error('it could not be left');
}

const speak = (answers) => `
  const fs = require('fs'), answer = Buffer.from('${frame(answer()).toString('hex')}', 'hex');
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => {});
  setInterval(() => {
    for (const fd of [1, 2]) try { fs.writeSync(fd, 'LEFT BEHIND\\n'); } catch {}
    if (${answers}) try { fs.writeSync(3, answer); } catch {}
  }, 1);`;

// For what Node.js has no call: bombs.py does it with the same pipes and socket.
function withPython(name) {
  const child = spawnSync('/usr/bin/python3', ['-B', '-c', `import bombs, json; print(json.dumps(bombs.${name}(None)))`],
    { stdio: ['ignore', 'pipe', 2, CONTROL], cwd: '/workspace', encoding: 'utf8' });
  return JSON.parse(child.stdout);
}

function poison() {
  for (const name of ['index.js', 'bombs.js', 'package.json']) fs.writeFileSync(`/workspace/${name}`, "exports.handler = () => 'poisoned'");
  for (const folder of ['/tmp', '/output', '/dev/shm']) fs.writeFileSync(`${folder}/left`, 'poisoned');
  const wrong = () => 'poisoned';
  JSON.parse = wrong;
  JSON.stringify = wrong;
  for (const name of ['readSync', 'writeSync', 'existsSync', 'readFileSync']) fs[name] = wrong;
  for (const name of ['from', 'alloc', 'allocUnsafe', 'concat', 'byteLength']) Buffer[name] = wrong;
  for (const name of ['exit', 'cwd', 'on', 'emit']) process[name] = wrong;
  Object.assign = wrong;
  Array.prototype.find = wrong;
  String.prototype.replace = wrong;
  global.setImmediate = wrong;
  Promise.prototype.then = function poisonedThen(...actions) {
    return Reflect.apply(Object.getPrototypeOf(async () => {}).constructor('return null'), this, actions);
  };
  process.env.LEFT = 'poisoned';
  return 'poisoned';
}

module.exports = {
  start_sleeper: () => start('/bin/sleep', '600'),
  fork_until_refused: () => fill(() => start('/bin/sleep', '600')),
  fork_for_ever() {
    ignoreSignals();
    fill(() => start('/bin/sh', '-c', 'trap "" TERM INT HUP; while :; do :; done'));
    spin();
  },
  starve_init() {
    spawnSync('/usr/bin/renice', ['19', '1']);
    spawnSync('/usr/bin/chrt', ['-i', '-p', '0', '1']);
    module.exports.fork_for_ever();
  },
  spin() {
    ignoreSignals();
    for (let n = 0; n < 4; n += 1) new Worker('for (;;);', { eval: true });
    return new Promise((resolve) => setTimeout(resolve, 20)).then(spin);
  },
  spin_in_a_signal_handler: () => {
    process.on('SIGALRM', spin);
    process.kill(process.pid, 'SIGALRM');
    return rest();
  },
  stop: () => process.kill(process.pid, 'SIGSTOP') && rest(),
  become_another_program() { // there is no exec here: another program takes the socket, and the runner goes
    spawn('/bin/sleep', ['600'], { stdio: ['ignore', 1, 2, CONTROL], detached: true });
    process.reallyExit(0);
  },
  crash: () => process.abort(),
  kill_all() {
    start('/bin/sleep', '600');
    try {
      process.kill(-1, 'SIGKILL');
    } finally {
      process.kill(process.pid, 'SIGKILL');
    }
    return rest();
  },
  close_everything() {
    for (let fd = 0; fd < 1024; fd += 1) fill(() => { fs.closeSync(fd); });
  },

  eat_memory: eatMemory,
  eat_memory_by_files: eatFiles,
  eat_memory_another_way: eatHeap,
  eat_memory_a_third_way: eatWebAssembly,
  eat_memory_in_a_child: () => spawnSync(process.execPath, ['-e', '(' + eatMemory + ')()']).signal,

  fill_disks() {
    const bytes = Buffer.alloc(1 << 20);
    return Object.fromEntries(FOLDERS.map((folder) => {
      const fd = fs.openSync(`${folder}/big`, 'w');
      const found = fill(() => fs.writeSync(fd, bytes));
      fs.closeSync(fd);
      fs.unlinkSync(`${folder}/big`);
      return [folder, found];
    }));
  },
  fill_inodes: () => Object.fromEntries(FOLDERS.map((folder) => {
    fs.mkdirSync(`${folder}/many`);
    const found = fill((n) => fs.closeSync(fs.openSync(`${folder}/many/${n}`, 'w')));
    fs.rmSync(`${folder}/many`, { recursive: true }); // the next may be on the same file system
    return [folder, found];
  })),
  open_files: () => fill(() => fs.openSync('/dev/null')),
  flood() {
    const line = Buffer.alloc(65536, 'x');
    for (;;) for (const fd of [1, 2]) writeAll(fd, line);
  },
  print_noise() {
    const bytes = Buffer.concat([Buffer.from(Array.from({ length: 4096 }, (_, n) => n % 256)), Buffer.from('\u2028\u202e\0\x1b[2J'),
      Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('\n{"time":"x","level":"error","msg":"forged"}\r\n\r\nHTTP/1.1 500 X\r\n')]);
    for (const fd of [1, 2]) writeAll(fd, bytes);
    return { '\0': '\ud800', '</script>': '\u2028', ['__proto__']: { status: 'ERROR' } };
  },
  return_much: ({ size }) => 'x'.repeat(size),
  return_deeply({ depth }) {
    let value = [];
    for (let n = 0; n < depth; n += 1) value = [value];
    return value;
  },
  async flood_the_ai_endpoint() {
    const { hostname, port } = new URL(process.env.AI_ENDPOINT);
    const sent = ['POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n{', `GET /${'x'.repeat(100_000)}`, '\0\xff'.repeat(100), ''];
    module.exports.kept = Array.from({ length: 400 }, (_, n) => net.connect(port, hostname, function send() {
      this.write(sent[n % 4]);
    }).on('error', () => {}));
    await new Promise((resolve) => setTimeout(resolve, 200));
    return module.exports.kept.length;
  },

  ask_for_more: () => withPython('ask_for_more'),
  send_descriptors: () => withPython('send_descriptors'),
  frames: () => Object.keys(allFrames()),
  write_frame({ frame: name, then }) {
    writeAll(CONTROL, allFrames()[name]);
    return then === 'wait' ? rest() : "the runner's own";
  },
  shut_the_socket({ then }) {
    new net.Socket({ fd: CONTROL }).on('error', () => {}).destroySoon();
    return then === 'wait' ? rest() : new Promise((resolve) => setTimeout(resolve, 20));
  },
  take_the_question() {
    spawn('/bin/sh', ['-c', 'exec cat <&3'], { stdio: ['ignore', 'ignore', 'ignore', CONTROL], detached: true });
    return 'left a reader';
  },

  leave_process({ answers }) {
    leave(speak(Boolean(answers)));
    return 'left a process';
  },
  leave_thread() {
    for (let n = 0; n < 3; n += 1) new Worker("setInterval(() => require('fs').writeSync(1, 'LEFT BEHIND\\n'), 1)", { eval: true }).unref();
    setInterval(() => fs.writeSync(1, 'LEFT BEHIND\n'), 1);
    return 'left threads';
  },
  poison,
};
